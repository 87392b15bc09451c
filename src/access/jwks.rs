//! Key sets: the JSON documents (RFC 7517) in which an issuer publishes its public keys.
//!
//! A set may hold keys of kinds that are of no use here, today or once the issuer adds one. They are left
//! out; what is left of the set stays good.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::jws::{Algorithm, PublicKey, Token};

/// The keys of one issuer at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: Option<String>,
    key: PublicKey,
}

/// Why a document is no use.
#[derive(Debug, thiserror::Error)]
pub enum BadKeySet {
    /// It is not JSON, or has no list `keys`.
    #[error("it is no set of keys: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Nothing in it checks a signature of ours.
    #[error("it has no RSA key and no key on the curve P-256 that is meant for signatures")]
    Empty,
}

#[derive(Deserialize)]
struct Document<'a> {
    /// Read one by one: a key that is not like ours is no mistake of the set.
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// A key as it is written; members that are not for us are passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a document.
    pub fn parse(json: &[u8]) -> Result<Self, BadKeySet> {
        let Document { keys } = serde_json::from_slice(json)?;
        let entries: Vec<_> = keys.into_iter().filter_map(|key| entry(key.get())).collect();
        if entries.is_empty() { Err(BadKeySet::Empty) } else { Ok(Self(entries)) }
    }

    /// The key that a token says it is signed with. A token that names none is signed with the only one
    /// there is for its algorithm, or with none.
    pub fn key_for(&self, token: &Token<'_>) -> Option<&PublicKey> {
        let mut good = self.0.iter().filter(|entry| entry.key.algorithm() == token.algorithm());
        if token.key_id().is_some() {
            return good
                .find(|entry| entry.id.as_deref() == token.key_id())
                .map(|entry| &entry.key);
        }
        let only = good.next()?;
        good.next().is_none().then_some(&only.key)
    }
}

fn entry(json: &str) -> Option<Entry> {
    let jwk: Jwk = serde_json::from_str(json).ok()?;
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let key = match jwk.kty.as_str() {
        "RSA" => PublicKey::Rsa { modulus: number(jwk.n)?, exponent: number(jwk.e)? },
        "EC" if jwk.crv.as_deref() == Some("P-256") => {
            let [x, y] = [coordinate(jwk.x)?, coordinate(jwk.y)?];
            // How an uncompressed point begins.
            PublicKey::P256([&[4], &x[..], &y[..]].concat())
        }
        _ => return None,
    };
    // What is meant for another algorithm is not used for ours, though the numbers would do.
    let is_ours = |name: String| Algorithm::named(&name) == Some(key.algorithm());
    jwk.alg.is_none_or(is_ours).then_some(Entry { id: jwk.kid, key })
}

fn number(text: Option<String>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    (zeros < bytes.len()).then(|| bytes[zeros..].to_vec())
}

fn coordinate(text: Option<String>) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text?).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::signer::{Signer, encode};
    use serde_json::{Value, json};

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    /// Checks whether the set opens a token by this signer that names this key, or none.
    fn check(set: &KeySet, signer: &Signer, key_id: Option<&str>, expected: bool) {
        let claims = json!({"a": 1});
        let algorithm = if matches!(signer, Signer::Ec(_)) { "ES256" } else { "RS256" };
        let anonymous = || signer.sign_as(&json!({"alg": algorithm}), &claims);
        let text = key_id.map_or_else(anonymous, |key_id| signer.sign(key_id, &claims));
        let token = Token::parse(&text).unwrap();
        let opened = set.key_for(&token).is_some_and(|key| token.open(key).is_ok());
        assert_eq!(opened, expected, "{key_id:?} of {set:?}");
    }

    #[test]
    fn a_token_names_its_key() {
        let (rsa, other, ec) = (Signer::rsa(), Signer::other_rsa(), Signer::ec());
        let set = set(&[rsa.jwk("a"), other.jwk("b"), ec.jwk("c")]);
        check(&set, &rsa, Some("a"), true);
        check(&set, &other, Some("b"), true);
        check(&set, &ec, Some("c"), true);
        check(&set, &rsa, Some("b"), false);
        check(&set, &rsa, Some("c"), false);
        check(&set, &rsa, Some("d"), false);
    }

    #[test]
    fn a_token_that_names_no_key_has_the_only_one_of_its_kind() {
        let (rsa, other, ec) = (Signer::rsa(), Signer::other_rsa(), Signer::ec());
        let one_of_each = set(&[rsa.jwk("a"), ec.jwk("c")]);
        check(&one_of_each, &rsa, None, true);
        check(&one_of_each, &ec, None, true);
        check(&one_of_each, &other, None, false);
        check(&set(&[rsa.jwk("a"), other.jwk("b")]), &rsa, None, false);
    }

    #[test]
    fn keys_that_are_of_no_use_are_left_out() {
        let rsa = Signer::rsa();
        let with = |member: &str, value: &str| {
            let mut jwk = rsa.jwk("a");
            jwk[member] = value.into();
            jwk
        };
        let mut bad = vec![
            json!(7),
            json!({}),
            json!({"kty": "oct", "k": "AAAA", "kid": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
            json!({"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
            with("use", "enc"),
            with("alg", "RS512"),
            with("alg", "ES256"),
            with("n", ""),
            with("n", "AAAA"),
            with("n", "??"),
            with("e", "AA"),
        ];
        for jwk in &bad {
            let parsed = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes());
            assert!(matches!(parsed, Err(BadKeySet::Empty)), "{jwk}");
        }
        bad.push(rsa.jwk("good"));
        check(&set(&bad), &rsa, Some("good"), true);
    }

    #[test]
    fn a_number_may_have_leading_zeros() {
        let rsa = Signer::rsa();
        let mut jwk = rsa.jwk("a");
        jwk["e"] = encode(&[0, 0, 1, 0, 1]).into();
        check(&set(&[jwk]), &rsa, Some("a"), true);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "{}", "[]", "{\"keys\": {}}", "<html>", "{\"keys\": []} x"] {
            assert!(
                matches!(KeySet::parse(text.as_bytes()), Err(BadKeySet::Malformed(_))),
                "{text}"
            );
        }
        assert!(matches!(KeySet::parse(b"{\"keys\": []}"), Err(BadKeySet::Empty)));
    }

    #[test]
    fn short_rsa_keys_sign_nothing() {
        // 512 bits: whoever likes can find the private key.
        let jwk = json!({"kty": "RSA", "n": encode(&[0xc1; 64]), "e": "AQAB", "kid": "a"});
        let text = Signer::rsa().sign("a", &json!({}));
        let token = Token::parse(&text).unwrap();
        let set = set(&[jwk]);
        assert!(token.open(set.key_for(&token).unwrap()).is_err());
    }

    #[test]
    fn the_examples_of_the_standard_are_opened() {
        // RFC 7515, appendices A.2 and A.3.
        let keys = [
            json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W2\
                6mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZ\
                o9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZl\
                xvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWy\
                uXpoQ"}),
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
        ];
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y\
            b290Ijp0cnVlfQ";
        let signed = [
            (
                "eyJhbGciOiJSUzI1NiJ9",
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm\
                4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xB\
                ArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1p\
                hCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                "eyJhbGciOiJFUzI1NiJ9",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxf\
                KTUJqPP3-Kg6NU1Q",
            ),
        ];
        let set = set(&keys);
        for (header, signature) in signed {
            let text = format!("{header}.{payload}.{signature}");
            let token = Token::parse(&text).unwrap();
            let opened = token.open(set.key_for(&token).unwrap()).unwrap();
            assert!(opened.starts_with(b"{\"iss\":\"joe\","));
        }
    }
}
