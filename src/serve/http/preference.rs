//! What a client prefers: lists with weights (RFC 9110, sections 5.6.1 and 12.4.2).
//!
//! Clients write these lists in many ways, and a wrong one is no danger: an element that cannot be
//! understood is skipped.

use http::HeaderValue;

/// Splits a list at its separators, but not inside quotes; trims, and leaves out what is empty.
pub fn elements(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let ends_here = move |c: char| {
        let after_backslash = std::mem::take(&mut escaped);
        match c {
            _ if after_backslash => false,
            '"' => {
                quoted = !quoted;
                false
            }
            '\\' if quoted => {
                escaped = true;
                false
            }
            _ => c == separator && !quoted,
        }
    };
    text.split(ends_here).map(str::trim).filter(|element| !element.is_empty())
}

/// One element of such a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// What is preferred: a media range, an encoding.
    pub value: &'a str,
    /// How much, in thousandths; 0 rules it out.
    pub weight: u16,
}

impl<'a> Choice<'a> {
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = elements(element, ';');
        let value = parts.next()?;
        let mut weight = 1000;
        for parameter in parts {
            if let Some(text) = weight_parameter(parameter) {
                weight = thousandths(text)?;
            }
        }
        Some(Self { value, weight })
    }
}

/// All choices of all lines of a header.
pub fn choices<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = Choice<'a>> {
    let lines = lines.into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| elements(line, ',')).filter_map(Choice::parse)
}

/// Whether a media type is welcome: the closest range that names it decides. Without any valid
/// range everything is.
pub fn accepts<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, media_type: &str) -> bool {
    let mut said_anything = false;
    let mut best = (0, 0);
    for choice in choices(lines).filter(|choice| is_range(choice.value)) {
        said_anything = true;
        best = best.max((closeness(choice.value, media_type), choice.weight));
    }
    !said_anything || (best.0 > 0 && best.1 > 0)
}

/// Java's old client says `*` for `*/*`.
fn is_range(text: &str) -> bool {
    text == "*" || text.contains('/')
}

/// 3 for the type itself, 2 for its family, 1 for everything, 0 for something else.
fn closeness(range: &str, media_type: &str) -> u8 {
    let family = |text: &str| text.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if range.eq_ignore_ascii_case(media_type) {
        3
    } else if range.ends_with("/*") && range != "*/*" && family(range) == family(media_type) {
        2
    } else {
        u8::from(range == "*/*" || range == "*")
    }
}

fn weight_parameter(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
}

/// `0`, `1`, and up to three digits after a point; some clients leave out the zero before it.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "" | "0" => Some(fraction),
        "1" => (fraction == 0).then_some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_elements(text: &str, expected: &[&str]) {
        assert_eq!(elements(text, ',').collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn lists_are_split_outside_of_quotes() {
        check_elements("", &[]);
        check_elements(" , ,, ", &[]);
        check_elements("a, b ,c", &["a", "b", "c"]);
        check_elements(r#""a,b", c"#, &[r#""a,b""#, "c"]);
        check_elements(r#""a\",b", c"#, &[r#""a\",b""#, "c"]);
        check_elements(r"a\, b", &[r"a\", "b"]);
        check_elements(r#""never closed, b"#, &[r#""never closed, b"#]);
    }

    fn check_accepts(accept: &[&'static str], expected: bool) {
        let lines: Vec<_> = accept.iter().map(|line| HeaderValue::from_static(line)).collect();
        assert_eq!(accepts(&lines, "text/event-stream"), expected, "{accept:?}");
    }

    #[test]
    fn a_media_type_is_welcome_unless_it_is_ruled_out() {
        check_accepts(&[], true);
        check_accepts(&[""], true);
        check_accepts(&["text/event-stream"], true);
        check_accepts(&["Text/Event-Stream; charset=utf-8"], true);
        check_accepts(&["text/*"], true);
        check_accepts(&["*/*"], true);
        check_accepts(&["text/html, image/gif, *; q=.2, */*; q=.2"], true);
        check_accepts(&["text/html", "text/event-stream;q=0.001"], true);
        check_accepts(&["text/html"], false);
        check_accepts(&["application/*"], false);
        check_accepts(&["text/html, application/json"], false);
        check_accepts(&["text/event-stream;q=0"], false);
        check_accepts(&["text/event-stream; Q = 0.000"], false);
    }

    #[test]
    fn the_closest_range_decides() {
        check_accepts(&["*/*, text/event-stream;q=0"], false);
        check_accepts(&["text/*;q=0, */*"], false);
        check_accepts(&["text/*;q=0, text/event-stream;q=0.1"], true);
        check_accepts(&["*/*;q=0, text/*"], true);
    }

    #[test]
    fn what_makes_no_sense_is_skipped() {
        check_accepts(&["text/event-stream;q=2"], true);
        check_accepts(&["text/event-stream;q=-1, text/html"], false);
        check_accepts(&["text/html, text/event-stream;q=0.0001"], false);
        check_accepts(&["text/html, text/event-stream;x=\"a,b\";q=1.000"], true);
        check_accepts(&[";;,;q=1"], true);
    }
}
