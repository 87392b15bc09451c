//! What a summary looks like on a terminal: title, overview, key sentences with their times and links.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use crate::client::terminal::{Paint, shown};

#[derive(Deserialize)]
struct Summary {
    title: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    model_used: String,
    url: Option<String>,
    duration_seconds: Option<f64>,
    overview: Option<String>,
    sentences: Vec<Sentence>,
    #[serde(default)]
    chapters: Vec<Chapter>,
}

#[derive(Deserialize)]
struct Sentence {
    text: String,
    start_seconds: Option<f64>,
    chapter: Option<usize>,
}

#[derive(Deserialize)]
struct Chapter {
    title: String,
}

/// A summary for people.
pub(super) fn text(summary: Value, paint: Paint) -> serde_json::Result<String> {
    let summary = Summary::deserialize(summary)?;
    let mut page =
        format!("{}\n{}\n", paint.bold(&shown(&summary.title)), paint.dim(&facts(&summary)));
    // Writing to a string cannot fail.
    for line in summary.overview.iter().flat_map(|overview| overview.lines()) {
        let _ = write!(page, "\n{}\n", shown(line));
    }
    page.push('\n');
    let mut chapter = None;
    for sentence in &summary.sentences {
        let heading = sentence.chapter.and_then(|index| summary.chapters.get(index));
        if let (true, Some(heading)) = (sentence.chapter != chapter, heading) {
            let _ = writeln!(page, "{}", paint.kind(&shown(&heading.title)));
        }
        chapter = sentence.chapter;
        page.push_str(&point(sentence, summary.url.as_deref(), paint));
    }
    Ok(page)
}

/// Where it is from and what made it.
fn facts(summary: &Summary) -> String {
    let made = match summary.source.as_str() {
        "cache" => format!("by {}, from the cache", shown(&summary.model_used)),
        _ => format!("by {}", shown(&summary.model_used)),
    };
    let url = summary.url.as_deref().map(shown);
    let facts = [url, summary.duration_seconds.map(clock), Some(made)];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn point(sentence: &Sentence, url: Option<&str>, paint: Paint) -> String {
    let said = shown(&sentence.text);
    let Some(start) = sentence.start_seconds else { return format!("  - {said}\n") };
    let link = url.filter(|url| url.starts_with("http")).map(|url| moment(url, start));
    let link = link.map(|link| format!("           {}\n", paint.dim(&shown(&link))));
    format!("  {:>7}  {said}\n{}", clock(start), link.unwrap_or_default())
}

/// The address of a video at a time.
fn moment(url: &str, start: f64) -> String {
    let seconds = start.max(0.0).floor();
    let is_youtube = url.starts_with("https://www.youtube.com/watch?");
    // Else a fragment of media (W3C Media Fragments).
    if is_youtube { format!("{url}&t={seconds}s") } else { format!("{url}#t={seconds}") }
}

/// A time for people: `1:02:03` or `2:03`.
pub(super) fn clock(seconds: f64) -> String {
    // What is no number of seconds at all is none.
    #[expect(clippy::cast_sign_loss)]
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_has_times_links_and_chapters() {
        let summary = json!({
            "title": "The \u{1b}[31mLamp", "source": "cache", "model_used": "extractive",
            "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "duration_seconds": 3723.9,
            "overview": "About lamps.\nAnd ships.",
            "sentences": [
                {"text": "It begins.", "start_seconds": 5.9, "index": 0, "chapter": 0},
                {"text": "It ends.", "start_seconds": 3600, "index": 7, "chapter": 1},
                {"text": "No time.", "start_seconds": null, "chapter": 1},
            ],
            "chapters": [{"title": "Start", "start_seconds": 0}, {"title": "End", "start_seconds": 9}],
        });
        let expected = "\
The \\u{1b}[31mLamp
https://www.youtube.com/watch?v=dQw4w9WgXcQ · 1:02:03 · by extractive, from the cache

About lamps.

And ships.

Start
     0:05  It begins.
           https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5s
End
  1:00:00  It ends.
           https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3600s
  - No time.
";
        assert_eq!(text(summary, Paint::for_output(false)).unwrap(), expected);
    }

    #[test]
    fn what_is_no_summary_is_an_error() {
        for wrong in [json!(null), json!({}), json!({"title": 1, "sentences": []})] {
            assert!(text(wrong, Paint::for_output(false)).is_err());
        }
    }

    #[test]
    fn strange_times_are_times() {
        assert_eq!([-1.0, f64::NAN, 59.99].map(clock), ["0:00", "0:00", "0:59"]);
    }
}
