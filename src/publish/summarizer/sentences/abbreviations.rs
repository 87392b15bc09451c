//! Full stops that end a word, not a sentence. English, and what English borrows.
//!
//! No list can tell "in the U.S. Army" from "in the U.S. It": where an abbreviation may end a
//! sentence, it does so before a capitalised word that English begins sentences with (The, It, We …)
//! and not before what looks like a name.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Titles and the like, which always come before a name or an example.
const NEVER_LAST: &[&str] = &[
    "adm", "attn", "brig", "capt", "cf", "cmdr", "col", "cpl", "dr", "e.g", "eg", "fr", "gen",
    "gov", "hon", "i.e", "ie", "lt", "lieut", "maj", "messrs", "mlle", "mme", "mr", "mrs", "ms",
    "msgr", "mt", "pres", "prof", "rep", "rev", "sen", "sgt", "st", "supt", "viz", "vs",
];

/// Those that belong to a number when one follows.
const BEFORE_NUMBER: &[&str] = &[
    "apr", "art", "aug", "ca", "ch", "chap", "dec", "feb", "fig", "figs", "jan", "jul", "jun",
    "mar", "no", "nos", "nov", "oct", "op", "p", "pp", "par", "sec", "sept", "sep", "vol", "vols",
];

/// Those that stand anywhere; dotted ones such as `p.m.` or `U.S.` need not be listed.
const ANYWHERE: &[&str] = &[
    "al", "approx", "assn", "ave", "blvd", "bros", "co", "corp", "dept", "dist", "esq", "est",
    "etc", "ft", "inc", "jr", "ltd", "min", "mo", "nat", "natl", "phd", "ref", "sq", "sr", "univ",
];

/// Whether the sentence goes on after `words` and a full stop, with `next_word`. Without `capitals`
/// in the text only the certain cases are taken for abbreviations.
pub(super) fn goes_on(words: &str, next_word: &str, capitals: bool) -> bool {
    let word = words.rsplit(' ').next().unwrap_or("");
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    if word.is_empty() || word.len() > 20 {
        return false;
    }
    let lower = word.to_lowercase();
    let listed = |list: &[&str]| list.contains(&lower.as_str());
    if listed(NEVER_LAST) {
        return true;
    }
    if listed(BEFORE_NUMBER) && next_word.starts_with(|c: char| c.is_ascii_digit()) {
        return word != "No" || words.len() > word.len();
    }
    // The number of a list's item: "1. First".
    if words.len() == word.len() && word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let open = is_initial(word) || is_dotted(word) || listed(ANYWHERE);
    open && capitals && !begins_sentences(next_word)
}

/// `J` in "J. Smith"; a lone `I` is rather the speaker.
fn is_initial(word: &str) -> bool {
    let mut chars = word.chars();
    let first = chars.next().is_some_and(|c| c.is_uppercase() && c != 'I');
    first && chars.next().is_none()
}

/// `U.S`, `p.m`, `Ph.D`: short runs of letters between full stops.
fn is_dotted(word: &str) -> bool {
    let short = |part: &str| (1..=3).contains(&part.len()) && part.chars().all(char::is_alphabetic);
    word.contains('.') && word.split('.').all(short)
}

/// Whether English begins sentences with this word: capitalised, and a word of grammar.
fn begins_sentences(word: &str) -> bool {
    static STARTERS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| stop_words::lookup("en").unwrap_or_default().iter().copied().collect());
    word.starts_with(char::is_uppercase)
        && word.len() <= 20
        && STARTERS.contains(word.to_lowercase().replace('’', "'").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, next_word: &str, expected: bool) {
        assert_eq!(goes_on(words, next_word, true), expected, "{words}. {next_word}");
    }

    #[test]
    fn titles_always_go_on() {
        check("and Dr", "The", true);
        check("(Mr", "Smith", true);
        check("my doctor", "Smith", false);
    }

    #[test]
    fn what_stands_anywhere_goes_on_before_a_name() {
        for word in ["U.S", "p.m", "Ph.D", "Jr", "Inc", "etc", "B"] {
            check(word, "Army", true);
            check(word, "The", false);
            check(word, "It’s", false);
        }
        check("than I", "Army", false);
    }

    #[test]
    fn some_go_on_before_a_number_only() {
        check("see fig", "3", true);
        check("on Sept", "11", true);
        check("answer was no", "3", true);
        check("he ate a fig", "Then", false);
        check("No", "7", false);
    }

    #[test]
    fn a_list_number_belongs_to_its_item() {
        check("1", "First", true);
        check("in 12", "First", false);
    }

    #[test]
    fn the_list_of_starters_is_there() {
        assert!(begins_sentences("The") && !begins_sentences("the") && !begins_sentences("Army"));
    }
}
