//! The summaries' pages, made on the server: the list and its search, and a summary by itself. So they can be
//! read without a script; with one, the list is taken over by it.

use std::fmt::Write;
use std::time::Duration;

use askama::Template;
use form_urlencoded::Serializer;
use http::StatusCode;

use super::pages::page_of;
use super::summaries::markdown::{clock, moment};
use super::summaries::{Visit, query};
use crate::event::time::iso;
use crate::publish::summarizer::EXTRACTIVE;
use crate::publish::summarizer::engine::Summary;
use crate::publish::summarizer::library::{
    KeptSummary, Listed, Piece, SummarySource, WholeSummary,
};
use crate::publish::summarizer::transcript::{Cue, Transcript};
use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// Summaries on one page of the list.
const PAGE: usize = 20;

#[derive(Template, Default)]
#[template(path = "home.html")]
struct Home {
    version: &'static str,
    has_summaries: bool,
    /// What is looked for.
    words: String,
    playlists: Vec<Playlist>,
    items: Vec<Item>,
    /// The address of the next page; empty if there is none.
    next: String,
    /// There is nothing, and nothing is looked for.
    is_bare: bool,
    has_trouble: bool,
}

struct Playlist {
    name: String,
    count: usize,
    is_chosen: bool,
}

/// A summary in the list.
struct Item {
    id: String,
    title: String,
    meta: String,
    snippet: Option<Vec<Piece>>,
}

/// `GET /?q=&playlist=&after=`
pub fn home(call: &Call<'_>) -> Result<Answer, Problem> {
    if call.app.summarizer.is_none() {
        let detail = "This installation makes no summaries; the test page is at /sse-test.";
        return Err(Problem::not_found(detail));
    }
    let visit = Visit::of(call)?;
    let mut query = query(call, PAGE)?;
    query.limit = query.limit.min(PAGE);
    let mut home =
        Home { version: env!("CARGO_PKG_VERSION"), has_summaries: true, ..Home::default() };
    home.words = query.words.clone().unwrap_or_default();
    let playlist = query.playlist.clone();
    let found = visit.summarizer.summaries(&visit.session, &query);
    let playlists = visit.summarizer.library().playlists(&visit.session);
    match (found, playlists) {
        (Ok(page), Ok(playlists)) => {
            home.items = page.summaries.iter().map(Item::of).collect();
            let next = page.next.map(|next| next_page(&home.words, playlist.as_deref(), next));
            home.next = next.unwrap_or_default();
            home.playlists = choices(playlists, playlist.as_deref());
        }
        (Err(error), _) | (_, Err(error)) => {
            log::warn!("the summaries' database: {error}");
            home.has_trouble = true;
        }
    }
    home.is_bare = home.items.is_empty() && home.words.is_empty() && playlist.is_none();
    page_of(call, StatusCode::OK, &home)
}

/// What can be chosen, and what is: also when its last summary is gone.
fn choices(playlists: Vec<(String, usize)>, chosen: Option<&str>) -> Vec<Playlist> {
    let choice =
        |(name, count): (String, usize)| Playlist { is_chosen: chosen == Some(&name), name, count };
    let mut choices: Vec<_> = playlists.into_iter().map(choice).collect();
    if let Some(gone) = chosen.filter(|_| !choices.iter().any(|choice| choice.is_chosen)) {
        choices.push(Playlist { name: gone.to_owned(), count: 0, is_chosen: true });
    }
    choices
}

fn next_page(words: &str, playlist: Option<&str>, after: u64) -> String {
    let mut address = Serializer::new(String::new());
    if !words.is_empty() {
        address.append_pair("q", words);
    }
    if let Some(playlist) = playlist {
        address.append_pair("playlist", playlist);
    }
    format!("/?{}", address.append_pair("after", &after.to_string()).finish())
}

impl Item {
    fn of(listed: &Listed) -> Self {
        let summary = &listed.summary;
        Self {
            id: summary.id.to_string(),
            title: summary.title.clone(),
            meta: meta(summary),
            snippet: listed.snippet.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "summary.html")]
struct Page<'a> {
    version: &'static str,
    has_summaries: bool,
    id: String,
    title: &'a str,
    meta: String,
    url: Option<&'a str>,
    overview: Option<&'a str>,
    parts: Vec<Part<'a>>,
    is_timed: bool,
    size: String,
    paragraphs: Vec<Paragraph>,
}

/// A chapter's points, or all there are.
struct Part<'a> {
    heading: &'a str,
    points: Vec<Point<'a>>,
}

struct Point<'a> {
    text: &'a str,
    moment: Option<Moment>,
}

/// Where a point was made: in the video, or else in the transcript below.
struct Moment {
    clock: String,
    href: String,
    is_outside: bool,
}

#[derive(Template)]
#[template(path = "no_summary.html")]
struct NoSummary {
    version: &'static str,
    has_summaries: bool,
}

/// `GET /summaries/{id}`
pub fn summary(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let summary = match visit.find(call) {
        // People follow links, and to them a problem's JSON says nothing.
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            let page = NoSummary { version: env!("CARGO_PKG_VERSION"), has_summaries: true };
            return page_of(call, StatusCode::NOT_FOUND, &page);
        }
        found => found?,
    };
    let transcript = visit.summarizer.transcript(&summary).ok().flatten();
    page_of(call, StatusCode::OK, &Page::of(&summary, transcript.as_ref()))
}

