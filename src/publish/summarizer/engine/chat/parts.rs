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
/// How models cut words differs. The weights are such that samples in ten languages have no fewer than
/// `cl100k_base`, an encoding of OpenAI's, makes of them; newer ones make fewer.
pub(super) fn tokens(text: &str) -> usize {
    /// Of a token, in parts of 24.
    fn weight(c: char) -> usize {
        match c {
            'a'..='z' | 'A'..='Z' | ' ' => 7,
            // Digits, marks, and Cyrillic letters.
            '\0'..='\x7f' | '\u{400}'..='\u{52f}' => 16,
            // Letters with accents.
            '\u{80}'..='\u{24f}' => 24,
            '\u{250}'..='\u{ffff}' => 32,
            // Emoji.
            _ => 80,
        }
    }
    text.chars().map(weight).sum::<usize>().div_ceil(24) + 1
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
        // As the encoder of `cl100k_base` counts them.
        for (counted, text) in [
            (
                21,
                "Every ship that enters the harbour looks for the lamp, and the keeper knows each of them by name.",
            ),
            (
                30,
                "Jedes Schiff, das in den Hafen einläuft, sucht die Lampe, und der Wärter kennt jedes beim Namen.",
            ),
            (
                25,
                "Chaque navire qui entre au port cherche la lampe, et le gardien les connaît tous par leur nom.",
            ),
            (
                41,
                "Каждый корабль, который входит в гавань, ищет эту лампу, и смотритель знает их всех по имени.",
            ),
            (
                81,
                "Κάθε πλοίο που μπαίνει στο λιμάνι ψάχνει τη λάμπα, και ο φύλακας τα ξέρει όλα με το όνομά τους.",
            ),
            (40, "每一艘进入港口的船都在寻找这盏灯，看守人知道它们每一艘的名字。"),
            (36, "港に入る船はどれもこの灯りを探し、番人はその名前をすべて知っている。"),
            (38, "항구에 들어오는 모든 배는 이 등불을 찾고, 등대지기는 그 이름을 모두 알고 있다."),
            (54, "كل سفينة تدخل الميناء تبحث عن هذا المصباح، والحارس يعرفها كلها بأسمائها."),
            (89, "बंदरगाह में आने वाला हर जहाज़ इस दीपक को खोजता है, और रखवाला उन सबको नाम से जानता है।"),
            (31, "[1024] 7,919 of 104,729 ships in 1871 (3.5 %), 12:30:45."),
        ] {
            let guessed = tokens(text);
            assert!((counted..counted * 2).contains(&guessed), "{guessed} for {counted}: {text}");
        }
    }
}
