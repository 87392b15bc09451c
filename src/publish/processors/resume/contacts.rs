//! How to reach somebody: addresses of mail, telephone numbers, links.

use super::dates;

/// What was found, each once, in the order of the document.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Contacts {
    pub(super) emails: Vec<String>,
    pub(super) phones: Vec<String>,
    pub(super) links: Vec<String>,
}

/// More of one kind are not kept.
const MAX_EACH: usize = 50;

impl Contacts {
    /// Adds what a line says. Where people say how to reach them, any long number is one to call;
    /// elsewhere only what begins like one.
    pub(super) fn add_line(&mut self, line: &str, is_about_contact: bool) {
        for email in emails(line) {
            put(&mut self.emails, email);
        }
        for link in links(line) {
            put(&mut self.links, link);
        }
        for phone in phones(line, is_about_contact) {
            put(&mut self.phones, phone);
        }
    }

    /// Adds where a link leads.
    pub(super) fn add_link(&mut self, address: &str) {
        if let Some(email) = address.strip_prefix("mailto:") {
            for email in emails(email) {
                put(&mut self.emails, email);
            }
        } else if let Some(phone) = address.strip_prefix("tel:") {
            // The text says the same in a better form, most often.
            if self.phones.is_empty() {
                put(&mut self.phones, phone.to_owned());
            }
        } else if address.starts_with("http://") || address.starts_with("https://") {
            put(&mut self.links, address.to_owned());
        }
    }
}

/// Keeps a thing once; `github.com/a` and `https://github.com/a/` are one.
fn put(list: &mut Vec<String>, thing: String) {
    let bare = |text: &str| {
        let text = text.trim_start_matches("https://").trim_start_matches("http://");
        text.trim_start_matches("www.").trim_end_matches('/').to_lowercase()
    };
    if list.len() < MAX_EACH && !list.iter().any(|known| bare(known) == bare(&thing)) {
        list.push(thing);
    }
}

/// Whether there is anything by which to reach somebody.
pub(super) fn has_any(text: &str) -> bool {
    !emails(text).is_empty() || !links(text).is_empty() || !phones(text, true).is_empty()
}

fn emails(line: &str) -> Vec<String> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    let mut found = Vec::new();
    for (at, _) in line.match_indices('@') {
        let before = &line[..at];
        let local = &before[before.trim_end_matches(is_local).len()..];
        let local = local.trim_start_matches(['.', '-', '+']);
        let after = &line[at + 1..];
        let domain = &after[..after.find(|c| !is_domain(c)).unwrap_or(after.len())];
        let domain = domain.trim_end_matches(['.', '-']);
        let last = domain.rsplit('.').next().unwrap_or_default();
        let is_host = domain.contains('.') && !domain.contains("..") && !domain.starts_with('.');
        let is_top = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
        if !local.is_empty() && is_host && is_top {
            found.push(format!("{local}@{domain}"));
        }
    }
    found
}

/// Hosts at which people have pages that they name without `https://`.
const WELL_KNOWN: &[&str] = &[
    "linkedin.com/",
    "github.com/",
    "gitlab.com/",
    "bitbucket.org/",
    "xing.com/",
    "orcid.org/",
    "twitter.com/",
    "x.com/",
    "behance.net/",
    "dribbble.com/",
    "medium.com/",
    "stackoverflow.com/",
    "kaggle.com/",
    "researchgate.net/",
    "scholar.google.com/",
    "instagram.com/",
    "t.me/",
    "vk.com/",
    "huggingface.co/",
    "codeberg.org/",
    "dev.to/",
];

fn links(line: &str) -> Vec<String> {
    let is_end = |c: char| c.is_whitespace() || "|•·,;()<>[]\"'、，；".contains(c);
    let words = line.split(is_end).map(|word| word.trim_end_matches(['.', ':', '!', '?']));
    let is_link = |word: &&str| {
        let lower = word.to_ascii_lowercase();
        let bare = lower.strip_prefix("www.").unwrap_or(&lower);
        let is_address = ["http://", "https://"]
            .iter()
            .any(|scheme| lower.strip_prefix(scheme).is_some_and(|rest| rest.contains('.')));
        let is_page = WELL_KNOWN.iter().any(|host| {
            bare.find(host).is_some_and(|at| {
                // `de.linkedin.com/in/x`, but not `notgithub.com/x`.
                (at == 0 || bare[..at].ends_with('.')) && bare.len() > at + host.len()
            })
        });
        let is_www = lower.len() > bare.len() && bare.contains('.');
        !word.contains('@') && (is_address || is_page || is_www)
    };
    words.filter(is_link).map(str::to_owned).collect()
}

/// What says that a number is one to call.
const LABELS: &[&str] = &[
    "phone", "tel", "mobil", "cell", "handy", "fon", "móvil", "тел", "电话", "手机", "電話", "携帯",
];

