//! Signed tokens and sets of keys: whatever a stranger sends, it is not believed.
//!
//! Promises: no panic; of all texts, only the one token that the key has signed is opened.

use std::sync::OnceLock;

use tidings::access::jwks::KeySet;
use tidings::access::jws::Token;

/// The key and the token of RFC 7515, appendix A.2.
const KEYS: &str = r#"{"keys": [{"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;

const SIGNED: &str = include_str!("../corpus/token/signed");

/// Takes the bytes as a token, and as a set of keys.
pub fn check(data: &[u8]) {
    let set = KeySet::parse(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::parse(text) else { return };
    if let Some(key) = keys().key_for(&token) {
        assert_eq!(token.open(key).is_ok(), text == SIGNED, "{text}");
    }
    assert!(set.is_err(), "a token is no set of keys");
}

fn keys() -> &'static KeySet {
    static SET: OnceLock<KeySet> = OnceLock::new();
    SET.get_or_init(|| KeySet::parse(KEYS.as_bytes()).expect("a set of keys"))
}
