//! Who calls, by the token of an OpenID Connect issuer such as Google: `Authorization: Bearer …`.
//!
//! A token is believed if the issuer has signed it, it is meant for us, and it is its time. Who is then
//! known may still not be the one who is let in.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::jws::{BadToken, Token};
use super::keys::{KeySource, Keys, NoKey};
use crate::clock::Clock;

/// What must stand in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Who may have issued it: one of these, letter by letter.
    pub issuers: Vec<String>,
    /// Whom it is meant for.
    pub audience: String,
    /// The one who is let in, by a verified address; empty: everyone whom the issuer knows.
    pub email: String,
    /// Where the issuer publishes its keys.
    pub keys: KeySource,
}

impl Default for Expected {
    /// A token of Google's, for nobody yet.
    fn default() -> Self {
        Self {
            // Google's tokens have been seen with either.
            issuers: vec!["https://accounts.google.com".into(), "accounts.google.com".into()],
            audience: String::new(),
            email: String::new(),
            keys: KeySource::Url("https://www.googleapis.com/oauth2/v3/certs".into()),
        }
    }
}

/// Knows callers by their tokens.
#[derive(Debug)]
pub struct Oidc {
    expected: Expected,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the issuer calls it.
    pub subject: String,
    /// Its address, if the issuer has verified it.
    pub email: Option<String>,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody knows who it is; with another token it may be known.
    #[error("{0}")]
    Unknown(#[from] Unknown),
    /// It is known who it is, and it may not.
    #[error("the token is good, but not of the service account that is let in")]
    Forbidden,
    /// The issuer's keys cannot be had; with the same token it may be known after this time.
    #[error("the keys to check tokens with cannot be had now")]
    ForNow(Duration),
}

/// Why nobody knows who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// There is no token, or not as `Bearer`.
    #[error("a token is needed: `Authorization: Bearer …`")]
    NoToken,
    /// It is no token, or its signature is not good.
    #[error("the token is no good: {0}")]
    Bad(#[from] BadToken),
    /// It names a key that its issuer does not have.
    #[error("the token is signed with a key that its issuer does not publish")]
    Key,
    /// What is in it is not what a token of OpenID Connect has.
    #[error("the token has no claims, or not of the right types")]
    Claims,
    /// Somebody else issued it.
    #[error("the token is from another issuer")]
    Issuer,
    /// It was issued for calling somebody else.
    #[error("the token is meant for another audience")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not good yet")]
    TooEarly,
}

impl Refused {
    /// The reason in a word, for the figures.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Forbidden => "forbidden",
            Self::ForNow(_) => "no_keys",
        }
    }
}

/// How far the issuer's clock may be from ours.
const LEEWAY_SECONDS: f64 = 60.0;

/// What a token says. A claim of another type than it should have is an error and never passed over: a
/// time that cannot be read is not a time that has not come.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    email: Option<String>,
    email_verified: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Oidc {
    /// Lets in whose token says what is expected.
    pub fn new(expected: Expected, clock: Arc<dyn Clock>) -> Self {
        let keys = Keys::new(expected.keys.clone(), clock.clone());
        Self { expected, keys, clock }
    }

    /// Looks at the header `Authorization`.
    pub fn check(&self, authorization: Option<&str>) -> Result<Caller, Refused> {
        let text = authorization.and_then(bearer).ok_or(Unknown::NoToken)?;
        let token = Token::parse(text).map_err(Unknown::Bad)?;
        let key = self.keys.key_for(&token).map_err(|none| match none {
            NoKey::Unknown => Unknown::Key.into(),
            NoKey::ForNow(wait) => Refused::ForNow(wait),
        })?;
        let payload = token.open(&key).map_err(Unknown::Bad)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Unknown::Claims)?;
        self.believe(&claims)?;
        self.admit(claims)
    }

    /// Whether a token that its issuer signed is one for us, and now.
    fn believe(&self, claims: &Claims) -> Result<(), Unknown> {
        if !self.expected.issuers.contains(&claims.iss) {
            return Err(Unknown::Issuer);
        }
        let is_for_us = match &claims.aud {
            Audience::One(audience) => *audience == self.expected.audience,
            Audience::Many(audiences) => audiences.contains(&self.expected.audience),
        };
        if !is_for_us || self.expected.audience.is_empty() {
            return Err(Unknown::Audience);
        }
        let now = self.clock.unix_ms() as f64 / 1000.0;
        if now >= claims.exp + LEEWAY_SECONDS {
            return Err(Unknown::Expired);
        }
        let begins = claims.nbf.into_iter().chain(claims.iat).fold(f64::MIN, f64::max);
        if now < begins - LEEWAY_SECONDS { Err(Unknown::TooEarly) } else { Ok(()) }
    }

    fn admit(&self, claims: Claims) -> Result<Caller, Refused> {
        let email = claims.email.filter(|_| claims.email_verified == Some(true));
        let wanted = &self.expected.email;
        if wanted.is_empty() || email.as_ref() == Some(wanted) {
            Ok(Caller { subject: claims.sub, email })
        } else {
            Err(Refused::Forbidden)
        }
    }
}

