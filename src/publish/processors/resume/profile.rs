//! What a résumé says, as far as it was found.

use serde::Serialize;

use super::contacts::Contacts;
use super::document::Paper;
use super::entries::{self, Post, Study};
use super::headings::Kind;
use super::languages::{self, Language};
use super::person::Person;
use super::sections::{self, Section};
use super::skills::Skills;

/// The result of an analysis. What was not found is null or empty.
#[derive(Debug, Serialize)]
pub(super) struct Profile {
    name: Option<String>,
    headline: Option<String>,
    location: Option<String>,
    emails: Vec<String>,
    phones: Vec<String>,
    links: Vec<String>,
    summary: Option<String>,
    skills: Vec<String>,
    experience: Vec<Post>,
    education: Vec<Study>,
    languages: Vec<Language>,
    sections: Vec<Heading>,
    text_chars: usize,
    /// Null if the document has no pages.
    pages: Option<usize>,
}

/// A heading, and what it was taken for.
#[derive(Debug, Serialize)]
struct Heading {
    heading: String,
    kind: Kind,
}

/// A résumé whose parts are known: who, where to reach them, and its sections.
#[derive(Debug)]
pub(super) struct Parts {
    sections: Vec<Section>,
    person: Person,
    contacts: Contacts,
    text_chars: usize,
    pages: Option<usize>,
}

/// A summary is cut after so many characters.
const MAX_SUMMARY_CHARS: usize = 2_000;

/// Headings beyond that are not listed.
const MAX_HEADINGS: usize = 100;

impl Parts {
    /// Finds the parts of a document.
    pub(super) fn of(paper: &Paper) -> Self {
        let sections = sections::split(&paper.lines);
        let mut contacts = Contacts::default();
        for section in &sections {
            let is_about_contact = matches!(section.kind, None | Some(Kind::Contact));
            for line in &section.lines {
                contacts.add_line(&line.text, is_about_contact);
            }
        }
        paper.links.iter().for_each(|link| contacts.add_link(link));
        let text_chars = paper.lines.iter().map(|line| line.text.chars().count()).sum();
        let person = Person::of(&sections);
        Self { sections, person, contacts, text_chars, pages: paper.pages }
    }

    /// How many headings there are.
    pub(super) fn headings(&self) -> usize {
        self.sections.iter().filter(|section| section.kind.is_some()).count()
    }

    /// What the parts say.
    pub(super) fn analyzed(self) -> Profile {
        let summary = self.summary();
        let experience = self.of_kind(Kind::Experience).flat_map(|s| entries::posts(&s.lines));
        let education = self.of_kind(Kind::Education).flat_map(|s| entries::studies(&s.lines));
        let languages = self.of_kind(Kind::Languages).flat_map(|s| languages::of(&s.lines));
        let (experience, education) = (experience.collect(), education.collect());
        let languages = languages.collect();
        let skills = self.skills();
        let headings = self.sections.into_iter().filter_map(|section| {
            section.kind.map(|kind| Heading { heading: section.heading, kind })
        });
        Profile {
            name: self.person.name,
            headline: self.person.headline,
            location: self.person.location,
            emails: self.contacts.emails,
            phones: self.contacts.phones,
            links: self.contacts.links,
            summary,
            skills,
            experience,
            education,
            languages,
            sections: headings.take(MAX_HEADINGS).collect(),
            text_chars: self.text_chars,
            pages: self.pages,
        }
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(move |section| section.kind == Some(kind))
    }

    fn summary(&self) -> Option<String> {
        let lines = self.of_kind(Kind::Summary).flat_map(|section| &section.lines);
        let lines: Vec<_> = lines.map(|line| line.text.replace('\t', " ")).collect();
        let text: String = lines.join(" ").trim().chars().take(MAX_SUMMARY_CHARS).collect();
        (!text.is_empty()).then_some(text)
    }

    fn skills(&self) -> Vec<String> {
        let mut skills = Skills::default();
        for section in self.of_kind(Kind::Skills) {
            skills.add_section(&section.lines);
        }
        let is_other = |s: &&Section| !matches!(s.kind, Some(Kind::Contact | Kind::Skills));
        for section in self.sections.iter().filter(is_other) {
            section.lines.iter().for_each(|line| skills.add_known(&line.text));
        }
        skills.into_list()
    }
}
