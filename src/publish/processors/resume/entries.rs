//! What one did and learnt, entry by entry.
//!
//! Each entry has a time, most often. Whether its title stands before the time or after it, the first
//! entry shows; the others are taken to follow it.

mod header;

use serde::Serialize;

pub(super) use self::header::{bullet, is_suffix};

use self::header::{MAX_HEADER_WORDS, is_header, words};

use super::dates::{self, Date, End, Span};
use super::document::Line;
use super::vocabulary::{self, Words};

/// A post somebody held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Post {
    title: Option<String>,
    organisation: Option<String>,
    /// `2019-01` or `2019`.
    start: Option<Date>,
    /// The same, or `present`.
    end: Option<End>,
    description: Option<String>,
}

/// What somebody studied, learnt, or passed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Study {
    degree: Option<String>,
    institution: Option<String>,
    start: Option<Date>,
    end: Option<End>,
}

/// Nobody has more, and a crafted document shall not.
const MAX_ENTRIES: usize = 200;

/// Lines that stand before the time of an entry.
const MAX_LEADING: usize = 3;

/// The posts of a section.
pub(super) fn posts(lines: &[Line]) -> Vec<Post> {
    let mut posts: Vec<Post> = Vec::new();
    for entry in entries(lines) {
        let (title, mut organisation) =
            entry.named(vocabulary::titles(), vocabulary::organisations());
        // Several posts under one company.
        if entry.is_continued && organisation.is_none() {
            organisation = posts.last().and_then(|last| last.organisation.clone());
        }
        let description = entry.description();
        // One time alone is when it was.
        let (start, end) = entry.span.map_or((None, None), |span| {
            (Some(span.start), Some(span.end.unwrap_or(End::At(span.start))))
        });
        if title.is_some() || organisation.is_some() {
            posts.push(Post { title, organisation, start, end, description });
        }
    }
    posts
}

/// The studies of a section.
pub(super) fn studies(lines: &[Line]) -> Vec<Study> {
    let study = |entry: Entry| {
        let (degrees, institutions) = (vocabulary::degrees(), vocabulary::institutions());
        let (degree, institution) = entry.named(degrees, institutions);
        // One time alone is when it was finished.
        let (start, end) = match entry.span {
            Some(Span { start, end: Some(end), .. }) => (Some(start), Some(end)),
            Some(Span { start, end: None, .. }) => (None, Some(End::At(start))),
            None => (None, None),
        };
        Study { degree, institution, start, end }
    };
    let studies = entries(lines).into_iter().map(study);
    studies.filter(|study| study.degree.is_some() || study.institution.is_some()).collect()
}

/// The lines of one entry.
#[derive(Debug, Default)]
struct Entry {
    /// What and where, without the time.
    header: Vec<String>,
    span: Option<Span>,
    rest: Vec<String>,
    /// The lines that say where stand above an earlier entry.
    is_continued: bool,
}

fn entries(lines: &[Line]) -> Vec<Entry> {
    let lines = &with_whole_times(lines);
    let spans: Vec<_> = lines.iter().map(|line| heading_span(&line.text)).collect();
    let Some(first) = spans.iter().position(Option::is_some) else { return undated(lines) };
    let leading = lines[..first].iter().filter(|line| is_header(&line.text)).count();
    let leading = leading.min(MAX_LEADING);
    let mut entries: Vec<Entry> = Vec::new();
    let mut taken = 0;
    for (index, span) in spans.into_iter().enumerate() {
        let Some(span) = span.filter(|_| index >= taken && entries.len() < MAX_ENTRIES) else {
            continue;
        };
        let before = leading_lines(&lines[taken..index], leading);
        let start = index - before;
        if let Some(last) = entries.last_mut() {
            last.rest.extend(lines[taken..start].iter().map(|line| line.text.clone()));
        }
        let mut entry = Entry::default();
        entry.header.extend(lines[start..index].iter().map(|line| line.text.clone()));
        entry.header.extend(without(&lines[index].text, &span));
        entry.span = Some(span);
        entry.is_continued = leading > 0 && before == 0;
        taken = index + 1;
        // What is still not said may stand below the time.
        while header::parts(&entry.header).len() < 2
            && let Some(line) = lines.get(taken)
            && is_header(&line.text)
            && heading_span(&line.text).is_none()
            && !(header::parts(&entry.header).len() == 1 && is_next(&lines[taken..], leading))
        {
            entry.header.push(line.text.clone());
            taken += 1;
        }
        entries.push(entry);
    }
    if let Some(last) = entries.last_mut() {
        last.rest.extend(lines[taken..].iter().map(|line| line.text.clone()));
    }
    entries
}

