//! Which languages somebody speaks.

use serde::Serialize;

use super::document::Line;
use super::entries::bullet;

/// A language, and how well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Language {
    name: String,
    level: Option<String>,
}

/// More are not kept.
const MAX_LANGUAGES: usize = 50;

/// What has more words is a sentence.
const MAX_NAME_WORDS: usize = 3;

/// The languages of a section.
pub(super) fn of(lines: &[Line]) -> Vec<Language> {
    let lines = lines.iter().map(|line| bullet(&line.text).unwrap_or(&line.text));
    let items = lines.flat_map(items);
    items.filter_map(language).take(MAX_LANGUAGES).collect()
}

/// `English (C1, TOEFL), Deutsch: Muttersprache`; what stands in brackets is not divided.
fn items(line: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_divider = |c: char| {
        match c {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && ",;|•·、，；/".contains(c)
    };
    line.split(is_divider).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// `English (C1)`, `English: C1`, `English – C1`, or columns.
fn language(item: &str) -> Option<Language> {
    let dividers = ["\t", "(", "（", " : ", ":", "：", " – ", " — ", " - "];
    let split = dividers.iter().filter_map(|divider| item.split_once(divider));
    let split = split.min_by_key(|(name, _)| name.len());
    let (name, level) = split.or_else(|| by_level(item)).unwrap_or((item, ""));
    let is_edge = |c: char| c.is_whitespace() || "()（）-–—:：.".contains(c);
    let (name, level) = (name.trim_matches(is_edge), level.trim_matches(is_edge));
    let is_name = name.chars().any(char::is_alphabetic)
        && !name.chars().any(|c| c.is_ascii_digit())
        && name.split_whitespace().count() <= MAX_NAME_WORDS;
    let level = (!level.is_empty()).then(|| level.to_owned());
    is_name.then(|| Language { name: name.to_owned(), level })
}

/// How well, in words that need nothing before them: `English fluent`.
const LEVELS: &[&str] = &[
    "native",
    "mother",
    "fluent",
    "advanced",
    "intermediate",
    "basic",
    "beginner",
    "professional",
    "conversational",
    "proficient",
    "muttersprache",
    "fließend",
    "verhandlungssicher",
    "grundkenntnisse",
    "courant",
    "langue",
    "notions",
    "nativo",
    "nativa",
    "fluido",
    "madrelingua",
    "ottimo",
    "родной",
    "свободно",
    "a1",
    "a2",
    "b1",
    "b2",
    "c1",
    "c2",
];

fn by_level(item: &str) -> Option<(&str, &str)> {
    let mut spaces = item.match_indices(' ').map(|(at, _)| item.split_at(at));
    spaces.find(|(_, rest)| {
        let next = rest.split_whitespace().next().unwrap_or_default().to_lowercase();
        LEVELS.contains(&next.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::super::document::Paper;
    use super::*;

    fn check(section: &str, expected: &[(&str, &str)]) {
        let languages = of(&Paper::of_text(section).lines);
        let found: Vec<_> =
            languages.iter().map(|l| (l.name.as_str(), l.level.as_deref().unwrap_or(""))).collect();
        assert_eq!(found, expected, "{section}");
    }

    #[test]
    fn languages_have_levels_in_many_forms() {
        check("English (native), Spanish (B2)", &[("English", "native"), ("Spanish", "B2")]);
        check("- Polish – native\n- English – C1", &[("Polish", "native"), ("English", "C1")]);
        check(
            "Deutsch:   Muttersprache\nEnglisch      B2",
            &[("Deutsch", "Muttersprache"), ("Englisch", "B2")],
        );
        check(
            "Français : langue maternelle ; anglais : C1",
            &[("Français", "langue maternelle"), ("anglais", "C1")],
        );
        check("Русский — родной, английский — B2", &[("Русский", "родной"), ("английский", "B2")]);
        check("英语（CET-6）", &[("英语", "CET-6")]);
        check("English fluent; Dutch B1", &[("English", "fluent"), ("Dutch", "B1")]);
        check("English, French", &[("English", ""), ("French", "")]);
    }

    #[test]
    fn sentences_are_no_languages() {
        check("I speak several of them well", &[]);
    }
}
