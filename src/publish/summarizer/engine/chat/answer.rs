//! What a model says, as a summary.
//!
//! Models rarely keep to a form: they think aloud, wrap what they say in marks of Markdown, number instead of
//! using dashes, or forget the number of a sentence. What can be understood is taken.

use std::fmt::Write;

use crate::publish::summarizer::cut::cut;

/// An overview and points, of which at least one is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub overview: Option<String>,
    pub points: Vec<Point>,
}

/// A point, and the sentence that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub text: String,
    pub index: Option<usize>,
}

/// Overviews and points are cut at so many characters.
const MAX_OVERVIEW_CHARS: usize = 4_000;
const MAX_POINT_CHARS: usize = 1_000;
/// More points are not taken.
const MAX_POINTS: usize = 200;

impl Answer {
    /// Reads what a model has said; none if there is nothing in it.
    pub fn read(said: &str) -> Option<Self> {
        let said = without_thoughts(said);
        let mut answer = Self::default();
        let mut overview = String::new();
        for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with("```") {
                continue;
            }
            if let Some(point) = point(line) {
                answer.points.push(point);
            } else if answer.points.is_empty() {
                let gap = if overview.is_empty() { "" } else { " " };
                overview.extend([gap, line]);
            }
            // What comes behind the points is a farewell.
        }
        answer.points.truncate(MAX_POINTS);
        let overview = plain(without_label(&overview));
        let overview = cut(&overview, MAX_OVERVIEW_CHARS);
        answer.overview = Some(overview).filter(|overview| !overview.is_empty());
        let is_something = answer.overview.is_some() || !answer.points.is_empty();
        is_something.then_some(answer)
    }

    /// The same in the form in which models are asked to write it.
    pub fn written(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        if let Some(overview) = &self.overview {
            let _ = writeln!(text, "OVERVIEW: {overview}");
        }
        for point in &self.points {
            let _ = match point.index {
                Some(index) => writeln!(text, "- [{index}] {}", point.text),
                None => writeln!(text, "- {}", point.text),
            };
        }
        text
    }
}

/// What was said behind the thinking that some models show.
fn without_thoughts(said: &str) -> &str {
    ["</think>", "</thinking>", "</reasoning>"]
        .into_iter()
        .filter_map(|end| said.rfind(end).map(|at| at + end.len()))
        .max()
        .map_or(said, |end| &said[end..])
}

/// The point on a line: one that begins with a dash, a dot, a number or a sentence's number in brackets.
fn point(line: &str) -> Option<Point> {
    let rest = line.trim_start_matches(['*', '_']).trim_start();
    let dash = line
        .strip_prefix(['-', '•', '–', '*', '+'])
        .filter(|rest| rest.starts_with([' ', '[', '\t']));
    let rest =
        dash.or_else(|| after_number(line)).or_else(|| rest.starts_with('[').then_some(rest))?;
    let (index, text) = numbered(rest.trim_start_matches(['*', '_', ' ']));
    let text = cut(&plain(text), MAX_POINT_CHARS);
    (!text.is_empty()).then_some(Point { text, index })
}

/// What stands behind `12.` or `12)`.
fn after_number(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    (1..=3)
        .contains(&digits)
        .then(|| rest.strip_prefix(['.', ')']))?
        .filter(|rest| rest.starts_with(' '))
}

/// The number in brackets, at the beginning or else at the end, and what is left. Of several the first counts.
fn numbered(text: &str) -> (Option<usize>, &str) {
    let text = text.trim();
    if let Some((number, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && let Some(index) = first_number(number)
    {
        return (Some(index), rest);
    }
    let bare = text.trim_end_matches('.');
    if let Some((rest, number)) = bare.strip_suffix(']').and_then(|rest| rest.rsplit_once('['))
        && let Some(index) = first_number(number)
    {
        return (Some(index), rest);
    }
    (None, text)
}

fn first_number(text: &str) -> Option<usize> {
    let is_list = |c: char| c.is_ascii_digit() || " ,;-–".contains(c);
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    text.chars().all(is_list).then(|| digits.parse().ok())?
}

fn without_label(text: &str) -> &str {
    let bare = text.trim_start_matches(['*', '#', '_', ' ']);
    let labels = ["OVERVIEW", "SUMMARY"];
    let label = labels.into_iter().find(|label| {
        bare.get(..label.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(label))
    });
    let Some(label) = label else { return text };
    let rest = bare[label.len()..].trim_start_matches(['*', '_', ' ']);
    rest.strip_prefix(':').map_or(text, |rest| rest.trim_start_matches(['*', '_', ' ']))
}

/// A text without marks of Markdown, on one line.
fn plain(text: &str) -> String {
    let text = text.replace("**", "").replace("__", "").replace('`', "");
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .trim_start_matches([':', '-', ' '])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is understood, as `overview | index text | …`.
    fn check(said: &str, expected: &str) {
        let Some(answer) = Answer::read(said) else { return assert_eq!("nothing", expected) };
        let point = |point: &Point| match point.index {
            Some(index) => format!("{index} {}", point.text),
            None => format!("? {}", point.text),
        };
        let overview = answer.overview.unwrap_or_default();
        let parts: Vec<_> = [overview].into_iter().chain(answer.points.iter().map(point)).collect();
        assert_eq!(parts.join(" | "), expected, "{said}");
    }

    #[test]
    fn the_form_that_was_asked_for() {
        check(
            "OVERVIEW: On lamps. They burn.\n- [3] One.\n- [12] Two.",
            "On lamps. They burn. | 3 One. | 12 Two.",
        );
    }

    #[test]
    fn the_forms_that_models_use_instead() {
        check(
            "**Overview:** On lamps.\n\n* **[3]** One.\n* [4, 5] Two",
            "On lamps. | 3 One. | 4 Two",
        );
        check(
            "<think>\n- [1] no\n</think>\nOn lamps.\n1. [3] One.\n2) Two [7].",
            "On lamps. | 3 One. | 7 Two",
        );
        check("```\nOVERVIEW: X.\n- [0] One.\n```\nHope that helps!", "X. | 0 One.");
        check("- One without a number.", " | ? One without a number.");
        check("[2] One.\n[3-4] Two.", " | 2 One. | 3 Two.");
        check("## Summary: X.\n• [3]: One.", "X. | 3 One.");
        check("Only words,\non two lines.", "Only words, on two lines.");
        check("- [see above] One.", " | ? [see above] One.");
        check("- [99999999999999999999999] One.", " | ? [99999999999999999999999] One.");
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        check("", "nothing");
        check(" \n```\n```", "nothing");
        check("<think>hm</think>", "nothing");
        check("-", "nothing");
    }

    #[test]
    fn an_endless_answer_is_cut() {
        let answer =
            Answer::read(&format!("{}\n{}", "x".repeat(9_000), "- [1] y\n".repeat(999))).unwrap();
        assert_eq!(
            (answer.overview.unwrap().chars().count(), answer.points.len()),
            (4_001, MAX_POINTS)
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let said = "OVERVIEW: On lamps.\n- [3] One.\n- Two.\n";
        assert_eq!(Answer::read(said).unwrap().written(), said);
    }
}
