//! Signed tokens: JSON Web Signatures (RFC 7515) in the compact form `header.payload.signature`.
//!
//! Only what a public key can check is known here (RS256 and ES256): there is no `none`, and no shared
//! secret that a public key could be passed off as. A token's header chooses a key and decides nothing
//! else, for a key is good for one algorithm. The payload cannot be had before its signature was checked.
//!
//! `ring` does the arithmetic, as it does for TLS. A library for tokens would bring a second one, its own
//! idea of the time, and more algorithms than we want to have.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on the curve P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The algorithm of this name, if it is one of ours.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A key that checks signatures of one algorithm.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// For [`Algorithm::Rs256`]; of 2048 to 8192 bits, or nothing is signed by it.
    Rsa {
        /// Big-endian, without leading zeros.
        modulus: Vec<u8>,
        /// Big-endian, without leading zeros.
        exponent: Vec<u8>,
    },
    /// For [`Algorithm::Es256`]: a point of the curve, uncompressed.
    P256(Vec<u8>),
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm())
    }
}

impl PublicKey {
    /// What it is good for.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked = match self {
            Self::Rsa { modulus: n, exponent: e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        checked.is_ok()
    }
}

/// A token whose signature nobody has checked yet.
#[derive(Debug)]
pub struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    /// Header and payload as they were signed.
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// Why something is no token, or not one that can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is not three parts in base64url, or its header is not what a header is.
    #[error("it is not a signed token")]
    Malformed,
    /// It is not signed, or in a way that is not accepted here.
    #[error("it is not signed by RS256 or ES256")]
    Algorithm,
    /// The signature is not that of the key which the header names.
    #[error("its signature is wrong")]
    Signature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub fn parse(text: &'a str) -> Result<Self, BadToken> {
        let (signed, signature) = text.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(BadToken::Malformed)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(malformed)?;
        if header.crit.is_some() || payload.contains('.') {
            return Err(BadToken::Malformed);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(BadToken::Algorithm)?;
        let signature = decode(signature)?;
        Ok(Self { algorithm, key_id: header.kid, signed, payload, signature })
    }

    /// How it says that it is signed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its issuer calls the key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What is in it, if it was signed with this key.
    pub fn open(&self, key: &PublicKey) -> Result<Vec<u8>, BadToken> {
        if key.algorithm() != self.algorithm {
            return Err(BadToken::Algorithm);
        }
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(BadToken::Signature);
        }
        decode(self.payload)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, BadToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(malformed)
}

fn malformed<E>(_: E) -> BadToken {
    BadToken::Malformed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::jwks::KeySet;
    use crate::access::signer::{Signer, encode};
    use serde_json::json;

    fn public(signer: &Signer) -> PublicKey {
        let set = json!({"keys": [signer.jwk("k")]}).to_string();
        let text = signer.sign("k", &json!({}));
        let set = KeySet::parse(set.as_bytes()).unwrap();
        set.key_for(&Token::parse(&text).unwrap()).unwrap().clone()
    }

    #[test]
    fn what_was_signed_is_had() {
        for signer in [Signer::rsa(), Signer::ec()] {
            let text = signer.sign("k", &json!({"a": 1}));
            let token = Token::parse(&text).unwrap();
            assert_eq!(token.key_id(), Some("k"));
            assert_eq!(token.open(&public(&signer)).unwrap(), br#"{"a":1}"#);
        }
    }

    #[test]
    fn a_changed_token_is_not_opened() {
        let signer = Signer::rsa();
        let text = signer.sign("k", &json!({"a": 1}));
        let parts: Vec<_> = text.split('.').collect();
        let other = encode(br#"{"a":2}"#);
        let header = encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        for changed in [
            format!("{}.{other}.{}", parts[0], parts[2]),
            format!("{header}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], encode(&[0; 256])),
            format!("{}.{}.", parts[0], parts[1]),
        ] {
            let opened = Token::parse(&changed).unwrap().open(&public(&signer));
            assert_eq!(opened, Err(BadToken::Signature), "{changed}");
        }
    }

    #[test]
    fn a_header_cannot_choose_a_weaker_algorithm() {
        let payload = encode(br#"{"a":1}"#);
        for algorithm in ["none", "None", "HS256", "HS512", "RS512", "PS256", "EdDSA", "rs256", ""]
        {
            let header = encode(json!({"alg": algorithm}).to_string().as_bytes());
            for signature in ["", "AAAA"] {
                let text = format!("{header}.{payload}.{signature}");
                let parsed = Token::parse(&text).map(drop);
                assert_eq!(parsed, Err(BadToken::Algorithm), "{algorithm}");
            }
        }
    }

    #[test]
    fn a_public_key_is_no_shared_secret() {
        // The classic: HMAC with the public key's own bytes as the secret.
        let PublicKey::Rsa { modulus, .. } = public(&Signer::rsa()) else { panic!() };
        let signed = [encode(br#"{"alg":"HS256"}"#), encode(b"{}")].join(".");
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &modulus);
        let tag = ring::hmac::sign(&secret, signed.as_bytes());
        let text = format!("{signed}.{}", encode(tag.as_ref()));
        assert_eq!(Token::parse(&text).map(drop), Err(BadToken::Algorithm));
    }

    #[test]
    fn a_key_is_good_for_its_own_algorithm_only() {
        let text = Signer::rsa().sign_as(&json!({"alg": "ES256"}), &json!({}));
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.open(&public(&Signer::rsa())), Err(BadToken::Algorithm));
        assert_eq!(token.open(&public(&Signer::ec())), Err(BadToken::Signature));
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        let header = encode(br#"{"alg":"RS256"}"#);
        let twice = encode(br#"{"alg":"RS256","alg":"RS256"}"#);
        let critical = encode(br#"{"alg":"RS256","crit":["b64"],"b64":false}"#);
        for text in [
            String::new(),
            "a".into(),
            "a.b".into(),
            "..".into(),
            format!("{header}.e30"),
            format!("{header}.e30.AA.AA"),
            format!("{header}=.e30.AAAA"),
            format!("{header}.e30.A+/A"),
            format!("{header}.e30.AAAA\n"),
            format!("{twice}.e30.AAAA"),
            format!("{critical}.e30.AAAA"),
            format!("{}.e30.AAAA", encode(b"[]")),
            format!("{}.e30.AAAA", encode(br#"{"alg":1}"#)),
            format!("{}.e30.AAAA", encode(br#"{"typ":"JWT"}"#)),
            format!("{}.e30.AAAA", encode(b"\xff")),
        ] {
            assert_eq!(Token::parse(&text).map(drop), Err(BadToken::Malformed), "{text}");
        }
    }

    #[test]
    fn a_payload_is_base64_too() {
        let signer = Signer::rsa();
        let text = signer.seal(&format!("{}.a b", encode(br#"{"alg":"RS256"}"#)));
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.open(&public(&signer)), Err(BadToken::Malformed));
    }
}
