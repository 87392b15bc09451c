//! A document's lines by the headings they stand under.

use super::dates;
use super::document::Line;
use super::headings::{self, Kind};

/// A heading and what stands under it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    /// Nothing for what stands under no heading, such as a name at the top.
    pub(super) kind: Option<Kind>,
    /// As it was written.
    pub(super) heading: String,
    pub(super) lines: Vec<Line>,
}

/// How much larger than the headings a name is.
const NAME_FACTOR: f64 = 1.15;

/// Sizes that differ by less are the same.
const SAME_SIZE: f64 = 0.2;

/// Divides a document.
pub(super) fn split(lines: &[Line]) -> Vec<Section> {
    let lines: Vec<_> = lines.iter().map(unmarked).filter(|l| !is_page_number(&l.text)).collect();
    let style = Style::of(&lines);
    let mut sections = Vec::new();
    let mut open = Section { kind: None, heading: String::new(), lines: Vec::new() };
    for (index, line) in lines.iter().enumerate() {
        let Some(mut section) = style.begun_by(&lines, index, &open) else {
            open.lines.push(line.clone());
            continue;
        };
        std::mem::swap(&mut open, &mut section);
        sections.push(section);
    }
    sections.push(open);
    sections.retain(|section| section.kind.is_some() || !section.lines.is_empty());
    sections
}

/// How the document at hand sets its headings.
struct Style {
    /// Sizes of headings that we know, if they are larger than what stands below them.
    sizes: Vec<f64>,
    are_shouted: bool,
    /// The line that is larger than all others: a name, most likely.
    largest: Option<usize>,
}

impl Style {
    fn of(lines: &[Line]) -> Self {
        let known: Vec<_> =
            lines.iter().filter(|line| headings::kind(&line.text).is_some()).collect();
        let mut all: Vec<_> = lines.iter().map(|line| line.size).collect();
        all.sort_by(f64::total_cmp);
        let usual = all.get(all.len() / 2).copied().unwrap_or(0.0);
        let mut sizes: Vec<_> =
            known.iter().map(|line| line.size).filter(|size| *size > usual + SAME_SIZE).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        let largest_heading = known.iter().map(|line| line.size).fold(usual, f64::max);
        let largest = (0..lines.len()).max_by(|a, b| lines[*a].size.total_cmp(&lines[*b].size));
        let largest = largest.filter(|at| lines[*at].size > largest_heading * NAME_FACTOR);
        let shouted = known.iter().filter(|line| headings::is_shouted(&line.text)).count();
        Self { sizes, are_shouted: shouted > 1, largest }
    }

    /// The section that a line begins, if it is a heading.
    fn begun_by(&self, lines: &[Line], index: usize, open: &Section) -> Option<Section> {
        let line = &lines[index];
        let section = |kind, heading: &str, rest: Option<&str>| {
            let rest = rest.map(str::trim).filter(|rest| !rest.is_empty());
            let lines = rest.map(|text| Line { text: text.to_owned(), ..line.clone() });
            Some(Section { kind, heading: heading.to_owned(), lines: lines.into_iter().collect() })
        };
        // The document's own name is no heading, even where it means a summary.
        if index == 0 && is_document_name(&line.text) {
            return None;
        }
        if let Some(kind) = headings::kind(&line.text) {
            return section(Some(kind), &line.text, None);
        }
        // After a column that ended, the name stands for itself again.
        if self.largest == Some(index) {
            return section(None, "", Some(&line.text));
        }
        if let Some((heading, rest)) = line.text.split_once('\t')
            && let Some(kind) = headings::kind(heading)
        {
            return section(Some(kind), heading, Some(rest));
        }
        if let Some((heading, rest)) = line.text.split_once(':')
            && open.kind != Some(Kind::Skills)
            && let Some(kind @ (Kind::Skills | Kind::Languages | Kind::Summary)) =
                headings::kind(heading)
        {
            return section(Some(kind), heading, Some(rest));
        }
        let is_set_so = self.sizes.iter().any(|size| (line.size - size).abs() < SAME_SIZE);
        let looks_so = is_set_so || (self.are_shouted && headings::is_shouted(&line.text));
        let is_followed_by_date =
            lines[index..].iter().take(3).any(|line| dates::find(&line.text).is_some());
        let is_new = looks_so && line.is_apart && open.kind.is_some() && !is_followed_by_date;
        if is_new { section(Some(Kind::Other), &line.text, None) } else { None }
    }
}

