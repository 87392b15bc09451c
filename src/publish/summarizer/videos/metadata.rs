//! What yt-dlp says of a video or a playlist: the few of its many fields that matter here.
//!
//! Sites differ, so everything may be absent; numbers that make no sense are as good as absent.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::tracks::Track;
use super::{Playlist, PlaylistItem, PlaylistRef, Video, VideoError, VideoRef};
use crate::publish::summarizer::cut::cut;
use crate::publish::summarizer::talk::Chapter;

/// The oldest version that knows the options that are used here.
const OLDEST_VERSION: [u32; 3] = [2024, 1, 1];

/// Titles and names are cut at so many characters.
const MAX_TITLE_CHARS: usize = 200;
/// More chapters than that no talk has.
const MAX_CHAPTERS: usize = 500;
/// Not captions, but what viewers write.
const CHAT: &str = "live_chat";

/// A video.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    #[serde(rename = "_type", default)]
    kind: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    webpage_url: Option<String>,
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    uploader: Option<String>,
    #[serde(default)]
    live_status: Option<String>,
    #[serde(default)]
    chapters: Option<Vec<Part>>,
    #[serde(default)]
    subtitles: Option<Map<String, Value>>,
    #[serde(default)]
    automatic_captions: Option<Map<String, Value>>,
    #[serde(default)]
    entries: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    start_time: Option<f64>,
    #[serde(default)]
    title: Option<String>,
}

impl Info {
    pub fn read(bytes: &[u8]) -> Result<Self, VideoError> {
        let info: Self = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
        if info.entries.is_some() || info.kind.as_deref() == Some("playlist") {
            return Err(VideoError::SeveralVideos);
        }
        match info.live_status.as_deref() {
            Some("is_live") => Err(VideoError::Live),
            Some("is_upcoming") => Err(VideoError::Upcoming),
            _ => Ok(info),
        }
    }

    /// What is known of it.
    pub fn video(&self, asked: &VideoRef) -> Video {
        // What its site calls it is judged as what somebody has typed.
        let address = self.webpage_url.as_deref().and_then(|url| VideoRef::parse(url).ok());
        let id = self.id.as_deref().map(line).filter(|id| !id.is_empty());
        Video {
            id: id.unwrap_or_else(|| asked.key().to_owned()),
            // Everyone's address of it, if there is one.
            url: match (asked.id(), &address) {
                (None, Some(address)) => address.url().to_owned(),
                _ => asked.url().to_owned(),
            },
            title: self
                .title
                .as_deref()
                .map(line)
                .filter(|title| !title.is_empty())
                .unwrap_or_else(|| asked.url().to_owned()),
            duration: self.duration.and_then(seconds),
            language: self.language.as_deref().map(line).filter(|language| !language.is_empty()),
            chapters: self.chapters(),
            uploader: self.uploader.as_deref().map(line).filter(|name| !name.is_empty()),
        }
    }

    fn chapters(&self) -> Vec<Chapter> {
        let parts = self.chapters.iter().flatten().take(MAX_CHAPTERS);
        let chapter = |(index, part): (usize, &Part)| {
            let title = part.title.as_deref().map(line).filter(|title| !is_untitled(title));
            let title = title.unwrap_or_else(|| format!("Part {}", index + 1));
            Some(Chapter { title, start: seconds(part.start_time?)? })
        };
        let mut chapters: Vec<_> = parts.enumerate().filter_map(chapter).collect();
        chapters.sort_by_key(|chapter| chapter.start);
        chapters
    }

    /// The captions that it has.
    pub fn tracks(&self) -> Vec<Track> {
        let named = |names: &Option<Map<String, Value>>, is_automatic: bool| -> Vec<Track> {
            let names = names.iter().flat_map(Map::keys);
            // `all` would be all of them.
            let is_language = |name: &&String| {
                let is_char = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                name.len() <= 64
                    && name.chars().all(is_char)
                    && ![CHAT, "all"].contains(&name.as_str())
            };
            let names = names.filter(is_language);
            names.map(|name| Track { language: name.clone(), is_automatic }).collect()
        };
        let mut tracks = named(&self.subtitles, false);
        tracks.extend(named(&self.automatic_captions, true));
        tracks
    }
}

/// A playlist.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    entries: Option<Vec<Option<Entry>>>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    webpage_url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    ie_key: Option<String>,
}

impl Listing {
    pub fn read(bytes: &[u8]) -> Result<Self, VideoError> {
        serde_json::from_slice(bytes).map_err(|error| unreadable(&error))
    }

    pub fn playlist(self, asked: &PlaylistRef) -> Result<Playlist, VideoError> {
        let Some(entries) = self.entries else { return Err(VideoError::NoPlaylist) };
        let items: Vec<_> = entries.into_iter().flatten().filter_map(Entry::item).collect();
        let title = self.title.as_deref().map(line).filter(|title| !title.is_empty());
        Ok(Playlist { title: title.unwrap_or_else(|| asked.url().to_owned()), items })
    }
}

impl Entry {
    fn item(self) -> Option<PlaylistItem> {
        let youtube = self.id.filter(|_| self.ie_key.as_deref() == Some("Youtube"));
        let named = [youtube, self.url, self.webpage_url];
        let video = named.into_iter().flatten().find_map(|text| VideoRef::parse(&text).ok())?;
        let title = self.title.as_deref().map(line).filter(|title| !title.is_empty());
        Some(PlaylistItem { video, title })
    }
}

/// Whether a version of yt-dlp, such as `2025.10.22`, knows what is asked of it here.
pub(super) fn is_new_enough(version: &str) -> bool {
    let numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let numbers: Vec<_> = numbers.take(3).collect();
    numbers.as_slice() >= OLDEST_VERSION.as_slice()
}

