//! Who it is: a name, what they call themselves, and where they live.

use super::contacts;
use super::document::Line;
use super::headings::{self, Kind};
use super::sections::{Section, is_document_name};
use super::vocabulary::{self, is_ideograph};

/// Who a résumé is about.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Person {
    pub(super) name: Option<String>,
    pub(super) headline: Option<String>,
    pub(super) location: Option<String>,
}

/// A name stands among the first lines.
const NAME_LINES: usize = 6;

/// The name's own line, and those below it that may say what somebody is.
const HEADLINE_LINES: usize = 3;

const MAX_HEADLINE_WORDS: usize = 12;

const NAME_LABELS: &[&str] = &[
    "name",
    "full name",
    "vor- und nachname",
    "nom",
    "nombre",
    "nome",
    "фио",
    "имя",
    "姓名",
    "氏名",
    "名前",
];

const PLACE_LABELS: &[&str] = &[
    "address",
    "location",
    "based in",
    "city",
    "residence",
    "anschrift",
    "adresse",
    "wohnort",
    "ort",
    "wohnhaft in",
    "dirección",
    "domicilio",
    "ciudad",
    "indirizzo",
    "residenza",
    "endereço",
    "адрес",
    "город",
    "地址",
    "住所",
    "现居地",
];

/// What divides the parts of a line at the top.
const DIVIDERS: &[&str] = &["\t", "|", "•", "·", "●", "◆", " * ", " – ", " — ", " - ", "；", "//"];

impl Person {
    pub(super) fn of(sections: &[Section]) -> Self {
        let about = |section: &&Section| matches!(section.kind, None | Some(Kind::Contact));
        let lines: Vec<_> =
            sections.iter().filter(about).flat_map(|section| &section.lines).collect();
        let top: Vec<_> = sections.iter().filter(|section| section.kind.is_none()).collect();
        let top: Vec<_> = top.into_iter().flat_map(|section| &section.lines).collect();
        let name_at = name_line(&top);
        let name =
            labelled(&lines, NAME_LABELS).or_else(|| name_at.map(|at| name_in(&top[at].text)));
        // What stands beside a name is said of it as well.
        let is_name = |line: &Line| name_at.is_some_and(|at| std::ptr::eq(line, top[at]));
        let said = |line: &'_ Line| -> Vec<String> {
            let own = usize::from(is_name(line));
            parts(&line.text).into_iter().skip(own).map(str::to_owned).collect()
        };
        let location = labelled(&lines, PLACE_LABELS)
            .or_else(|| lines.iter().flat_map(|line| said(line)).find(|part| is_place(part)));
        let headline = name_at.and_then(|at| {
            let near: Vec<_> =
                top[at..].iter().take(HEADLINE_LINES).flat_map(|line| said(line)).collect();
            headline(&near, location.as_deref())
        });
        Self { name, headline, location }
    }
}