/// The token of a header `Bearer <token>`; the scheme is in any case (RFC 9110).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::signer::Signer;
    use crate::clock::ManualClock;
    use serde_json::{Value, json};

    const NOW: u64 = 1_700_000_000;
    const US: &str = "https://tidings.example.com/pubsub/push";
    const PUSHER: &str = "pusher@my-project.iam.gserviceaccount.com";

    /// What Google puts into a token for a push.
    fn claims() -> Value {
        json!({
            "aud": US,
            "azp": "113774264463038321964",
            "email": PUSHER,
            "email_verified": true,
            "exp": NOW + 3_000,
            "iat": NOW - 600,
            "iss": "https://accounts.google.com",
            "sub": "113774264463038321964",
        })
    }

    fn with(member: &str, value: impl Into<Value>) -> Value {
        let mut claims = claims();
        claims[member] = value.into();
        claims
    }

    fn without(member: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(member);
        claims
    }

    /// Lets in the pusher, by keys in a file.
    fn oidc(email: &str) -> Oidc {
        let file = tempfile::NamedTempFile::new().unwrap();
        let set = json!({"keys": [Signer::rsa().jwk("a"), Signer::ec().jwk("c")]});
        std::fs::write(file.path(), set.to_string()).unwrap();
        let expected = Expected {
            audience: US.into(),
            email: email.into(),
            keys: KeySource::File(file.path().into()),
            ..Expected::default()
        };
        let oidc = Oidc::new(expected, Arc::new(ManualClock::at(NOW * 1000)));
        // The file is read once and is then gone.
        let text = Signer::rsa().sign("a", &json!({}));
        assert!(oidc.keys.key_for(&Token::parse(&text).unwrap()).is_ok());
        oidc
    }

    fn check(claims: &Value, expected: Result<(), Refused>) {
        let token = Signer::rsa().sign("a", claims);
        let seen = oidc(PUSHER).check(Some(&format!("Bearer {token}")));
        assert_eq!(seen.map(drop), expected, "{claims}");
    }

    fn refused(unknown: Unknown) -> Result<(), Refused> {
        Err(unknown.into())
    }

    #[test]
    fn a_good_token_says_who_calls() {
        for (signer, key) in [(Signer::rsa(), "a"), (Signer::ec(), "c")] {
            let header = format!("bearer  {}", signer.sign(key, &claims()));
            let caller = oidc(PUSHER).check(Some(&header)).unwrap();
            assert_eq!(caller.subject, "113774264463038321964");
            assert_eq!(caller.email.as_deref(), Some(PUSHER));
        }
        check(&with("iss", "accounts.google.com"), Ok(()));
        check(&with("aud", json!(["other", US])), Ok(()));
    }

    #[test]
    fn a_token_is_from_the_issuer_and_for_us() {
        check(&with("iss", "https://accounts.google.com.example.com"), refused(Unknown::Issuer));
        check(&with("iss", "https://accounts.google.com/"), refused(Unknown::Issuer));
        check(&with("aud", "https://tidings.example.com"), refused(Unknown::Audience));
        check(&with("aud", json!([])), refused(Unknown::Audience));
    }

    #[test]
    fn nobody_is_for_an_audience_that_was_never_set() {
        let mut oidc = oidc("");
        oidc.expected.audience.clear();
        let token = Signer::rsa().sign("a", &with("aud", ""));
        let seen = oidc.check(Some(&format!("Bearer {token}"))).map(drop);
        assert_eq!(seen, refused(Unknown::Audience));
    }

    #[test]
    fn a_token_has_its_time_by_our_clock_more_or_less() {
        check(&with("exp", NOW - 59), Ok(()));
        check(&with("exp", NOW - 60), refused(Unknown::Expired));
        check(&with("exp", 0), refused(Unknown::Expired));
        check(&with("exp", -1), refused(Unknown::Expired));
        check(&with("exp", NOW as f64 + 0.5), Ok(()));
        check(&with("nbf", NOW + 60), Ok(()));
        check(&with("nbf", NOW + 61), refused(Unknown::TooEarly));
        check(&with("iat", NOW + 61), refused(Unknown::TooEarly));
    }

    #[test]
    fn a_claim_that_cannot_be_read_is_not_passed_over() {
        for claim in ["iss", "sub", "aud", "exp"] {
            check(&without(claim), refused(Unknown::Claims));
        }
        for claim in ["nbf", "iat", "exp"] {
            check(&with(claim, (NOW + 3_000).to_string()), refused(Unknown::Claims));
        }
        check(&with("aud", json!({"0": US})), refused(Unknown::Claims));
        check(&with("email_verified", "true"), refused(Unknown::Claims));
        check(&json!([]), refused(Unknown::Claims));
    }

    #[test]
    fn only_the_service_account_is_let_in() {
        check(&with("email", "other@my-project.iam.gserviceaccount.com"), Err(Refused::Forbidden));
        check(&with("email_verified", false), Err(Refused::Forbidden));
        check(&without("email_verified"), Err(Refused::Forbidden));
        check(&without("email"), Err(Refused::Forbidden));
    }

    #[test]
    fn everyone_is_let_in_where_no_account_is_named() {
        let token = Signer::rsa().sign("a", &with("email_verified", false));
        let caller = oidc("").check(Some(&format!("Bearer {token}"))).unwrap();
        assert_eq!(caller.email, None, "not verified");
    }

    #[test]
    fn who_has_no_good_token_is_unknown() {
        let oidc = oidc(PUSHER);
        let check = |header: Option<&str>, expected: Unknown| {
            assert_eq!(oidc.check(header).map(drop), refused(expected), "{header:?}");
        };
        let good = Signer::rsa().sign("a", &claims());
        check(None, Unknown::NoToken);
        check(Some(""), Unknown::NoToken);
        check(Some("Bearer"), Unknown::NoToken);
        check(Some(&good), Unknown::NoToken);
        check(Some(&format!("Basic {good}")), Unknown::NoToken);
        check(Some("Bearer "), BadToken::Malformed.into());
        check(Some(&format!("Bearer {good} {good}")), BadToken::Malformed.into());
        let forged = Signer::other_rsa().sign("a", &claims());
        check(Some(&format!("Bearer {forged}")), BadToken::Signature.into());
        let stranger = Signer::other_rsa().sign("b", &claims());
        check(Some(&format!("Bearer {stranger}")), Unknown::Key);
    }
}