/// What a document calls itself.
pub(super) fn is_document_name(line: &str) -> bool {
    let letters: String = line.chars().filter(|c| c.is_alphabetic()).collect();
    let names = [
        "curriculumvitae",
        "curriculum",
        "vitae",
        "cv",
        "resume",
        "résumé",
        "lebenslauf",
        "tabellarischerlebenslauf",
        "bewerbung",
        "hojadevida",
        "currículumvítae",
        "currículum",
        "резюме",
        "履歴書",
        "職務経歴書",
        "简历",
        "個人簡歷",
        "个人简历",
    ];
    names.contains(&letters.to_lowercase().as_str())
}

/// `Page 1 of 2`, `- 3 -`, `1/2`
fn is_page_number(line: &str) -> bool {
    let words = ["page", "seite", "página", "of", "von", "de", "sur", "стр", "из"];
    let mut parts = line.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let is_part = |part: &str| {
        words.contains(&part.to_lowercase().as_str())
            || (part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    line.bytes().any(|b| b.is_ascii_digit()) && line.len() < 24 && parts.all(is_part)
}

/// Without the marks by which Markdown says how a line looks.
fn unmarked(line: &Line) -> Line {
    let mut text = line.text.trim();
    let marks = text.len() - text.trim_start_matches('#').len();
    if (1..=6).contains(&marks) && text[marks..].starts_with([' ', '\t']) {
        text = text[marks..].trim();
    }
    let is_rule = text.len() > 2 && text.chars().all(|c| "-=_*~─━═".contains(c));
    let mut text = if is_rule { String::new() } else { text.replace("**", "").replace("__", "") };
    if let Some(inner) = text.strip_prefix('*').and_then(|text| text.strip_suffix('*')) {
        text = inner.into();
    }
    Line { text, ..line.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::document::Paper;
    use super::*;

    fn check(text: &str, expected: &[(Option<Kind>, &str, &[&str])]) {
        let sections = split(&Paper::of_text(text).lines);
        let found: Vec<_> = sections
            .iter()
            .map(|s| {
                (s.kind, s.heading.as_str(), s.lines.iter().map(|l| l.text.as_str()).collect())
            })
            .collect();
        let expected: Vec<(_, _, Vec<&str>)> = expected
            .iter()
            .map(|(kind, heading, lines)| (*kind, *heading, lines.to_vec()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lines_stand_under_their_headings() {
        check(
            "Jane Doe\n\nEXPERIENCE\nBaker\n\nSkills: bread, cake\nPage 1 of 2",
            &[
                (None, "", &["Jane Doe"]),
                (Some(Kind::Experience), "EXPERIENCE", &["Baker"]),
                (Some(Kind::Skills), "Skills", &["bread, cake"]),
            ],
        );
    }

    #[test]
    fn headings_may_stand_beside_what_they_head() {
        check(
            "Experience     Baker\n               Cook",
            &[(Some(Kind::Experience), "Experience", &["Baker", "Cook"])],
        );
    }

    #[test]
    fn programming_languages_are_not_spoken() {
        check(
            "Skills\nLanguages: Rust, Go",
            &[(Some(Kind::Skills), "Skills", &["Languages: Rust, Go"])],
        );
    }

    #[test]
    fn unknown_headings_are_known_by_their_look() {
        check(
            "SKILLS\nbread\n\nEDUCATION\nBSc\n\nBOAT LICENCES\nSail",
            &[
                (Some(Kind::Skills), "SKILLS", &["bread"]),
                (Some(Kind::Education), "EDUCATION", &["BSc"]),
                (Some(Kind::Other), "BOAT LICENCES", &["Sail"]),
            ],
        );
        // A company in capitals is none.
        check(
            "SKILLS\nbread\n\nEXPERIENCE\n\nACME WORKS\nBaker, 2019 - 2020",
            &[
                (Some(Kind::Skills), "SKILLS", &["bread"]),
                (Some(Kind::Experience), "EXPERIENCE", &["ACME WORKS", "Baker, 2019 - 2020"]),
            ],
        );
    }

    #[test]
    fn markdown_is_read_as_it_is_meant() {
        check(
            "# Résumé\n## Skills\n---\n- **bread**\n*cake*\nC#",
            &[
                (None, "", &["Résumé"]),
                (Some(Kind::Skills), "Skills", &["", "- bread", "cake", "C#"]),
            ],
        );
    }

    #[test]
    fn the_largest_line_stands_for_itself() {
        let line = |text: &str, size| Line { text: text.into(), size, is_apart: true };
        let lines = [
            line("Skills", 11.0),
            line("bread", 10.0),
            line("Jane Doe", 20.0),
            line("Baker", 10.0),
            line("Experience", 11.0),
        ];
        let found: Vec<_> =
            split(&lines).into_iter().map(|section| (section.kind, section.lines.len())).collect();
        assert_eq!(found, [(Some(Kind::Skills), 1), (None, 2), (Some(Kind::Experience), 0)]);
    }
}
