//! The summaries that were made, within bounds: each for its session, and the content of all of them
//! as a cache for transcripts that come again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use serde::Serialize;

use super::textrank::Summary;
use super::transcript::Fingerprint;
use crate::event::topic::Identifier;

/// A summary as its session may see it.
#[derive(Debug, Clone)]
pub struct KeptSummary {
    /// Names it; the id of the item it was made for.
    pub id: Identifier,
    /// To whom it belongs.
    pub session: Identifier,
    /// What to call it.
    pub title: String,
    /// Whether it was made or found.
    pub source: Source,
    /// The engine that made it.
    pub model_used: &'static str,
    /// When it was put here: milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// What it says; shared by all summaries of the same transcript.
    pub content: Arc<Summary>,
    /// Which transcript it was made from.
    pub(super) fingerprint: Fingerprint,
}

/// Where a summary came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The same transcript had been summarized before, by the same engine.
    Cache,
    /// It was made for this request.
    Generated,
}

/// Keeps summaries; the oldest goes when there is no more room.
#[derive(Debug)]
pub(super) struct Shelf {
    by_id: HashMap<Identifier, Arc<KeptSummary>>,
    by_content: HashMap<Key, Weak<Summary>>,
    /// Oldest first.
    order: VecDeque<Arc<KeptSummary>>,
    bytes: usize,
    max_summaries: usize,
    max_bytes: usize,
}

type Key = (Fingerprint, &'static str);

impl Shelf {
    /// Room for so many summaries and bytes; 0 is no limit, and the newest always stays.
    pub(super) fn new(max_summaries: usize, max_bytes: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            by_content: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            max_summaries,
            max_bytes,
        }
    }

    /// What an engine made of the same transcript before.
    pub(super) fn same(
        &self,
        fingerprint: Fingerprint,
        model: &'static str,
    ) -> Option<Arc<Summary>> {
        self.by_content.get(&(fingerprint, model))?.upgrade()
    }

    /// Keeps a summary and returns those that had to go.
    pub(super) fn add(&mut self, summary: KeptSummary) -> Vec<Arc<KeptSummary>> {
        let summary = Arc::new(summary);
        self.bytes += summary.weight();
        self.by_content.insert(summary.key(), Arc::downgrade(&summary.content));
        self.by_id.insert(summary.id.clone(), summary.clone());
        self.order.push_back(summary);

        let mut gone = Vec::new();
        while self.is_over() && self.order.len() > 1 {
            gone.extend(self.drop_oldest());
        }
        gone
    }

    /// The session's summaries, newest first.
    pub(super) fn of_session(&self, session: &Identifier) -> Vec<Arc<KeptSummary>> {
        let summaries = self.order.iter().rev();
        summaries.filter(|summary| summary.session == *session).cloned().collect()
    }

    /// One summary of the session.
    pub(super) fn find(&self, session: &Identifier, id: &str) -> Option<Arc<KeptSummary>> {
        let summary = self.by_id.get(&id.parse::<Identifier>().ok()?)?;
        (summary.session == *session).then(|| summary.clone())
    }

    fn is_over(&self) -> bool {
        (self.max_summaries != 0 && self.order.len() > self.max_summaries)
            || (self.max_bytes != 0 && self.bytes > self.max_bytes)
    }

    fn drop_oldest(&mut self) -> Option<Arc<KeptSummary>> {
        let summary = self.order.pop_front()?;
        self.bytes -= summary.weight();
        self.by_id.remove(&summary.id);
        // A newer summary of the same transcript keeps the content findable.
        let newer = |other: &Arc<KeptSummary>| other.key() == summary.key();
        if !self.order.iter().any(newer) {
            self.by_content.remove(&summary.key());
        }
        Some(summary)
    }
}

impl KeptSummary {
    fn key(&self) -> Key {
        (self.fingerprint, self.model_used)
    }

    /// About what it takes in memory; content that is shared counts for each that shares it.
    fn weight(&self) -> usize {
        let sentence = size_of::<super::textrank::KeySentence>();
        let content: usize = self.content.sentences.iter().map(|s| sentence + s.text.len()).sum();
        size_of::<Self>() + self.title.len() + content
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::transcript::{Format, Transcript};

    fn summary(id: &str, session: &str, talk: &str) -> KeptSummary {
        let transcript = Transcript::parse(Format::Text, talk).unwrap();
        let content = Summary { sentences: Vec::new(), total_sentences: 1, total_words: 1 };
        KeptSummary {
            id: id.parse().unwrap(),
            session: session.parse().unwrap(),
            title: "T".into(),
            source: Source::Generated,
            model_used: "extractive",
            created_ms: 0,
            content: Arc::new(content),
            fingerprint: transcript.fingerprint(),
        }
    }

    fn ids(summaries: &[Arc<KeptSummary>]) -> Vec<&str> {
        summaries.iter().map(|summary| summary.id.as_str()).collect()
    }

    #[test]
    fn summaries_are_there_for_their_session_only() {
        let mut shelf = Shelf::new(0, 0);
        shelf.add(summary("1", "me", "One."));
        shelf.add(summary("2", "you", "Two."));
        shelf.add(summary("3", "me", "Three."));
        let (me, you) = ("me".parse().unwrap(), "you".parse().unwrap());
        assert_eq!(ids(&shelf.of_session(&me)), ["3", "1"]);
        assert!(shelf.find(&me, "1").is_some() && shelf.find(&you, "1").is_none());
        assert!(shelf.find(&me, "4").is_none() && shelf.find(&me, "/").is_none());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut shelf = Shelf::new(2, 0);
        shelf.add(summary("1", "me", "One."));
        assert!(shelf.add(summary("2", "me", "Two.")).is_empty());
        assert_eq!(ids(&shelf.add(summary("3", "me", "Three."))), ["1"]);
        assert_eq!(shelf.by_id.len(), 2);
        assert_eq!(shelf.by_content.len(), 2);
    }

    #[test]
    fn the_oldest_goes_when_they_are_too_large_but_the_newest_stays() {
        let mut shelf = Shelf::new(0, 1);
        shelf.add(summary("1", "me", "One."));
        assert_eq!(ids(&shelf.add(summary("2", "me", "Two."))), ["1"]);
        assert_eq!(shelf.bytes, summary("2", "me", "Two.").weight());
    }

    #[test]
    fn the_same_transcript_is_found_while_a_summary_of_it_is_kept() {
        let mut shelf = Shelf::new(2, 0);
        let one = summary("1", "me", "One.");
        let (fingerprint, content) = (one.fingerprint, one.content.clone());
        shelf.add(one);
        assert!(shelf.same(fingerprint, "extractive").is_some());
        assert!(shelf.same(fingerprint, "other").is_none());
        let again = KeptSummary { id: "2".parse().unwrap(), ..summary("x", "you", "One.") };
        shelf.add(KeptSummary { content, ..again });
        shelf.add(summary("3", "me", "Three."));
        assert!(shelf.same(fingerprint, "extractive").is_some(), "the second still has it");
        shelf.add(summary("4", "me", "Four."));
        assert!(shelf.same(fingerprint, "extractive").is_none());
    }
}
