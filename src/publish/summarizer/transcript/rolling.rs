//! Rolling captions: automatic captions show each line twice or more, once when it is spoken and
//! again above the next one. Read as they stand, every sentence would be there twice.

use super::Caption;

/// On screen at once; a longer repeat is not the rolling of captions.
const MAX_SHOWN_LINES: usize = 4;

/// Leaves each line only in the caption that first shows it, if the captions do roll. A speaker who
/// says something twice now and then is no sign of that: a third of the captions must repeat.
/// Captions without words are dropped, before and after.
pub(super) fn unroll(captions: &mut Vec<Caption>) {
    captions.retain(|caption| !caption.lines.is_empty());
    let repeating =
        captions.windows(2).filter(|pair| repeats(&pair[0].lines, &pair[1].lines)).count();
    if repeating * 3 < captions.len() {
        return;
    }
    let mut shown: Vec<String> = Vec::new();
    for caption in &mut *captions {
        let lines = std::mem::take(&mut caption.lines);
        caption.lines = new_lines(&shown, &lines);
        shown = lines;
    }
    captions.retain(|caption| !caption.lines.is_empty());
}

fn repeats(before: &[String], lines: &[String]) -> bool {
    match (before.last(), lines.first()) {
        (Some(_), Some(first)) => overlap(before, lines) > 0 || grown(before, first).is_some(),
        _ => false,
    }
}

/// What of `lines` was not on screen before.
fn new_lines(before: &[String], lines: &[String]) -> Vec<String> {
    let mut new = lines[overlap(before, lines)..].to_vec();
    if new.len() == lines.len()
        && let Some(first) = new.first_mut()
        && let Some(added) = grown(before, first)
    {
        *first = added.to_owned();
    }
    new
}

/// How many of the last lines before are the first lines now.
fn overlap(before: &[String], lines: &[String]) -> usize {
    let most = before.len().min(lines.len()).min(MAX_SHOWN_LINES);
    (1..=most).rev().find(|&n| before[before.len() - n..] == lines[..n]).unwrap_or(0)
}

/// Live captions also show a line while it grows: the part of `line` that is new.
fn grown<'a>(before: &[String], line: &'a str) -> Option<&'a str> {
    line.strip_prefix(before.last()?.as_str())?.strip_prefix(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captions are parted by `|`, their lines by `/`.
    fn check(shown: &str, expected: &str) {
        let lines = |caption: &str| {
            caption.split('/').filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        let mut captions: Vec<_> = shown
            .split('|')
            .map(|caption| Caption { lines: lines(caption), ..Caption::default() })
            .collect();
        unroll(&mut captions);
        let left: Vec<_> = captions.iter().map(|caption| caption.lines.join("/")).collect();
        assert_eq!(left.join("|"), expected);
    }

    #[test]
    fn each_line_stays_where_it_was_first_shown() {
        check("a|a/b|b/c|c/d", "a|b|c|d");
        check("a|a|a/b|b|b/c", "a|b|c");
        check("a/b|a/b/c|b/c/d", "a/b|c|d");
    }

    #[test]
    fn a_growing_line_counts_once() {
        check("we|we the|we the people|of", "we|the|people|of");
    }

    #[test]
    fn a_speaker_may_say_something_twice() {
        check("yes|yes|no|I see|well|and so|it was", "yes|yes|no|I see|well|and so|it was");
    }

    #[test]
    fn empty_captions_do_not_hide_a_repeat() {
        check("a||a/b||b/c|c/d|d/e", "a|b|c|d|e");
    }
}
