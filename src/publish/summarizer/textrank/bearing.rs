//! How well a sentence bears being read alone, by how it begins.
//!
//! Words can vote only for what a sentence is about. That it greets or thanks, is a note of who wrote the
//! captions, has a heading stuck to it, or leans on the sentence before it ("But he did so then"), is seen by its first words. English
//! only: what no list knows bears itself well.

/// What opens a sentence that is said to those present, not to those who read.
const TO_THE_HALL: &[&str] = &[
    "dear ",
    "fellow citizens",
    "fellow-citizens",
    "god bless",
    "good afternoon",
    "good evening",
    "good morning",
    "hello",
    "hi ",
    "i thank ",
    "ladies and gentlemen",
    "may god ",
    "mr. chairman",
    "mr. president",
    "mr. speaker",
    "mr. vice president",
    "members of ",
    "my fellow ",
    "my friends",
    "thank you",
    "thanks ",
    "the president. ",
    "to the senate and house",
    "to the congress",
    "welcome ",
];

/// First words that point at, or go on from, what was said just before. Not "there", which opens much that leans
/// on nothing.
const LEANING_WORDS: &[&str] = &[
    "also",
    "and",
    "besides",
    "but",
    "consequently",
    "else",
    "furthermore",
    "he",
    "hence",
    "her",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "however",
    "it",
    "its",
    "likewise",
    "moreover",
    "neither",
    "nevertheless",
    "nor",
    "or",
    "otherwise",
    "she",
    "so",
    "still",
    "such",
    "that",
    "their",
    "them",
    "then",
    "therefore",
    "these",
    "they",
    "this",
    "those",
    "thus",
    "too",
    "yet",
];

/// Whether a sentence may be quoted at all: it is said, and not only to those present.
pub(super) fn is_quotable(text: &str) -> bool {
    // Square brackets are not said: "[Applause]", "[the States]".
    !text.contains('[') && !is_to_the_hall(text) && !begins_with_heading(text)
}

/// Whether a sentence leans on the one before it.
pub(super) fn is_leaning(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    // A word of this length is in no list; an endless one need not be copied.
    word.len() <= 12 && LEANING_WORDS.contains(&word.to_lowercase().as_str())
}

/// Whether a heading in capitals sticks to a sentence: "FOREIGN DEBTS Gradually, settlements …". Captions that
/// are in capitals throughout have no such headings.
fn begins_with_heading(text: &str) -> bool {
    let words = text.split(' ').skip_while(|word| !word.contains(char::is_alphabetic));
    let mut heading = words.take_while(|word| !word.contains(char::is_lowercase));
    let long = heading.next().zip(heading.next()).is_some_and(|(a, b)| a.len() + b.len() >= 6);
    long && text.contains(char::is_lowercase)
}

fn is_to_the_hall(text: &str) -> bool {
    let opens = |words: &str| {
        text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words))
    };
    TO_THE_HALL.iter().any(|words| opens(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, quotable: bool, leaning: bool) {
        assert_eq!((is_quotable(text), is_leaning(text)), (quotable, leaning), "{text}");
    }

    #[test]
    fn what_is_said_to_the_hall_is_never_quoted() {
        check("Mr. Speaker, Mr. Vice President: Our Nation is at war.", false, false);
        check("Fellow-Citizens of the Senate: Another year has passed.", false, false);
        check("Thank you all for having come here in such numbers.", false, false);
        check("Mr. Smith went to the Senate.", true, false);
        check("Thankful people came to the Senate.", true, false);
    }

    #[test]
    fn notes_in_brackets_are_never_quoted() {
        check("[Applause] The state of our Union is strong.", false, false);
        check("The state (of our Union) is strong.", true, false);
    }

    #[test]
    fn a_sentence_that_a_heading_sticks_to_is_never_quoted() {
        check("FOREIGN DEBTS Gradually, settlements have been made.", false, false);
        check("1. A GROWING ECONOMY First, we must keep our Nation prosperous.", false, false);
        check("NATO is strong.", true, false);
        check("A USB cable is strong.", true, false);
        check("OUR NATION IS STRONG.", true, false);
    }

    #[test]
    fn first_words_show_that_a_sentence_leans_on_another() {
        for text in ["But the Nation is strong.", "He’s in the Senate.", "“And the Senate?”"]
        {
            check(text, true, true);
        }
        check("Button factories are strong.", true, false);
        check("There are no strong nations.", true, false);
    }

    #[test]
    fn other_languages_and_odd_letters_are_read() {
        for text in ["Öl ist teuer.", "今天很好。", "…", ""] {
            check(text, true, false);
        }
    }
}
