//! Words that somebody looks for, and where they stand.

use rusqlite::{Transaction, params};
use unicode_segmentation::UnicodeSegmentation;

use super::cache;
use super::reading::Piece;
use crate::publish::summarizer::engine::Summary;
use crate::publish::summarizer::transcript::{Fingerprint, Transcript};

/// More words than that nobody looks for.
const MAX_WORDS: usize = 20;

/// So many cues of a transcript are looked through for a passage to show: what stands behind is found, but not
/// shown.
const MAX_CUES: usize = 5_000;

/// So many characters of a passage are shown.
const SNIPPET_CHARS: usize = 240;

/// The words that somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    words: Vec<String>,
    /// The same as the index has them.
    folded: Vec<String>,
}

impl Wanted {
    /// The words in what was typed; none if there are none.
    pub fn of(typed: &str) -> Option<Self> {
        let words: Vec<_> = typed.unicode_words().take(MAX_WORDS).map(str::to_owned).collect();
        let folded = words.iter().map(|word| folded(word)).collect();
        if words.is_empty() { None } else { Some(Self { words, folded }) }
    }

    /// The same in FTS5's language: all of them, each as it is and never as a command, the last perhaps only
    /// begun.
    pub fn expression(&self) -> String {
        let words: Vec<_> =
            self.words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
        words.join(" ") + "*"
    }

    /// Whether a word of a text is one of them, or begins as the last one does.
    fn is_match(&self, word: &str) -> bool {
        let word = folded(word);
        let is_last = |index: usize| index + 1 == self.folded.len();
        self.folded.iter().enumerate().any(|(index, wanted)| {
            word == *wanted || (is_last(index) && word.starts_with(wanted.as_str()))
        })
    }

    /// A passage in pieces, those marked that were looked for; none if none was.
    pub fn mark(&self, text: &str) -> Option<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        for word in text.split_word_bounds() {
            let is_match = self.is_match(word);
            match pieces.last_mut() {
                Some(last) if last.is_match == is_match => last.text.push_str(word),
                _ => pieces.push(Piece { text: word.to_owned(), is_match }),
            }
        }
        pieces.iter().any(|piece| piece.is_match).then_some(pieces)
    }

    /// The first passage of a summary, or else of its transcript, that has what was looked for.
    pub fn snippet(
        &self,
        summary: &Summary,
        transcript: Option<&Transcript>,
    ) -> Option<Vec<Piece>> {
        let sentences = summary.sentences.iter().map(|sentence| sentence.text.as_str());
        let cues = transcript.iter().flat_map(|transcript| &transcript.cues).take(MAX_CUES);
        let mut passages = summary
            .overview
            .as_deref()
            .into_iter()
            .chain(sentences)
            .chain(cues.map(|cue| cue.text.as_str()));
        passages.find_map(|passage| self.mark(passage)).map(shortened)
    }
}

/// A long passage begins a little before the first word that was looked for.
fn shortened(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut left = SNIPPET_CHARS;
    let mut short: Vec<Piece> = Vec::new();
    for (index, mut piece) in pieces.into_iter().enumerate() {
        let chars = piece.text.chars().count();
        if index == 0 && !piece.is_match && chars > SNIPPET_CHARS / 3 {
            let skip = chars - SNIPPET_CHARS / 3;
            piece.text = ['…'].into_iter().chain(piece.text.chars().skip(skip)).collect();
        }
        let chars = piece.text.chars().count();
        if chars > left {
            piece.text = piece.text.chars().take(left).chain(['…']).collect();
            short.push(piece);
            break;
        }
        left -= chars;
        short.push(piece);
    }
    short
}

/// Without case and the commonest accents, as the index has it.
fn folded(word: &str) -> String {
    let plain = |c: char| match c {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        c => c,
    };
    word.to_lowercase().chars().map(plain).collect()
}

/// Writes down where the words of a summary are.
pub(super) fn index(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
    let mut query = transaction.prepare_cached(
        "SELECT s.title, c.summary, c.transcript FROM summary s JOIN content c
         ON c.number = s.content WHERE s.number = ?1",
    )?;
    let (title, summary, of): (String, Summary, Fingerprint) = query
        .query_row([number], |row| {
            Ok((row.get(0)?, cache::json(row, 1)?, Fingerprint::from_bytes(row.get(2)?)))
        })?;
    let transcript = cache::transcript(transaction, of)?;
    let sentences = summary.sentences.iter().map(|sentence| sentence.text.as_str());
    let said: Vec<_> = summary.overview.as_deref().into_iter().chain(sentences).collect();
    let cues = transcript.iter().flat_map(|transcript| &transcript.cues);
    let heard: Vec<_> = cues.map(|cue| cue.text.as_str()).collect();
    let mut put = transaction.prepare_cached(
        "INSERT INTO words (rowid, title, summary, transcript) VALUES (?1, ?2, ?3, ?4)",
    )?;
    put.execute(params![number, title, said.join("\n"), heard.join("\n")]).map(drop)
}