/// Puts times together that a line's end has parted: `2015 -` and `2018`, `2015` and `- 2018`.
fn with_whole_times(lines: &[Line]) -> Vec<Line> {
    let is_dash = |c: char| matches!(c, '-' | '–' | '—');
    let mut whole: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let second = line.text.trim_start_matches(is_dash).trim_start();
        let goes_on = |last: &Line| {
            let first = last.text.trim_end_matches(is_dash).trim_end();
            let has_one_dash = (first.len() < last.text.len()) != (second.len() < line.text.len());
            let ends = |span: dates::Span| span.end.is_none() && span.place.end == first.len();
            has_one_dash
                && dates::find(first).is_some_and(ends)
                && dates::find(second).is_some_and(|span| span.place.start == 0)
        };
        match whole.last_mut() {
            Some(last) if goes_on(last) => {
                last.text.push(' ');
                last.text.push_str(&line.text);
            }
            _ => whole.push(line.clone()),
        }
    }
    whole
}

/// Whether these lines are already the next entry's, whose time comes after as many as its first has.
fn is_next(lines: &[Line], leading: usize) -> bool {
    leading > 0 && lines.iter().take(leading + 1).any(|line| heading_span(&line.text).is_some())
}

/// How many of the last lines before a time belong to it.
fn leading_lines(before: &[Line], at_most: usize) -> usize {
    before.iter().rev().take(at_most).take_while(|line| is_header(&line.text)).count()
}

/// A time that an entry may begin with: a span in a short line, or a date at one of its ends.
fn heading_span(line: &str) -> Option<Span> {
    if bullet(line).is_some() || words(line) > MAX_HEADER_WORDS + 4 {
        return None;
    }
    let span = dates::find(line)?;
    let is_nothing = |text: &str| text.chars().all(|c| !c.is_alphanumeric());
    // What stands in brackets behind a time is a remark on it.
    let (before, after) = (&line[..span.place.start], line[span.place.end..].trim_start());
    let is_at_an_end = is_nothing(before) || is_nothing(after) || after.starts_with('(');
    let is_sentence = line.ends_with('.') && words(line) > 6;
    (is_at_an_end || (span.end.is_some() && !is_sentence)).then_some(span)
}

/// Entries without any time are apart from each other, or each has said what and where.
fn undated(lines: &[Line]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in lines {
        let is_header = is_header(&line.text);
        let is_full = entries
            .last()
            .is_none_or(|last| line.is_apart || header::parts(&last.header).len() > 1);
        if is_header && is_full {
            entries.push(Entry::default());
        }
        if let Some(last) = entries.last_mut() {
            let list = if is_header { &mut last.header } else { &mut last.rest };
            list.push(line.text.clone());
        }
    }
    entries.truncate(MAX_ENTRIES);
    entries
}

/// A line without its time, in the parts that stood before and after it.
fn without(line: &str, span: &Span) -> Vec<String> {
    let is_edge = |c: char| c.is_whitespace() || "()[]|,;:•·–—-/（）*".contains(c);
    let (before, after) = (&line[..span.place.start], &line[span.place.end..]);
    let after = if after.trim_start().starts_with('(') { "" } else { after };
    let sides = [before, after];
    let sides = sides.map(|side| side.trim_matches(is_edge).to_owned());
    sides.into_iter().filter(|side| side.chars().any(char::is_alphabetic)).collect()
}

impl Entry {
    /// Which part of the header is what, and which is where.
    fn named(&self, what: &Words, place: &Words) -> (Option<String>, Option<String>) {
        header::named(&header::parts(&self.header), what, place)
    }