fn phones(line: &str, is_about_contact: bool) -> Vec<String> {
    let lower = line.to_lowercase();
    let is_labelled = LABELS.iter().any(|label| lower.contains(label));
    let belongs = |c: char| c.is_ascii_digit() || " \u{A0}.-‑–/()".contains(c);
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c == '+' || c == '(' || c.is_ascii_digit()) {
        let length =
            rest[start + 1..].find(|c| !belongs(c)).map_or(rest.len() - start, |at| at + 1);
        let candidate = &rest[start..start + length];
        // A number within a word, or within an address.
        let before = rest[..start].chars().next_back();
        let is_within = before.is_some_and(|c| c.is_alphanumeric() || "/@#_=".contains(c));
        let after = rest[start + length..].chars().next();
        let goes_on = after.is_some_and(|c| c == '@' || c == '_' || c == '=');
        let phone = trimmed(candidate);
        let digits = phone.bytes().filter(u8::is_ascii_digit).count();
        let begins_so = phone.starts_with(['+', '(']) || phone.starts_with("00");
        let is_meant = begins_so || is_labelled || is_about_contact;
        let is_date = !phone.starts_with('+') && dates::find(&phone).is_some();
        if (7..=15).contains(&digits) && is_meant && !is_within && !goes_on && !is_date {
            found.push(phone);
        }
        rest = &rest[start + length..];
    }
    found
}

/// Without what only led to it or away from it, spaces made even.
fn trimmed(candidate: &str) -> String {
    let text = candidate.trim_matches(|c: char| c.is_whitespace() || ".-–/".contains(c));
    let text = if text.contains(')') { text } else { text.trim_start_matches('(') };
    let text = if text.contains('(') { text } else { text.trim_end_matches(')') };
    let text = text.trim_end_matches(['(', ' ']);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_addresses_are_found() {
        let check = |line: &str, expected: &[&str]| assert_eq!(emails(line), expected, "{line}");
        check("Mail: a.b+c@mail.example.org.", &["a.b+c@mail.example.org"]);
        check("<a@b.co>, c@d.example | x", &["a@b.co", "c@d.example"]);
        check("邮箱：li@example.cn", &["li@example.cn"]);
        check("@handle a@b a@.b c@d..e f@g.1", &[]);
    }

    #[test]
    fn links_are_found() {
        let check = |line: &str, expected: &[&str]| assert_eq!(links(line), expected, "{line}");
        check(
            "See https://a.example/x, (www.b.example).",
            &["https://a.example/x", "www.b.example"],
        );
        check(
            "[me](https://a.example) linkedin.com/in/jane",
            &["https://a.example", "linkedin.com/in/jane"],
        );
        check("de.linkedin.com/in/x github.com/ notgithub.com/x", &["de.linkedin.com/in/x"]);
        check("Node.js and a.b@www.c.example", &[]);
    }

    #[test]
    fn telephone_numbers_are_found() {
        let check =
            |line: &str, expected: &[&str]| assert_eq!(phones(line, true), expected, "{line}");
        check("OR 97205 | +1 (503) 555-0142 | x", &["+1 (503) 555-0142"]);
        check("Tel. 0341 / 555 01 23", &["0341 / 555 01 23"]);
        check("BS1 4ST • 0117 496 0123 • x", &["0117 496 0123"]);
        check("(030) 555-0199, +44\u{A0}7700 900123", &["(030) 555-0199", "+44 7700 900123"]);
        check("电话：+86 138 5550 0123", &["+86 138 5550 0123"]);
        for line in [
            "2015 - 2018",
            "01.04.2012 - 31.12.2014",
            "04105 Leipzig",
            "a1234567",
            "x.org/12345678",
        ] {
            check(line, &[]);
        }
    }

    #[test]
    fn elsewhere_a_number_must_look_like_one_to_call() {
        let check =
            |line: &str, expected: &[&str]| assert_eq!(phones(line, false), expected, "{line}");
        check("served 1 200 000 users", &[]);
        check("call +49 30 555 0199", &["+49 30 555 0199"]);
        check("Phone 030 555 0199", &["030 555 0199"]);
    }

    #[test]
    fn the_same_is_kept_once() {
        let mut contacts = Contacts::default();
        contacts.add_line("github.com/a a@b.example", true);
        contacts.add_link("https://github.com/a/");
        contacts.add_link("mailto:A@b.example?subject=x");
        contacts.add_link("tel:+123456789");
        contacts.add_link("javascript:alert(1)");
        assert_eq!(contacts.links, ["github.com/a"]);
        assert_eq!(contacts.emails, ["a@b.example"]);
        assert_eq!(contacts.phones, ["+123456789"]);
    }
}
