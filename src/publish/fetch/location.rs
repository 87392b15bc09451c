//! Addresses of documents: what people paste, and what redirects say.

use http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::FetchError;

/// What people leave unescaped in addresses and `http` refuses. A percent sign is taken for an escape.
const UNSAFE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|');

/// Reads an address.
pub(super) fn parse(text: &str) -> Result<Uri, FetchError> {
    let no_address = || FetchError::NoAddress(excerpt(text));
    let trimmed = text.trim().split('#').next().unwrap_or_default();
    let escaped = utf8_percent_encode(trimmed, UNSAFE).to_string();
    let uri: Uri = escaped.parse().map_err(|_| no_address())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|_| is_web).ok_or_else(no_address)?;
    if authority.as_str().contains('@') {
        return Err(FetchError::Credentials);
    }
    // `http` takes an authority without a host, such as `:80`.
    if authority.host().is_empty() { Err(no_address()) } else { Ok(uri) }
}

/// Where a redirect from `base` leads: RFC 3986, section 5.2, as far as `http` addresses need it.
pub(super) fn join(base: &Uri, reference: &str) -> Result<Uri, FetchError> {
    let reference = reference.trim();
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let root = format!("{scheme}://{authority}");
    let absolute = if has_scheme(reference) {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{root}{}", without_dots(reference))
    } else if reference.starts_with(['?', '#']) || reference.is_empty() {
        format!("{root}{}{reference}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{root}{}", without_dots(&format!("{folder}/{reference}")))
    };
    parse(&absolute)
}

fn has_scheme(reference: &str) -> bool {
    let (head, _) = reference.split_once(':').unwrap_or_default();
    head.starts_with(|c: char| c.is_ascii_alphabetic())
        && head.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// `/a/b/../c` is `/a/c`.
fn without_dots(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if segments.peek().is_none() {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}{rest}", kept.join("/"))
}

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_is_escaped() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        };
        check(" https://a.example/x.pdf ", "https://a.example/x.pdf");
        check("https://a.example/x.pdf#page=2", "https://a.example/x.pdf");
        check(
            "http://a.example/Lebenslauf Jörg.pdf",
            "http://a.example/Lebenslauf%20J%C3%B6rg.pdf",
        );
        check("http://a.example/a%20b?c=d", "http://a.example/a%20b?c=d");
        check("http://[::1]:80/x", "http://[::1]:80/x");
    }

    #[test]
    fn other_kinds_of_addresses_are_refused() {
        for text in
            ["", "x.pdf", "/etc/passwd", "file:///etc/passwd", "ftp://a/x", "gopher://a:70/"]
        {
            assert!(matches!(parse(text), Err(FetchError::NoAddress(_))), "{text}");
        }
        for text in ["http://", "http:///x", "http://:80/x", "data:text/plain,x", "//a/x"] {
            assert!(matches!(parse(text), Err(FetchError::NoAddress(_))), "{text}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused() {
        for text in ["http://u:p@a/x", "http://u@a/", "https://example.com@127.0.0.1/"] {
            assert!(matches!(parse(text), Err(FetchError::Credentials)), "{text}");
        }
    }

    #[test]
    fn redirects_are_followed_as_the_standard_says() {
        let base = parse("http://a.example/b/c/d;p?q").unwrap();
        let check = |reference: &str, expected: &str| {
            assert_eq!(join(&base, reference).unwrap().to_string(), expected, "{reference}");
        };
        check("g", "http://a.example/b/c/g");
        check("./g", "http://a.example/b/c/g");
        check("g/", "http://a.example/b/c/g/");
        check("/g", "http://a.example/g");
        check("//g/h", "http://g/h");
        check("?y", "http://a.example/b/c/d;p?y");
        check("g?y=../z", "http://a.example/b/c/g?y=../z");
        check(".", "http://a.example/b/c/");
        check("..", "http://a.example/b/");
        check("../g", "http://a.example/b/g");
        check("../../../g", "http://a.example/g");
        check("https://h/i", "https://h/i");
        check("a b", "http://a.example/b/c/a%20b");
        assert!(join(&base, "file:///etc/passwd").is_err());
        assert!(join(&base, "javascript:alert(1)").is_err());
    }
}
