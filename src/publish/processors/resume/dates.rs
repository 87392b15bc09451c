//! From when to when: `Jan 2019 – Present`, `2015-2018`, `03/2017 to 08/2019`, `seit 2020`.

mod tokens;

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use self::tokens::TokenKind::{self, Dash, Mark, Number, Word};
use self::tokens::{Meaning, Token, meaning, tokens};

/// A year, and a month if it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: u16,
    month: Option<u8>,
}

/// When something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    At(Date),
    /// It still lasts.
    Present,
}

/// A time that something took, and where in a line it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    /// In bytes.
    pub(super) place: Range<usize>,
    pub(super) start: Date,
    /// Nothing if only one time is said.
    pub(super) end: Option<End>,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.month {
            Some(month) => write!(f, "{:04}-{month:02}", self.year),
            None => write!(f, "{:04}", self.year),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(date) => date.fmt(f),
            Self::Present => f.write_str("present"),
        }
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The first span in a line; a single date only if there is none.
pub(super) fn find(line: &str) -> Option<Span> {
    // Most lines have none, and need not be looked at closely.
    if !line.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let tokens = tokens(line);
    let spans = || (0..tokens.len()).filter_map(|at| span(&tokens, at));
    spans().find(|span| span.end.is_some()).or_else(|| spans().next())
}

/// Whether hardly anything but a date stands there.
pub(super) fn is_mostly_date(text: &str) -> bool {
    find(text).is_some_and(|span| {
        let rest = [&text[..span.place.start], &text[span.place.end..]].concat();
        rest.chars().filter(|c| c.is_alphanumeric()).count() * 2 < span.place.len()
    })
}

