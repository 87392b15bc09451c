//! What summaries are worth, shown on long texts in the public domain: addresses of presidents, chapters of a novel.
//!
//! Each text is summarized as it is and as captions with times and chapters. `scripts/check-summaries`
//! fetches the texts, and shows the table that is printed here.

mod captions;
mod judge;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use tidings::publish::summarizer::engine::{Engines, Summary};
use tidings::publish::summarizer::talk::{Chapter, Talk};
use tidings::publish::summarizer::textrank::Length;
use tidings::publish::summarizer::transcript::{Format, Transcript};

use self::captions::Captions;

/// Long addresses from three centuries; they say the same things very differently.
const ADDRESSES: [&str; 12] = [
    "1823_james_monroe_dr",
    "1863_abraham_lincoln_r",
    "1865_andrew_johnson_nu",
    "1905_theodore_roosevelt_r",
    "1925_calvin_coolidge_r",
    "1941_franklin_d_roosevelt_d",
    "1961_john_f_kennedy_d",
    "1965_lyndon_b_johnson_d",
    "1984_ronald_reagan_r",
    "1998_william_j_clinton_d",
    "2002_george_w_bush_r",
    "2012_barack_obama_d",
];

/// An address gets so many chapters.
const CHAPTERS: usize = 6;

/// So much of the novel is read; its chapters are chapters.
const NOVEL_CHAPTERS: usize = 9;

/// A text in its parts, each of them paragraphs with empty lines between them.
struct Text {
    name: String,
    parts: Vec<String>,
}

impl Text {
    /// The whole on one line.
    fn line(&self) -> String {
        let words: Vec<_> = self.parts.iter().flat_map(|part| part.split_whitespace()).collect();
        words.join(" ")
    }
}

/// The texts, if they are there, which on the build machine they must be.
fn texts() -> Option<Vec<Text>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/texts");
    let (addresses, novel) = (folder.join("sotu-0.2.3"), folder.join("moby-dick-0.2.3"));
    let found = addresses.is_dir() && novel.is_dir();
    let must_be = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found || !must_be, "no texts in {}; scripts/test installs them", folder.display());
    if !found {
        eprintln!("skipped: there are no texts; scripts/check-summaries fetches them");
        return None;
    }
    let read = |path: PathBuf| fs::read_to_string(&path).unwrap();
    let mut texts: Vec<_> = ADDRESSES
        .iter()
        .map(|name| Text {
            name: (*name).to_owned(),
            parts: divided(&read(addresses.join(format!("{name}.txt")))),
        })
        .collect();
    let chapter = |n| read(novel.join(format!("chapter_{n}.txt")));
    let parts = (1..=NOVEL_CHAPTERS).map(chapter).collect();
    texts.push(Text { name: "moby_dick".to_owned(), parts });
    Some(texts)
}

/// A text in parts of the same number of words.
fn divided(text: &str) -> Vec<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    words.chunks(words.len().div_ceil(CHAPTERS)).map(|part| part.join(" ")).collect()
}

fn summarize(transcript: Transcript, chapters: Vec<Chapter>) -> Summary {
    let talk = Talk { title: "A talk".into(), language: None, chapters, transcript };
    let engine = Engines::built_in(Length::default()).find(None).unwrap();
    engine.summarize(&talk, &mut |_| ControlFlow::Continue(())).unwrap().summary
}

/// The summary of a talk, made twice.
fn summary(transcript: &Transcript, chapters: &[Chapter]) -> Summary {
    let once = summarize(transcript.clone(), chapters.to_vec());
    assert_eq!(once, summarize(transcript.clone(), chapters.to_vec()), "not the same twice");
    once
}

#[test]
fn long_texts_are_summarized_from_all_their_parts_in_whole_sentences() {
    let Some(texts) = texts() else { return };
    let mut faults = Vec::new();
    println!("{}", judge::HEADING);
    for text in &texts {
        let line = text.line();
        // The novel's chapters end paragraphs; the parts of an address end anywhere.
        let source = if text.name == "moby_dick" { text.parts.join("\n\n") } else { line.clone() };
        let transcript = Transcript::parse(Format::Text, &source).unwrap();
        let plain = summary(&transcript, &[]);
        faults.extend(judge::faults(&text.name, &line, &plain));
        assert!(plain.sentences.iter().all(|s| s.start.is_none() && s.chapter.is_none()));

        let captions = Captions::of(&text.parts);
        let transcript = Transcript::parse(Format::WebVtt, &captions.file).unwrap();
        let timed = summary(&transcript, &captions.chapters);
        faults.extend(judge::faults(&format!("{} (captions)", text.name), &line, &timed));
        captions.check(&line, &timed);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
