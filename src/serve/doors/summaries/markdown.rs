//! A summary as a document for people, in Markdown (CommonMark).

use std::fmt::Write;
use std::time::Duration;

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::event::time::iso;
use crate::publish::summarizer::EXTRACTIVE;
use crate::publish::summarizer::engine::KeySentence;
use crate::publish::summarizer::library::WholeSummary;

/// What is said of a summary and what it says.
pub fn document(summary: &WholeSummary) -> String {
    let (kept, content) = (&summary.kept, &summary.content.summary);
    let url = kept.video.as_ref().map(|video| quoted(&video.url));
    let url = url.as_deref();
    let mut text = format!("# {}\n\n", escaped(&kept.title));
    let mut facts = Vec::new();
    facts.extend(url.map(|url| format!("<{url}>")));
    facts.extend(
        kept.playlist.as_deref().map(|playlist| format!("Playlist: {}", escaped(playlist))),
    );
    let time = iso(kept.created_ms);
    let day = time.get(..10).unwrap_or_default();
    facts.push(match kept.model.as_str() {
        EXTRACTIVE => format!("Key sentences, chosen on {day}"),
        model => format!("Summarized by {} on {day}", escaped(model)),
    });
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}\n", facts.join("  \n"));
    if let Some(overview) = &content.overview {
        let _ = writeln!(text, "{}\n", escaped(overview));
    }
    let mut chapter = None;
    for sentence in &content.sentences {
        let heading = sentence.chapter.and_then(|index| content.chapters.get(index));
        if sentence.chapter != chapter
            && let Some(heading) = heading
        {
            let _ = writeln!(text, "\n## {}\n", escaped(&heading.title));
        }
        chapter = sentence.chapter;
        let _ = writeln!(text, "- {}", point(sentence, url));
    }
    text
}

fn point(sentence: &KeySentence, url: Option<&str>) -> String {
    let said = escaped(&sentence.text);
    match (sentence.start, url.and_then(|url| moment(url, sentence.start?))) {
        (Some(start), Some(link)) => format!("[{}]({link}) {said}", clock(start)),
        (Some(start), None) => format!("{} {said}", clock(start)),
        (None, _) => said,
    }
}

/// The address of a video at a time, if its site has such a thing.
pub fn moment(url: &str, time: Duration) -> Option<String> {
    let is_youtube = url.starts_with("https://www.youtube.com/watch?");
    // Else a fragment of media (W3C Media Fragments), which browsers know when they show the file itself.
    let seconds = time.as_secs();
    let at = if is_youtube { format!("&t={seconds}s") } else { format!("#t={seconds}") };
    url.starts_with("http").then(|| format!("{url}{at}"))
}

/// An address in which nothing can end it.
fn quoted(url: &str) -> String {
    utf8_percent_encode(url, ENDING).to_string()
}

/// What would end an address, or a link.
const ENDING: &AsciiSet = &CONTROLS.add(b' ').add(b'<').add(b'>').add(b'(').add(b')').add(b'"');

/// A time for people: `1:02:03` or `2:03`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A text that means nothing but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' => {
                escaped.extend(['\\', c]);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// What may stand in a file name's header as it is (RFC 8187).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Says that a document is to be kept, under a name made of its title.
pub fn disposition(title: &str) -> HeaderValue {
    let is_safe = |c: char| !c.is_control() && !"/\\:*?\"<>|".contains(c);
    let name: String = title.chars().filter(|c| is_safe(*c)).take(100).collect();
    let name = match name.trim().trim_matches('.') {
        "" => "summary",
        name => name,
    };
    let encoded = utf8_percent_encode(name, PLAIN);
    let header = format!("attachment; filename=\"summary.md\"; filename*=UTF-8''{encoded}.md");
    HeaderValue::from_str(&header).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_clocks_show_them() {
        let check = |seconds, expected| assert_eq!(clock(Duration::from_secs(seconds)), expected);
        check(0, "0:00");
        check(63, "1:03");
        check(3_723, "1:02:03");
    }

    #[test]
    fn a_moment_is_a_link_into_the_video() {
        let at = Duration::from_millis(75_900);
        let link = |url| moment(url, at).unwrap_or_default();
        assert_eq!(
            link("https://www.youtube.com/watch?v=x"),
            "https://www.youtube.com/watch?v=x&t=75s"
        );
        assert_eq!(link("https://example.com/v.mp4"), "https://example.com/v.mp4#t=75");
        assert_eq!(link("javascript:alert(1)"), "");
    }

    #[test]
    fn a_text_is_no_markup() {
        assert_eq!(escaped("*a* [b](c)\n# d <e>"), "\\*a\\* \\[b\\](c) \\# d \\<e\\>");
    }

    #[test]
    fn a_title_becomes_a_file_name_that_every_system_takes() {
        let name = |title: &str| disposition(title).to_str().unwrap().to_owned();
        assert!(name("A/B: \"c\"\r\n").ends_with("UTF-8''AB%20c.md"), "{}", name("A/B: \"c\"\r\n"));
        assert!(name("..").ends_with("''summary.md"));
        assert!(name("Ä").ends_with("''%C3%84.md"));
    }
}