fn span(tokens: &[Token<'_>], at: usize) -> Option<Span> {
    let (is_since, begin) = match kind(tokens, at) {
        Some(Word(word)) if meaning(word) == Some(Meaning::Since) => (true, at + 1),
        _ => (false, at),
    };
    let (start, mut next) = point(tokens, begin)?;
    let mut end = is_since.then_some(End::Present);
    if let Some((found, after)) = range_end(tokens, next, start) {
        (end, next) = (Some(found), after);
    }
    Some(Span { place: tokens[at].place.start..tokens[next - 1].place.end, start, end })
}

fn range_end(tokens: &[Token<'_>], at: usize, start: Date) -> Option<(End, usize)> {
    let after = separator(tokens, at)?;
    if let Some(next) = present(tokens, after) {
        return Some((End::Present, next));
    }
    if let Some((date, next)) = point(tokens, after) {
        return (date.year >= start.year).then_some((End::At(date), next));
    }
    let is_dash = kind(tokens, at) == Some(&Dash);
    match kind(tokens, after) {
        // `2015–18`
        Some(Number { value, digits: 2 }) if is_dash => {
            let year = start.year / 100 * 100 + *value as u16;
            let date = Date { year, month: None };
            (year > start.year).then_some((End::At(date), after + 1))
        }
        // `2015 –`, and nothing more.
        None | Some(Mark("\t" | "|" | ")" | ",")) if is_dash => Some((End::Present, after)),
        _ => None,
    }
}

fn kind<'t, 'a>(tokens: &'t [Token<'a>], at: usize) -> Option<&'t TokenKind<'a>> {
    tokens.get(at).map(|token| &token.kind)
}

fn word<'t>(tokens: &'t [Token<'_>], at: usize) -> Option<&'t str> {
    match kind(tokens, at) {
        Some(Word(word)) => Some(word),
        _ => None,
    }
}

/// A dash, or a word that stands for one.
fn separator(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    match kind(tokens, at)? {
        // `--` and `- bis` are seen, too.
        Dash => Some(at + 1 + usize::from(matches!(kind(tokens, at + 1), Some(Dash)))),
        Word(word) if meaning(word) == Some(Meaning::To) => Some(at + 1),
        // 2019年から2021年まで
        Word(first) if first == "か" && word(tokens, at + 1) == Some("ら") => Some(at + 2),
        _ => None,
    }
}

/// `present`, `à ce jour`, `至今`.
fn present(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let pair = [word(tokens, at)?, word(tokens, at + 1).unwrap_or_default()];
    match pair {
        [
            "ce" | "the" | "настоящее" | "la" | "现" | "現" | "至",
            "jour" | "present" | "время" | "actualidad" | "在" | "今",
        ] => Some(at + 2),
        ["今", _] => Some(at + 1),
        ["н", _] => {
            // н.в.
            let rest = [kind(tokens, at + 1)?, kind(tokens, at + 2)?, kind(tokens, at + 3)?];
            (rest == [&Mark("."), &Word("в".into()), &Mark(".")]).then_some(at + 4)
        }
        [word, _] if meaning(word) == Some(Meaning::Present) => Some(at + 1),
        _ => None,
    }
}

/// A date, and where it ends.
fn point(tokens: &[Token<'_>], at: usize) -> Option<(Date, usize)> {
    match kind(tokens, at)? {
        Word(word) => {
            let month = match meaning(word)? {
                Meaning::Month(month) => Some(month),
                Meaning::Season => None,
                _ => return None,
            };
            // `Sept. 2019`, `March, 2019`, `May of 2019`, `Jan '19`
            let is_filler = |kind: &TokenKind<'_>| match kind {
                Mark("." | "," | "'" | "’" | "/") => true,
                Word(word) => ["of", "de", "del", "'"].contains(&word.as_str()),
                _ => false,
            };
            let fillers =
                tokens[at + 1..].iter().take(2).take_while(|t| is_filler(&t.kind)).count();
            let (year, next) = year(tokens, at + 1 + fillers).or_else(|| {
                let is_short = matches!(kind(tokens, at + fillers), Some(Mark("'" | "’")));
                short_year(tokens, at + 1 + fillers).filter(|_| is_short)
            })?;
            Some((Date { year, month }, next))
        }
        Number { .. } => day_month_year(tokens, at)
            .or_else(|| month_year(tokens, at))
            .or_else(|| year_month(tokens, at)),
        _ => None,
    }
}

fn year(tokens: &[Token<'_>], at: usize) -> Option<(u16, usize)> {
    match kind(tokens, at)? {
        Number { value, digits: 4 } if (1950..2100).contains(value) => {
            // Not a part of a longer number, a version, an amount, a decade.
            let next = kind(tokens, at + 1);
            let is_plural = matches!(next, Some(Word(word)) if word == "s" || word == "'s");
            let goes_on = matches!(next, Some(Mark("%" | "+" | "€" | "$")));
            let place = &tokens[at].place;
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            let is_amount = before.is_some_and(|before| {
                before.place.end == place.start
                    && matches!(before.kind, Mark("$" | "€" | "£" | "#" | "+"))
            });
            (!is_plural && !goes_on && !is_amount).then_some((*value as u16, at + 1))
        }
        _ => None,
    }
}

/// `'19`; whoever writes that means the last hundred years.
fn short_year(tokens: &[Token<'_>], at: usize) -> Option<(u16, usize)> {
    match kind(tokens, at)? {
        Number { value, digits: 2 } => {
            let century = if *value < 50 { 2_000 } else { 1_900 };
            Some((century + *value as u16, at + 1))
        }
        _ => None,
    }
}

fn month_number(tokens: &[Token<'_>], at: usize) -> Option<u8> {
    match kind(tokens, at)? {
        Number { value: value @ 1..=12, digits: 1 | 2 } => Some(*value as u8),
        _ => None,
    }
}

/// `31.12.2019`, `12/31/2019` (the larger number is the day).
fn day_month_year(tokens: &[Token<'_>], at: usize) -> Option<(Date, usize)> {
    let is_divider = |at| matches!(kind(tokens, at), Some(Mark("." | "/")));
    let Some(Number { value: first @ 1..=31, digits: 1 | 2 }) = kind(tokens, at) else {
        return None;
    };
    let Some(Number { value: second @ 1..=31, digits: 1 | 2 }) = kind(tokens, at + 2) else {
        return None;
    };
    if !is_divider(at + 1) || !is_divider(at + 3) {
        return None;
    }
    let (year, next) = year(tokens, at + 4)?;
    let month = if *second <= 12 { *second } else { *first };
    (month <= 12).then_some((Date { year, month: Some(month as u8) }, next))
}

/// `03/2017`, `3.2017`, `03-2017`
fn month_year(tokens: &[Token<'_>], at: usize) -> Option<(Date, usize)> {
    let month = month_number(tokens, at)?;
    let is_divided = matches!(kind(tokens, at + 1), Some(Mark("/" | ".") | Dash));
    let (year, next) = year(tokens, at + 2).filter(|_| is_divided)?;
    Some((Date { year, month: Some(month) }, next))
}

/// `2017`, `2017-03`, `2017/03`, `2017年3月`
fn year_month(tokens: &[Token<'_>], at: usize) -> Option<(Date, usize)> {
    let (year, next) = year(tokens, at)?;
    if word(tokens, next).is_some_and(|word| ["年", "년"].contains(&word)) {
        let month = month_number(tokens, next + 1);
        let is_month = word(tokens, next + 2).is_some_and(|word| ["月", "월"].contains(&word));
        return Some(match month.filter(|_| is_month) {
            Some(month) => (Date { year, month: Some(month) }, next + 3),
            None => (Date { year, month: None }, next + 1),
        });
    }
    let is_tight = |at: usize| {
        tokens.get(at).zip(tokens.get(at + 1)).is_some_and(|(a, b)| a.place.end == b.place.start)
    };
    let divider = tokens.get(next).filter(|_| is_tight(next - 1) && is_tight(next));
    let is_divided =
        divider.is_some_and(|t| t.kind == Mark("/") || t.kind == Mark(".") || is_hyphen(t));
    let is_whole = matches!(kind(tokens, next + 1), Some(Number { digits: 2, .. }));
    match month_number(tokens, next + 1).filter(|_| is_divided && is_whole) {
        Some(month) => Some((Date { year, month: Some(month) }, next + 2)),
        None => Some((Date { year, month: None }, next)),
    }
}

/// A hyphen is one byte; dashes proper, which stand between years, are more.
fn is_hyphen(token: &Token<'_>) -> bool {
    token.kind == Dash && token.place.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let found = find(line).map(|span| match span.end {
            Some(end) => format!("{}..{end} {}", span.start, &line[span.place]),
            None => format!("{} {}", span.start, &line[span.place]),
        });
        assert_eq!(found.as_deref().unwrap_or("none"), expected, "{line}");
    }

    #[test]
    fn spans_are_found_in_many_forms() {
        check("Jan 2019 – Present", "2019-01..present Jan 2019 – Present");
        check("2015-2018", "2015..2018 2015-2018");
        check("03/2017 to 08/2019", "2017-03..2019-08 03/2017 to 08/2019");
        check("Engineer, Acme (2015–18)", "2015..2018 2015–18");
        check("Sept. 2015 - Dec. 2016", "2015-09..2016-12 Sept. 2015 - Dec. 2016");
        check("June '09 until May '11", "2009-06..2011-05 June '09 until May '11");
        check("01.04.2012 - 31.12.2014", "2012-04..2014-12 01.04.2012 - 31.12.2014");
        check("2012-04 — 2014-12", "2012-04..2014-12 2012-04 — 2014-12");
        check("2010/09 ~ 2012/06", "2010-09..2012-06 2010/09 ~ 2012/06");
        check("Summer 2018 to Fall 2019", "2018..2019 Summer 2018 to Fall 2019");
        check("Acme\t2019 –", "2019..present 2019 –");
    }

    #[test]
    fn spans_are_found_in_other_languages() {
        check("seit 2020", "2020..present seit 2020");
        check("03/2017 bis 08/2019", "2017-03..2019-08 03/2017 bis 08/2019");
        check("Oktober 2014 – heute", "2014-10..present Oktober 2014 – heute");
        check("de mars 2016 à aujourd’hui", "2016-03..present mars 2016 à aujourd’hui");
        check("Sept. 2018 à ce jour", "2018-09..present Sept. 2018 à ce jour");
        check(
            "enero de 2015 a diciembre de 2017",
            "2015-01..2017-12 enero de 2015 a diciembre de 2017",
        );
        check("2016 – actualidad", "2016..present 2016 – actualidad");
        check("с 2018 по настоящее время", "2018..present с 2018 по настоящее время");
        check("май 2014 – н.в.", "2014-05..present май 2014 – н.в.");
        check("2019年4月 – 2021年3月", "2019-04..2021-03 2019年4月 – 2021年3月");
        check("2019年4月〜現在", "2019-04..present 2019年4月〜現在");
        check("2018年7月至今", "2018-07..present 2018年7月至今");
    }

    #[test]
    fn a_single_date_is_one() {
        check("BSc, 2014", "2014 2014");
        check("Graduated in May 2014", "2014-05 May 2014");
        check("Expected 06/2025", "2025-06 06/2025");
    }

    #[test]
    fn a_span_is_preferred_to_a_date() {
        check("Windows 2008 admin 2010 - 2012", "2010..2012 2010 - 2012");
    }

    #[test]
    fn other_numbers_are_no_dates() {
        for line in [
            "",
            "12345",
            "+49 30 1234567",
            "saved $2000",
            "the 1990s",
            "3 years",
            "1200-1300",
            "2000% more",
        ] {
            check(line, "none");
        }
        // It would have ended before it began.
        check("2018-2015", "2018 2018");
    }

    #[test]
    fn columns_do_not_run_together() {
        check("2015\t- 2018 units sold", "2015 2015");
    }

    #[test]
    fn what_is_hardly_more_than_a_date_is_known() {
        for text in ["2015 – 2018", "(Jan 2019 - Present)", "seit 2020:"] {
            assert!(is_mostly_date(text), "{text}");
        }
        for text in ["Engineer at Acme, 2015 – 2018", "In 2015 we grew", "none"] {
            assert!(!is_mostly_date(text), "{text}");
        }
    }
}