fn unreadable(error: &serde_json::Error) -> VideoError {
    VideoError::Trouble(format!("yt-dlp said something that cannot be read: {error}"))
}

/// Whether a chapter has no name of its own; yt-dlp calls such a one `<Untitled Chapter 1>`.
fn is_untitled(title: &str) -> bool {
    title.is_empty() || title.starts_with("<Untitled Chapter ")
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

/// A text on one line, of a length that events can carry.
fn line(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    cut(&words.join(" "), MAX_TITLE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_dates() {
        for (version, expected) in [
            ("2026.10.26", true),
            ("2024.01.01", true),
            ("2025.1.15.post1", true),
            ("2023.12.30", false),
            ("2021.12.17", false),
            ("", false),
            ("nonsense", false),
            ("2024", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_as_good_as_absent() {
        let json = r#"{"title":" A\u0000 talk\n ","duration":-1,"webpage_url":"javascript:x","chapters":
            [{"start_time":60,"title":"B"},{"start_time":0,"title":""},{"title":"no time"},
             {"start_time":-5,"title":"x"}],"subtitles":{"live_chat":[]},"automatic_captions":null}"#;
        let info = Info::read(json.as_bytes()).unwrap();
        let asked = VideoRef::parse("https://example.com/v").unwrap();
        let video = info.video(&asked);
        assert_eq!((video.title.as_str(), video.duration), ("A talk", None));
        assert_eq!((video.id.as_str(), video.url.as_str()), (asked.key(), asked.url()));
        let chapters: Vec<_> =
            video.chapters.iter().map(|c| (c.title.as_str(), c.start.as_secs())).collect();
        assert_eq!(chapters, [("Part 2", 0), ("B", 60)]);
        assert_eq!(info.tracks(), []);
    }

    #[test]
    fn what_is_live_or_several_is_no_talk_yet() {
        let code = |json: &str| Info::read(json.as_bytes()).map(drop).unwrap_err().code();
        assert_eq!(code(r#"{"live_status":"is_live"}"#), "video_live");
        assert_eq!(code(r#"{"live_status":"is_upcoming"}"#), "video_upcoming");
        assert_eq!(code(r#"{"_type":"playlist","entries":[]}"#), "several_videos");
        assert_eq!(code("null"), "video_trouble");
        assert!(Info::read(br#"{"live_status":"was_live"}"#).is_ok());
    }

    /// Put together from yt-dlp's documentation and source. What YouTube has really said is in the integration
    /// tests.
    #[test]
    fn a_video_of_youtube_has_chapters_and_captions() {
        let json = r#"{"_type":"video","id":"dQw4w9WgXcQ","title":"A talk","language":"en","duration":3723,
            "webpage_url":"https://www.youtube.com/watch?v=dQw4w9WgXcQ","uploader":"Somebody",
            "live_status":"was_live","chapters":[{"start_time":0.0,"title":"Intro","end_time":75.0},
            {"start_time":75.0,"title":"Lamps","end_time":3723}],"formats":[{"format_id":"sb2"}],
            "subtitles":{"live_chat":[{"ext":"json"}],"de":[{"ext":"vtt","url":"https://x/"}]},
            "automatic_captions":{"af":[{"ext":"vtt"}],"en-orig":[{"ext":"vtt"}],"en":[{"ext":"vtt"}]}}"#;
        let info = Info::read(json.as_bytes()).unwrap();
        let video = info.video(&VideoRef::parse("youtu.be/dQw4w9WgXcQ").unwrap());
        assert_eq!((video.id.as_str(), video.language.as_deref()), ("dQw4w9WgXcQ", Some("en")));
        assert_eq!(
            (video.duration, video.uploader.as_deref()),
            (Some(Duration::from_secs(3_723)), Some("Somebody"))
        );
        let chapters: Vec<_> =
            video.chapters.iter().map(|c| (c.title.as_str(), c.start.as_secs())).collect();
        assert_eq!(chapters, [("Intro", 0), ("Lamps", 75)]);
        let tracks = info.tracks();
        let named: Vec<_> = tracks.iter().map(|t| (t.language.as_str(), t.is_automatic)).collect();
        assert_eq!(named, [("de", false), ("af", true), ("en-orig", true), ("en", true)]);
        let chosen =
            super::super::tracks::choose(&tracks, None, video.language.as_deref(), "en").unwrap();
        // What is spoken comes before a translation, even if a machine has heard the one and somebody has
        // written the other.
        assert_eq!(chosen.language, "en-orig");
    }

    #[test]
    fn a_playlist_has_the_videos_that_have_an_address() {
        let json = r#"{"title":"Talks","entries":[
            {"id":"dQw4w9WgXcQ","ie_key":"Youtube","title":"One","url":"https://www.youtube.com/watch?v=dQw4w9WgXcQ"},
            null, {"id":"x","title":"No address"}, {"url":"https://example.com/2"}]}"#;
        let asked = PlaylistRef::parse("https://example.com/list").unwrap();
        let list = Listing::read(json.as_bytes()).unwrap().playlist(&asked).unwrap();
        assert_eq!(list.title, "Talks");
        let items: Vec<_> =
            list.items.iter().map(|i| (i.video.key(), i.title.as_deref())).collect();
        assert_eq!(items, [("youtube:dQw4w9WgXcQ", Some("One")), ("https://example.com/2", None)]);
        let single = Listing::read(br#"{"title":"One video"}"#).unwrap().playlist(&asked);
        assert_eq!(single.unwrap_err().code(), "no_playlist");
    }
}