    fn description(&self) -> Option<String> {
        let mut text = String::new();
        for line in self.rest.iter().filter(|line| !line.is_empty()) {
            let item = bullet(line);
            let goes_on =
                item.is_none() && !text.is_empty() && !text.ends_with(['.', '!', '?', ':', ';']);
            if goes_on {
                text.push(' ');
            } else if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&item.unwrap_or(line).replace('\t', " "));
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Paper;
    use super::*;

    /// Checks posts as `title @ organisation, start..end: description`.
    fn check(section: &str, expected: &[&str]) {
        let or_none = |text: &Option<String>| text.clone().unwrap_or("-".into());
        let shown = |post: &Post| {
            let start = post.start.map_or("-".to_owned(), |start| start.to_string());
            let end = post.end.map_or("-".to_owned(), |end| end.to_string());
            let (title, organisation) = (or_none(&post.title), or_none(&post.organisation));
            format!("{title} @ {organisation}, {start}..{end}: {}", or_none(&post.description))
        };
        let posts = posts(&Paper::of_text(section).lines);
        assert_eq!(posts.iter().map(shown).collect::<Vec<_>>(), expected, "{section}");
    }

    #[test]
    fn a_time_may_stand_before_beside_or_below_what_it_is_of() {
        let expected = ["Baker @ Acme Inc, 2015..2018: Bread.", "Cook @ Hotel X, 2012..2015: -"];
        check("2015 - 2018\nBaker, Acme Inc\n- Bread.\n2012 - 2015\nCook, Hotel X", &expected);
        check("Baker, Acme Inc (2015-2018)\n- Bread.\nCook, Hotel X (2012-2015)", &expected);
        check("Baker\nAcme Inc\n2015 - 2018\n- Bread.\nCook\nHotel X\n2012 - 2015", &expected);
        check("Acme Inc\nBaker    2015 - 2018\n• Bread.\nHotel X\nCook    2012 - 2015", &expected);
        check(
            "Baker | Acme Inc | 2015 –\n2018\n* Bread.\nCook | Hotel X | 2012\n– 2015",
            &expected,
        );
    }

    #[test]
    fn what_and_where_are_told_apart_in_any_order() {
        check("2015 - 2018 Acme GmbH, Baker", &["Baker @ Acme GmbH, 2015..2018: -"]);
        check("2015 - 2018 Baker at Acme", &["Baker @ Acme, 2015..2018: -"]);
        check(
            "Software Engineer\nInitech, Austin, TX\n2015 - 2018",
            &["Software Engineer @ Initech, Austin, TX, 2015..2018: -"],
        );
        check("2015 - 2018 Baker, Acme, Inc., Paris", &["Baker @ Acme, Inc., 2015..2018: -"]);
        check("2015 - 2018 Baker", &["Baker @ -, 2015..2018: -"]);
        check("2015 - 2018 Acme GmbH", &["- @ Acme GmbH, 2015..2018: -"]);
    }

    #[test]
    fn several_posts_may_stand_under_one_company() {
        check(
            "Acme Inc\nChef (2015 - 2018)\n- Bread.\nBaker (2012 - 2015)\n- Rolls.",
            &["Chef @ Acme Inc, 2015..2018: Bread.", "Baker @ Acme Inc, 2012..2015: Rolls."],
        );
    }

    #[test]
    fn a_time_within_a_sentence_begins_nothing() {
        check(
            "Baker, Acme Inc, 2015 - 2018\nIn the summer of 2016 we sold more bread than in 2015 and 2014.",
            &[
                "Baker @ Acme Inc, 2015..2018: In the summer of 2016 we sold more bread than in 2015 and 2014.",
            ],
        );
    }

    #[test]
    fn without_times_entries_are_apart() {
        check(
            "Baker\nAcme Inc\n- Bread.\n\nCook\nHotel X",
            &["Baker @ Acme Inc, -..-: Bread.", "Cook @ Hotel X, -..-: -"],
        );
        check("I have worked in many kitchens, and liked it.", &[]);
    }

    #[test]
    fn a_study_with_one_date_ended_then() {
        let lines = Paper::of_text("BSc Physics, University of X, 2014 (First)").lines;
        let studies = studies(&lines);
        assert_eq!(studies.len(), 1);
        assert_eq!(studies[0].degree.as_deref(), Some("BSc Physics"));
        assert_eq!(studies[0].institution.as_deref(), Some("University of X"));
        assert_eq!(studies[0].start, None);
        assert_eq!(studies[0].end.map(|end| end.to_string()).as_deref(), Some("2014"));
    }
}
