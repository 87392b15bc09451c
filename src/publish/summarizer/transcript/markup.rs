//! Takes out of a caption's line what is not spoken: tags, styles, notes on sounds.

use std::borrow::Cow;

/// The spoken part of a line. A bracket that nothing closes is taken for text.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains(['<', '{', '[', '&', '♪']) {
        return Cow::Borrowed(line);
    }
    let mut spoken = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{', '[', '♪']) {
        spoken.push_str(&rest[..at]);
        rest = &rest[at..];
        let silent = silent_prefix(rest);
        if silent == 0 {
            spoken.push_str(&rest[..1]);
            rest = &rest[1..];
        } else {
            rest = &rest[silent..];
        }
    }
    spoken.push_str(rest);
    // Last, so that text which is only escaped does not become a tag.
    Cow::Owned(html_escape::decode_html_entities(&spoken).into_owned())
}

/// How many bytes at the start of `text` are not spoken; 0 if its bracket is just a character.
fn silent_prefix(text: &str) -> usize {
    let (closing, is_silent): (char, fn(&str) -> bool) = match text.as_bytes()[0] {
        b'<' => ('>', is_tag),
        b'{' => ('}', |inside| inside.starts_with('\\')),
        b'[' => (']', is_sound),
        _ => return '♪'.len_utf8(),
    };
    // Nothing of this nests, so an opening bracket ends the search: it keeps hostile input cheap.
    let inside = &text[1..];
    let opening = char::from(text.as_bytes()[0]);
    match inside.find([opening, closing]) {
        Some(end) if inside[end..].starts_with(closing) && is_silent(&inside[..end]) => end + 2,
        _ => 0,
    }
}

/// `i`, `/i`, `v Roger`, `c.red`, `font color="red"`, and the times inside rolling captions.
fn is_tag(inside: &str) -> bool {
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let timed =
        name.contains(':') && name.bytes().all(|b| b.is_ascii_digit() || b":.".contains(&b));
    timed || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.') || inside == "/"
}

/// `[Applause]`, `[door opens]`, `[ __ ]`: words in brackets, briefly.
fn is_sound(inside: &str) -> bool {
    inside.len() <= 40 && inside.chars().all(|c| c.is_alphabetic() || " _-'♪".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(plain(line), expected, "{line:?}");
    }

    #[test]
    fn tags_are_not_spoken() {
        check("<v Mary Ann>Hi <b>you</b>!", "Hi you!");
        check("<c.yellow.bg_blue>a</c> <lang en-GB>b</lang> <ruby>c<rt>d</rt></ruby>", "a b cd");
        check("so<00:00:01.500><c> then</c>", "so then");
        check(r##"<font color="#00ff00">green</font>"##, "green");
        check(r"{\an8}{\i1}up{\i0}", "up");
    }

    #[test]
    fn sounds_are_not_spoken() {
        check("[Music]", "");
        check("thank you [Applause] so much", "thank you  so much");
        check("♪ la la ♪", " la la ");
        check("see [1] and [2019-05]", "see [1] and [2019-05]");
    }

    #[test]
    fn a_bracket_that_is_text_stays() {
        check("1 < 2 > 0", "1 < 2 > 0");
        check("I <3 you", "I <3 you");
        check("a <b c", "a <b c");
        check("<<i>x", "<x");
        check("{x} [", "{x} [");
    }

    #[test]
    fn entities_are_decoded_once_and_last() {
        check(
            "Q&amp;A &lt;b&gt; &#39;x&#x27; &amp;lt; AT&T &nosuch;",
            "Q&A <b> 'x' &lt; AT&T &nosuch;",
        );
    }
}
