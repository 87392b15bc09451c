//! Signs tokens for tests, by keys that were made for this and open nothing.
//!
//! The unit tests of `access` and the tests of the whole server both include this file, so it knows neither.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// A private key.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Signer {
    /// The RSA key that most tests use.
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("rsa.pk8")).unwrap())
    }

    /// Another RSA key, to which the first one gives way or of which nobody knows.
    pub(crate) fn other_rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("other_rsa.pk8")).unwrap())
    }

    /// A key on the curve P-256.
    pub(crate) fn ec() -> Self {
        let key = include_bytes!("ec.pk8");
        let random = SystemRandom::new();
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    /// A token with these claims, as an issuer makes it.
    pub(crate) fn sign(&self, key_id: &str, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.algorithm(), "kid": key_id, "typ": "JWT"}), claims)
    }

    /// A token with any header.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| encode(part.to_string().as_bytes()));
        self.seal(&parts.join("."))
    }

    /// Adds the signature to anything.
    pub(crate) fn seal(&self, signed: &str) -> String {
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(&signature))
    }

    /// The public key as an issuer publishes it.
    pub(crate) fn jwk(&self, key_id: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({
                    "kty": "RSA", "alg": "RS256", "use": "sig", "kid": key_id,
                    "n": encode(&public.n), "e": encode(&public.e),
                })
            }
            Self::Ec(key) => {
                let point = &key.public_key().as_ref()[1..];
                json!({
                    "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id,
                    "x": encode(&point[..32]), "y": encode(&point[32..]),
                })
            }
        }
    }
}

/// base64url, as everything in a token is written.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