impl<'a> Page<'a> {
    fn of(summary: &'a WholeSummary, transcript: Option<&Transcript>) -> Self {
        let (kept, content) = (&summary.kept, &summary.content.summary);
        let url = kept.video.as_ref().map(|video| video.url.as_str());
        let cues = transcript.map_or(&[][..], |transcript| &transcript.cues);
        let moments: Vec<_> = content.sentences.iter().filter_map(|said| said.start).collect();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            has_summaries: true,
            id: kept.id.to_string(),
            title: &kept.title,
            meta: meta(kept),
            url: url.filter(|url| url.starts_with("http")),
            overview: content.overview.as_deref(),
            parts: parts(content, url),
            is_timed: !moments.is_empty(),
            size: format!(
                "{} of {} sentences, {} words",
                content.sentences.len(),
                content.total_sentences,
                content.total_words
            ),
            paragraphs: paragraphs(cues, &moments),
        }
    }
}

fn parts<'a>(content: &'a Summary, url: Option<&str>) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut present = None;
    for sentence in &content.sentences {
        if parts.is_empty() || sentence.chapter != present {
            let chapter = sentence.chapter.and_then(|index| content.chapters.get(index));
            let heading = chapter.map_or("", |chapter| chapter.title.as_str());
            parts.push(Part { heading, points: Vec::new() });
            present = sentence.chapter;
        }
        let moment = sentence.start.map(|start| moment_at(start, url));
        if let Some(part) = parts.last_mut() {
            part.points.push(Point { text: &sentence.text, moment });
        }
    }
    parts
}

fn moment_at(start: Duration, url: Option<&str>) -> Moment {
    let outside = url.and_then(|url| moment(url, start));
    let is_outside = outside.is_some();
    let href = outside.unwrap_or_else(|| format!("#t{}", start.as_secs()));
    Moment { clock: clock(start), href, is_outside }
}

/// Cues put together, so that a transcript can be read.
struct Paragraph {
    clock: String,
    /// The seconds at which something begins that a point leads to.
    anchors: Vec<u64>,
    text: String,
}

/// A paragraph goes on for this long, or so many characters.
const PARAGRAPH: Duration = Duration::from_secs(45);
const PARAGRAPH_CHARS: usize = 900;

fn paragraphs(cues: &[Cue], moments: &[Duration]) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut begun = None;
    for cue in cues {
        let is_over = match (cue.start, begun) {
            (Some(start), Some(begun)) => start.saturating_sub(begun) >= PARAGRAPH,
            // What has no times is paragraphs already.
            _ => true,
        };
        let is_long = paragraphs.last().is_none_or(|last| last.text.len() >= PARAGRAPH_CHARS);
        if is_over || is_long {
            begun = cue.start;
            let clock = cue.start.map(clock).unwrap_or_default();
            paragraphs.push(Paragraph { clock, anchors: Vec::new(), text: String::new() });
        }
        let Some(paragraph) = paragraphs.last_mut() else { continue };
        if let Some(start) = cue.start.filter(|start| moments.contains(start)) {
            let second = start.as_secs();
            if !paragraph.anchors.contains(&second) {
                paragraph.anchors.push(second);
            }
        }
        let gap = if paragraph.text.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(paragraph.text, "{gap}{}", cue.text);
    }
    paragraphs
}

/// What is said of a summary in one line.
fn meta(summary: &KeptSummary) -> String {
    let duration = summary.video.as_ref().and_then(|video| video.duration).map(clock);
    let origin = match summary.source {
        SummarySource::Cache => "from the cache".to_owned(),
        SummarySource::Generated if summary.model == EXTRACTIVE => "key sentences".to_owned(),
        SummarySource::Generated => summary.model.clone(),
    };
    let time = iso(summary.created_ms);
    let day = time.get(..10).unwrap_or_default().to_owned();
    let parts = [summary.playlist.clone(), duration, Some(origin), Some(day)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: u64, text: &str) -> Cue {
        let start = Some(Duration::from_secs(start));
        Cue { start, end: start, text: text.into() }
    }

    #[test]
    fn cues_become_paragraphs_that_points_lead_to() {
        let cues = [cue(0, "One."), cue(10, "Two."), cue(50, "Three."), cue(51, "Four.")];
        let shown = paragraphs(&cues, &[Duration::from_secs(10), Duration::from_secs(51)]);
        let shown: Vec<_> =
            shown.iter().map(|p| (p.clock.as_str(), p.text.as_str(), p.anchors.clone())).collect();
        assert_eq!(shown, [("0:00", "One. Two.", vec![10]), ("0:50", "Three. Four.", vec![51])]);
        let plain = |text: &str| Cue { start: None, end: None, text: text.into() };
        assert_eq!(paragraphs(&[plain("One."), plain("Two.")], &[]).len(), 2);
    }

    #[test]
    fn a_playlist_that_is_chosen_is_among_the_choices_even_if_it_is_gone() {
        let check = |chosen: Option<&str>, expected: &[(&str, usize, bool)]| {
            let choices = choices(vec![("P".into(), 2)], chosen);
            let choices: Vec<_> =
                choices.iter().map(|c| (c.name.as_str(), c.count, c.is_chosen)).collect();
            assert_eq!(choices, expected, "{chosen:?}");
        };
        check(None, &[("P", 2, false)]);
        check(Some("P"), &[("P", 2, true)]);
        check(Some("Q"), &[("P", 2, false), ("Q", 0, true)]);
    }

    #[test]
    fn the_next_page_keeps_what_is_looked_for() {
        assert_eq!(next_page("a&b", Some("P Q"), 7), "/?q=a%26b&playlist=P+Q&after=7");
        assert_eq!(next_page("", None, 7), "/?after=7");
    }
}
