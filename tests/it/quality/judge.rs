//! What must hold of every summary that only quotes, and a line of figures about it.

use std::collections::HashSet;

use tidings::publish::summarizer::engine::Summary;

/// Above the lines of figures.
pub(super) const HEADING: &str = "text                                    words  sentences  chosen  leaning  \
    by fifths    longest (words)";

/// Two sentences with a greater share of words in common say the same.
const SAME: f64 = 0.6;

/// No sentence of a summary has more words.
const MOST_WORDS: usize = 60;

/// What is wrong with the summary of a text that is on one line.
#[must_use]
pub(super) fn faults(name: &str, line: &str, summary: &Summary) -> Vec<String> {
    let texts: Vec<_> = summary.sentences.iter().map(|s| s.text.as_str()).collect();
    let longest = texts.iter().map(|text| text.split(' ').count()).max().unwrap_or(0);
    let fifths = fifths(line, &texts);
    let spread: Vec<_> = fifths.iter().map(ToString::to_string).collect();
    println!(
        "{name:38} {:>6} {:>10} {:>7} {:>8}  {:12} {longest:>4}",
        summary.total_words,
        summary.total_sentences,
        texts.len(),
        texts.iter().filter(|text| leans(text)).count(),
        spread.join(" ")
    );
    if std::env::var_os("SHOW_SUMMARIES").is_some() {
        for text in &texts {
            println!("    - {text}");
        }
    }
    let mut faults = Vec::new();
    let mut must = |good: bool, fault: String| {
        if !good {
            faults.push(format!("{name}: {fault}"));
        }
    };
    must((8..=15).contains(&texts.len()), format!("{} sentences", texts.len()));
    must(longest <= MOST_WORDS, format!("{longest} words"));
    must(fifths.iter().all(|chosen| *chosen > 0), format!("a fifth is not heard: {fifths:?}"));
    for (index, text) in texts.iter().enumerate() {
        must(begins(text) && ends(text) && is_balanced(text), format!("broken: {text}"));
        must(!is_spoken_to(text), format!("a greeting or a note: {text}"));
        must(!has_heading(text), format!("a heading sticks to it: {text}"));
        for other in &texts[..index] {
            must(alike(text, other) < SAME, format!("said twice: {text} / {other}"));
        }
    }
    // Some must lean, as where a whole part of a text is told of "he"; most must not.
    let leaning = texts.iter().filter(|text| leans(text)).count();
    must(leaning * 4 <= texts.len(), format!("{leaning} lean on what is not there"));
    faults
}

/// How many sentences are from each fifth of the text. They stand in it word for word, and in this order.
fn fifths(line: &str, texts: &[&str]) -> [usize; 5] {
    let mut fifths = [0; 5];
    let mut from = 0;
    for text in texts {
        let at = line[from..].find(text);
        let at = from + at.unwrap_or_else(|| panic!("not in the text, or not there: {text}"));
        fifths[at * 5 / line.len()] += 1;
        from = at + text.len();
    }
    fifths
}

fn begins(text: &str) -> bool {
    let text = text.trim_start_matches(['"', '\'', '“', '‘', '(']);
    text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
}

fn ends(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', '”', '’', ')']).ends_with(['.', '!', '?', '…'])
}

fn is_balanced(text: &str) -> bool {
    let count = |mark: char| text.matches(mark).count();
    let pairs = [('“', '”'), ('(', ')'), ('[', ']')];
    count('"').is_multiple_of(2) && pairs.iter().all(|(a, b)| count(*a) == count(*b))
}

fn is_spoken_to(text: &str) -> bool {
    let first = ["Mr.", "Madam", "Fellow-Citizens", "Thank you", "Ladies and"];
    first.iter().any(|words| text.starts_with(words)) || text.contains('[')
}

/// Two words in capitals and then others are a heading and a sentence.
fn has_heading(text: &str) -> bool {
    let words = text.split(' ').filter(|word| word.contains(char::is_alphabetic));
    let capitals: Vec<_> = words.take_while(|word| word.to_uppercase() == **word).collect();
    capitals.len() > 1 && capitals.concat().len() > 5
}

fn leans(text: &str) -> bool {
    let word = text.trim_start_matches(['"', '“']).split(' ').next().unwrap_or("");
    ["And", "But", "So", "He", "She", "It", "They", "This", "That", "These", "Yet"].contains(&word)
}

/// The share of words that two sentences have in common.
fn alike(one: &str, other: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        let plain = |c: char| !c.is_alphanumeric();
        text.split(plain).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (one, other) = (words(one), words(other));
    let common = one.intersection(&other).count() as f64;
    common / one.union(&other).count().max(1) as f64
}
