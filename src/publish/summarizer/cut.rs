//! Texts that are too long to be kept or shown whole.

/// A text, or so many characters of it and a mark that there is more.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_in_characters() {
        for (text, expected) in [("äöü", "äöü"), ("äöüß", "äöü…"), ("", "")] {
            assert_eq!(cut(text, 3), expected);
        }
    }
}
