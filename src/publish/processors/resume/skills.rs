//! What somebody can do: what stands under that heading, and what is known by name elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::document::Line;
use super::entries::bullet;

/// More are not kept.
const MAX_SKILLS: usize = 200;

/// What has more words is a sentence, from which only known names are taken.
const MAX_WORDS: usize = 6;

/// Skills, each once, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Skills {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Skills {
    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }

    /// Adds what stands under a heading of skills.
    pub(super) fn add_section(&mut self, lines: &[Line]) {
        for line in joined(lines) {
            for item in items(&line) {
                if item.split_whitespace().count() <= MAX_WORDS {
                    self.add(item);
                } else {
                    self.add_known(item);
                }
            }
        }
    }

    /// Adds the skills that are known by name.
    pub(super) fn add_known(&mut self, text: &str) {
        static BY_START: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(by_start);
        let mut rest = text;
        let mut before = ' ';
        while let Some(first) = rest.chars().next() {
            let word = &rest[..word_end(rest)];
            // The longest name that begins here: `React Native` rather than `React`.
            let named = BY_START.get(word).filter(|_| !is_word(before)).and_then(|names| {
                let begins =
                    |name: &&&str| rest.strip_prefix(**name).is_some_and(|after| !goes_on(after));
                names.iter().filter(begins).max_by_key(|name| name.len())
            });
            let length = named.map_or(word.len().max(first.len_utf8()), |name| name.len());
            if let Some(name) = named {
                self.add(name);
            }
            before = rest[..length].chars().next_back().unwrap_or(' ');
            rest = &rest[length..];
        }
    }

    fn add(&mut self, skill: &str) {
        let is_new = self.list.len() < MAX_SKILLS && self.known.insert(skill.to_lowercase());
        if is_new {
            self.list.push(skill.to_owned());
        }
    }
}

/// The names by the word that they begin with.
fn by_start() -> HashMap<&'static str, Vec<&'static str>> {
    let mut names: HashMap<_, Vec<_>> = HashMap::new();
    for name in include_str!("skills.txt").lines().filter(|line| !line.starts_with('#')) {
        names.entry(&name[..word_end(name)]).or_default().push(name);
    }
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the first word of a text ends; a mark is a word for itself.
fn word_end(text: &str) -> usize {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    end.max(text.chars().next().map_or(0, char::len_utf8))
}

/// Whether a name does not end here: `Java` in `JavaScript`, `C` in `C++`, `Vue` in `Vue.js`.
fn goes_on(after: &str) -> bool {
    let mut chars = after.chars();
    match chars.next() {
        Some('+' | '#') => true,
        Some('.') => chars.next().is_some_and(char::is_alphanumeric),
        Some(c) => is_word(c),
        None => false,
    }
}

/// Lines, those that end within a list put together with the next.
fn joined(lines: &[Line]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines {
        let item = bullet(&line.text);
        let text = item.unwrap_or(&line.text);
        let starts_small = text.chars().next().is_some_and(char::is_lowercase);
        match joined.last_mut() {
            Some(last) if item.is_none() && starts_small && last.contains([',', ';']) => {
                last.push(' ');
                last.push_str(text);
            }
            _ => joined.push(text.to_owned()),
        }
    }
    joined
}

/// The items of a line, without the name of their group: `Tools: a, b (c, d); e`.
pub(super) fn items(line: &str) -> Vec<&str> {
    // A group in a column of its own is one as well, if a list follows.
    let is_end = |c: char| c == ':' || c == '：' || (c == '\t' && line.matches('\t').count() == 1);
    let group_end = line.find(is_end).filter(|at| {
        let rest = line[*at..].trim_start_matches(is_end);
        let is_list = !line[*at..].starts_with('\t') || rest.contains([',', ';']);
        let is_short = line[..*at].split_whitespace().count() <= 4 && !line[..*at].contains(',');
        is_short && is_list && rest.chars().any(char::is_alphanumeric)
    });
    let list = group_end.map_or(line, |at| line[at..].trim_start_matches(is_end));
    let mut depth = 0_usize;
    let is_divider = |c: char| {
        match c {
            '(' | '（' | '[' => depth += 1,
            ')' | '）' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && ",;|•·●▪‣\t、，；".contains(c)
    };
    let items =
        list.split(is_divider).flat_map(|item| item.split(" - ")).flat_map(|i| i.split(" – "));
    let is_edge = |c: char| c.is_whitespace() || "-–—*•.".contains(c);
    let trimmed = |item: &'_ str| -> (usize, usize) {
        let start = item.len()
            - item.trim_start_matches(|c: char| c.is_whitespace() || "-–—*•".contains(c)).len();
        (start, item.trim_end_matches(is_edge).len())
    };
    let items = items.map(|item| {
        let (start, end) = trimmed(item);
        item.get(start..end).unwrap_or_default()
    });
    items.filter(|item| item.chars().any(char::is_alphanumeric)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::Paper;
    use super::*;

    fn check(section: &str, elsewhere: &str, expected: &[&str]) {
        let mut skills = Skills::default();
        skills.add_section(&Paper::of_text(section).lines);
        skills.add_known(elsewhere);
        assert_eq!(skills.into_list(), expected, "{section} {elsewhere}");
    }

    #[test]
    fn a_list_is_divided() {
        check("Rust, Go; SQL | R • C#\n.NET", "", &["Rust", "Go", "SQL", "R", "C#", ".NET"]);
        check("Tools: Git, Docker (Compose, Swarm)", "", &["Git", "Docker (Compose, Swarm)"]);
        check("Tools      Git, Docker\nRust       Go", "", &["Git", "Docker", "Rust", "Go"]);
        check("• Wound care\n• Triage.", "", &["Wound care", "Triage"]);
        check("Java、Spring、MySQL", "", &["Java", "Spring", "MySQL"]);
        check(
            "public speaking, machine\nlearning, Rust",
            "",
            &["public speaking", "machine learning", "Rust"],
        );
    }

    #[test]
    fn each_is_kept_once() {
        check("Rust, rust", "Rust", &["Rust"]);
    }

    #[test]
    fn names_are_known_elsewhere() {
        check(
            "",
            "Built with React Native, C++ and Node.js on AWS.",
            &["React Native", "C++", "Node.js", "AWS"],
        );
        check("", "Vue, JavaScript; .NET and ASP.NET", &["Vue", "JavaScript", ".NET", "ASP.NET"]);
        check("I have worked with SQL for many years and like it", "", &["SQL"]);
    }

    #[test]
    fn parts_of_words_are_no_skills() {
        check("", "Javanese trust, sassy reacting, MySQLish, SAPling Go R", &[]);
    }
}