/// What stands behind one of these labels: `Name: Jane Doe`, `Name` and the rest in columns.
fn labelled(lines: &[&Line], labels: &[&str]) -> Option<String> {
    lines.iter().find_map(|line| {
        let text = super::entries::bullet(&line.text).unwrap_or(&line.text);
        let (label, value) = text.split_once([':', '：', '\t'])?;
        let value = value.trim_matches([':', '：', '\t', ' ']);
        // What else stands in the line is about something else.
        let value = value.split(['\t', '|']).next().unwrap_or_default().trim();
        let is_it = labels.contains(&label.trim().to_lowercase().as_str());
        (is_it && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Where the name is: the largest of the first lines that can be one, or else the first.
fn name_line(top: &[&Line]) -> Option<usize> {
    let may_be = |at: &usize| is_name(&name_in(&top[*at].text));
    let candidates: Vec<_> = (0..top.len()).filter(may_be).collect();
    let by_size = |a: &&usize, b: &&usize| top[**a].size.total_cmp(&top[**b].size);
    // Of equal ones the last would be taken.
    let largest = candidates.iter().rev().max_by(by_size).copied();
    largest.filter(|at| top[*at].size > 0.0 || *at < NAME_LINES)
}

/// A line's first part, without titles that stand behind a comma.
fn name_in(line: &str) -> String {
    let first = parts(line).into_iter().next().unwrap_or_default();
    first.split(',').next().unwrap_or_default().trim().to_owned()
}

fn is_name(text: &str) -> bool {
    let particles = [
        "de", "da", "do", "dos", "das", "del", "della", "di", "van", "von", "vom", "zu", "der",
        "den", "ter", "ten", "la", "le", "el", "al", "bin", "bint", "ibn", "y", "e", "af", "av",
    ];
    let words: Vec<_> = text.split_whitespace().collect();
    let is_written_so = text
        .chars()
        .all(|c| c.is_alphabetic() || c.is_whitespace() || "'’.-‑·\"“”".contains(c) || is_mark(c));
    let is_capital = |word: &str| {
        word.trim_start_matches(['"', '“']).chars().next().is_some_and(char::is_uppercase)
    };
    let is_fit = |word: &str| is_capital(word) || particles.contains(&word) || has_no_case(word);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let fits = if words.iter().all(|word| word.chars().all(is_ideograph)) {
        (2..=6).contains(&letters)
    } else {
        let is_some = |word: &&str| is_capital(word) || has_no_case(word);
        let all_fit = words.iter().all(|word| is_fit(word));
        (2..=6).contains(&words.len()) && all_fit && words.iter().any(is_some)
    };
    is_written_so
        && fits
        && !is_document_name(text)
        && headings::kind(text).is_none()
        && !words.last().is_some_and(|word| super::entries::is_suffix(word))
        && !vocabulary::titles().are_in(text)
        && !vocabulary::institutions().are_in(text)
}

/// An accent that is a character of its own.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{900}'..='\u{DFF}' | '\u{E00}'..='\u{E7F}')
}

fn has_no_case(word: &str) -> bool {
    word.chars().all(|c| !c.is_uppercase() && !c.is_lowercase())
}

/// What somebody calls themselves stands right behind the name or below it.
fn headline(near: &[String], location: Option<&str>) -> Option<String> {
    let is_one = |part: &&String| {
        let words = part.split_whitespace().count();
        let letters = part.chars().filter(|c| c.is_alphabetic()).count();
        (1..=MAX_HEADLINE_WORDS).contains(&words)
            && letters >= 3
            && !contacts::has_any(part)
            && Some(part.as_str()) != location
            && !part.contains([':', '：', '@'])
            && !part.chars().any(|c| c.is_ascii_digit())
            && !is_document_name(part)
    };
    let titled = near.iter().filter(is_one).find(|part| vocabulary::titles().are_in(part));
    let first = || near.first().filter(is_one).filter(|part| !is_place(part));
    titled.or_else(first).cloned()
}

fn parts(line: &str) -> Vec<&str> {
    let line = super::entries::bullet(line).unwrap_or(line);
    let mut parts = vec![line];
    for divider in DIVIDERS {
        parts = parts.into_iter().flat_map(|part| part.split(divider)).collect();
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `Portland, OR 97205`, `04105 Leipzig`, `12 rue des Églantiers, 69003 Lyon`.
fn is_place(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().collect();
    let is_code = |word: &str| {
        let digits = word.trim_end_matches(',').bytes().filter(u8::is_ascii_digit).count();
        (4..=6).contains(&digits) && word.len() <= 9
    };
    let has_code = words.iter().any(|word| is_code(word));
    let is_named = |word: &str| {
        let first = word.chars().next().unwrap_or(' ');
        first.is_uppercase() || first.is_ascii_digit() || is_ideograph(first)
    };
    let particles = [
        "de", "of", "am", "an", "der", "del", "la", "le", "les", "des", "du", "im", "in", "sur",
        "rue", "calle",
    ];
    let is_fit = |word: &str| is_named(word) || particles.contains(&word);
    let chunks = text.split(',').map(str::trim).filter(|chunk| !chunk.is_empty()).count();
    let is_sized = (2..=10).contains(&words.len()) && chunks <= 4;
    let is_other = contacts::has_any(text)
        || text.contains(['@', ':', '.', '：'])
        || vocabulary::titles().are_in(text)
        || vocabulary::organisations().are_in(text)
        || vocabulary::degrees().are_in(text);
    is_sized && !is_other && words.iter().all(|word| is_fit(word)) && (chunks >= 2 || has_code)
}

#[cfg(test)]
mod tests {
    use super::super::document::Paper;
    use super::super::sections;
    use super::*;

    fn check(text: &str, name: &str, headline: &str, location: &str) {
        let person = Person::of(&sections::split(&Paper::of_text(text).lines));
        let found = [person.name, person.headline, person.location].map(Option::unwrap_or_default);
        assert_eq!(found, [name, headline, location], "{text}");
    }

    #[test]
    fn a_name_stands_at_the_top() {
        check("Jane Doe, PhD\nBaker", "Jane Doe", "Baker", "");
        check("JANE A. DOE\nBaker\nParis, France", "JANE A. DOE", "Baker", "Paris, France");
        check(
            "Curriculum Vitae\nLudwig van der Berg, PhD\n\nSkills\nx",
            "Ludwig van der Berg",
            "",
            "",
        );
        check("李晓明\n软件工程师", "李晓明", "软件工程师", "");
        check("Resume\n\nSkills\nBaking Bread", "", "", "");
    }

    #[test]
    fn a_label_says_it_too() {
        check(
            "Lebenslauf\nPersönliche Daten\nName:      Jürgen Groß\nAnschrift:     Am Tor 1, 04105 Leipzig",
            "Jürgen Groß",
            "",
            "Am Tor 1, 04105 Leipzig",
        );
    }

    #[test]
    fn a_line_may_hold_several_things() {
        check(
            "Priya Rao\nMarine Biologist — Hobart, Tasmania\na@b.example · +61 3 5550 0198",
            "Priya Rao",
            "Marine Biologist",
            "Hobart, Tasmania",
        );
        check(
            "Ann Lee | Software Engineer\n1 Mill Lane, Bristol BS1 4ST • 0117 496 0123",
            "Ann Lee",
            "Software Engineer",
            "1 Mill Lane, Bristol BS1 4ST",
        );
    }

    #[test]
    fn nothing_is_made_up() {
        check("to whom it may concern\nplease read this", "", "", "");
        check("Software Engineer\nAcme Inc", "", "", "");
    }
}
