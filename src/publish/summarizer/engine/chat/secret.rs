//! The key that opens a model's server. It is for that server alone: what others are told of what the server says goes
//! through here.

use std::fmt;

/// So many characters of a secret in a row are known as a piece of it. A shorter secret is known as a whole word only,
/// for it may be a part of any other.
const TELLING_CHARS: usize = 8;
/// What is JSON in JSON is unescaped so often.
const MAX_NESTED: usize = 3;

/// What stands where the secret was.
const HIDDEN: &str = "***";

/// A secret that is not printed by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What somebody has said who knows the secret, without it: be it whole or cut, masked in part, or escaped as in
    /// JSON.
    pub fn hidden_in(&self, said: &str) -> String {
        let mut hidden = self.without(said);
        let mut plain = hidden.clone();
        for _ in 0..MAX_NESTED {
            if !plain.contains('\\') {
                break;
            }
            plain = unescaped(&plain);
            let without = self.without(&plain);
            if without != plain {
                hidden.clone_from(&without);
                plain = without;
            }
        }
        hidden
    }

    fn without(&self, said: &str) -> String {
        let mut hidden = String::new();
        let mut rest = said;
        while let Some(next) = rest.chars().next() {
            let before = said[..said.len() - rest.len()].chars().next_back();
            let known = self.known_at(before, rest);
            if known == 0 {
                hidden.push(next);
                rest = &rest[next.len_utf8()..];
            } else {
                hidden.push_str(HIDDEN);
                // Behind a piece may be stars, and then the end.
                rest = rest[known..].trim_start_matches(is_of_a_key);
            }
        }
        hidden
    }

    /// How many bytes of the secret, or of a piece of it, a text begins with.
    fn known_at(&self, before: Option<char>, text: &str) -> usize {
        let secret = self.0.as_str();
        if secret.chars().count() < TELLING_CHARS {
            let is_known = !secret.is_empty() && text.starts_with(secret);
            let after = is_known.then(|| text[secret.len()..].chars().next()).flatten();
            let is_word = !before.is_some_and(is_of_a_key) && !after.is_some_and(is_of_a_key);
            return if is_known && is_word { secret.len() } else { 0 };
        }
        let piece = |from: usize| {
            let pairs = secret[from..].chars().zip(text.chars());
            let same = pairs.take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8());
            same.fold((0, 0), |(chars, bytes), length| (chars + 1, bytes + length))
        };
        let pieces = secret.char_indices().map(|(from, _)| piece(from));
        let telling = pieces.filter(|(chars, _)| *chars >= TELLING_CHARS);
        telling.map(|(_, bytes)| bytes).max().unwrap_or(0)
    }
}

/// What keys are made of, and the stars and slashes that are put into them.
fn is_of_a_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '*' | '+' | '/' | '=' | '\\')
}

/// A text as it was before it was escaped for JSON.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let number = after.strip_prefix('u').and_then(|after| after.get(..4));
        let code = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        rest = if let Some(c) = code.and_then(char::from_u32) {
            plain.push(c);
            &after[5..]
        } else {
            after
        };
        // What follows stands for itself; another backslash too.
        if code.is_none()
            && let Some(next) = rest.chars().next()
        {
            plain.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    plain + rest
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { HIDDEN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &str, said: &str, expected: &str) {
        assert_eq!(Secret::new(secret).hidden_in(said), expected, "{secret} in {said}");
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let key = "sk-proj-0123456789abcdef";
        check(key, &format!("Wrong key: {key}. See “{key}”."), "Wrong key: ***. See “***”.");
        check(key, "Wrong key.", "Wrong key.");
        check("", "Wrong key.", "Wrong key.");
        check(key, "", "");
        check("schlüssel-ß", "ü schlüssel-ß ü", "ü *** ü");
    }

    #[test]
    fn a_piece_of_it_is_hidden_too() {
        let key = "sk-proj-0123456789abcdef";
        check(key, "key sk-proj-0123", "key ***");
        check(key, "key …23456789abcdef, wrong", "key …***, wrong");
        check(key, "key sk-proj-********cdef.", "key ***.");
        check(key, "key 0123456 of sk-proj", "key 0123456 of sk-proj");
    }

    #[test]
    fn it_is_hidden_where_it_is_escaped() {
        check("ab/cd+ef/gh=", r#"{"detail":"no ab\/cd+ef\/gh="}"#, r#"{"detail":"no ***"}"#);
        check("ab/cd+ef/gh=", r"no ab/cd\u002bef/gh\u003D", "no ***");
        check(r#"ab"cd"ef"gh"#, r#"no ab\\\"cd\\\"ef\\\"gh"#, "no ***");
        check("ab/cd+ef/gh=", r"C:\temp \u00zz \ud800 \", r"C:\temp \u00zz \ud800 \");
    }

    #[test]
    fn a_short_one_is_hidden_where_it_is_a_word() {
        check("none", "none, nonetheless \"none\"", "***, nonetheless \"***\"");
        check("x", "Text x=x", "Text x=x");
        check("ollama", "Bearer ollama", "Bearer ***");
    }
}
