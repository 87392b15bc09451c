//! Who may do what: tokens, the keys they are signed with, and what must stand in them.
//!
//! Nothing here knows HTTP's answers: a refusal says whether the caller is unknown, not permitted, or to
//! come again, and the door that asked makes a status of it.

// Signed tokens in their compact form, and the public keys that check them.
pub mod jws;

// The documents in which issuers publish such keys.
pub mod jwks;

// Where these documents come from, and how long they are believed.
pub mod keys;

// Tokens of an OpenID Connect issuer: who calls, for whom, until when.
pub mod oidc;

// Signs tokens, for the tests of all of these.
#[cfg(test)]
#[path = "../tests/access/signer.rs"]
mod signer;
