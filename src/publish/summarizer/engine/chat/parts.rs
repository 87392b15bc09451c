//! How much of a talk fits into one question.
//!
//! Tokens are guessed, not counted: each model has its own way of cutting words, and a guess that is rather too
//! high costs a question more, while the model itself says when one is too low.

use std::time::Duration;

/// A sentence with its number, as a model is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered<'a> {
    pub number: usize,
    pub text: &'a str,
    pub start: Option<Duration>,
}

impl<'a> Numbered<'a> {
    pub fn new(number: usize, text: &'a str, start: Option<Duration>) -> Self {
        Self { number, text, start }
    }

    /// Tokens of its line, its number included.
    fn tokens(&self) -> usize {
        tokens(self.text) + 6
    }
}

/// About how many tokens a text has, rather too many.
///
/// Of English, common models make about a token of four letters; of what is not ASCII, one or two of a letter.
pub(super) fn tokens(text: &str) -> usize {
    let (mut ascii, mut other) = (0, 0);
    for c in text.chars() {
        if c.is_ascii() {
            ascii += 1;
        } else {
            other += 1;
        }
    }
    (ascii * 2_usize).div_ceil(7) + (other * 3_usize).div_ceil(2) + 1
}

/// Divides sentences into parts of at most so many tokens (a single one may have more), of about the same size,
/// and between chapters where that costs little.
pub(super) fn split<'l, 'a>(
    lines: &'l [Numbered<'a>],
    room: usize,
    chapter: impl Fn(&Numbered<'a>) -> Option<usize>,
) -> Vec<&'l [Numbered<'a>]> {
    let total: usize = lines.iter().map(Numbered::tokens).sum();
    let count = total.div_ceil(room.max(1)).max(1);
    let wanted = total.div_ceil(count);
    let mut parts = Vec::new();
    let (mut begin, mut held) = (0, 0);
    for (index, line) in lines.iter().enumerate() {
        let tokens = line.tokens();
        let opens_chapter = index > 0 && chapter(line) != chapter(&lines[index - 1]);
        let is_full = held + tokens > room || held >= wanted;
        // A chapter that begins when most of a part is full begins the next part.
        let is_good_place = opens_chapter && held * 4 >= wanted * 3;
        if index > begin && (is_full || is_good_place) {
            parts.push(&lines[begin..index]);
            (begin, held) = (index, 0);
        }
        held += tokens;
    }
    parts.push(&lines[begin..]);
    parts
}

/// Puts neighbours together, so many tokens at most, but at least two where there are two.
pub(super) fn group<T>(items: Vec<T>, room: usize, tokens: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut held = 0;
    for item in items {
        let size = tokens(&item);
        match groups.last_mut() {
            Some(last) if last.len() < 2 || held + size <= room => {
                held += size;
                last.push(item);
            }
            _ => {
                held = size;
                groups.push(vec![item]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Numbered<'static>> {
        let text = "This sentence has about ten tokens.";
        (0..count).map(|number| Numbered::new(number, text, None)).collect()
    }

    #[test]
    fn nothing_is_lost_and_every_part_fits() {
        let lines = lines(1_000);
        for room in [1, 20, 100, 333, 5_000, 1_000_000] {
            let parts = split(&lines, room, |_| None);
            assert_eq!(parts.concat(), lines);
            for part in &parts {
                let size: usize = part.iter().map(Numbered::tokens).sum();
                assert!(size <= room || part.len() == 1, "{size} of {room}");
            }
        }
        assert_eq!(split(&lines, 1_000_000, |_| None).len(), 1);
        assert_eq!(split(&[], 10, |_| None).len(), 1);
    }

    #[test]
    fn a_talk_is_divided_between_its_chapters_where_that_costs_little() {
        let lines = lines(100);
        let total: usize = lines.iter().map(Numbered::tokens).sum();
        let parts = split(&lines, total / 2 + 20, |line| Some(usize::from(line.number >= 45)));
        assert_eq!(parts[0].len(), 45);
    }

    #[test]
    fn groups_have_at_least_two() {
        let sizes = |items: Vec<usize>, room| {
            let groups = group(items, room, |size| *size);
            groups.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(vec![5, 5, 5, 5, 5], 10), [2, 2, 1]);
        assert_eq!(sizes(vec![50, 50, 50], 10), [2, 1]);
        assert_eq!(sizes(vec![1, 1, 1], 10), [3]);
    }

    #[test]
    fn tokens_are_guessed_rather_too_high() {
        // At least one for each word and mark, and about one for each letter that is not ASCII.
        assert!(tokens("The quick brown fox jumps over the lazy dog.") >= 10);
        assert!(tokens("Übergrößenträger") >= 4);
        assert!(tokens("吾輩は猫である。名前は") >= 7);
    }
}
