//! What somebody calls a video or a playlist: an id, or one of the many forms of an address.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::publish::summarizer::cut::cut;

/// A video, by its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VideoRef {
    url: String,
    /// What the cache knows it by.
    key: String,
    /// On YouTube: where its id stands in the key.
    is_youtube: bool,
}

/// A playlist, by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistRef {
    url: String,
}

/// Why something is no video, or no playlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVideo {
    /// It is neither an address nor an id.
    #[error("{0:?} is neither the address of a video nor a YouTube id (11 of A-Z a-z 0-9 _ -)")]
    NoAddress(String),
    /// It is YouTube's, but no video.
    #[error("{0:?} is not the address of a video; a playlist belongs into `playlist`")]
    NoVideo(String),
    /// It is YouTube's, but no playlist.
    #[error("{0:?} is not the address of a playlist; a video belongs into `videos`")]
    NoPlaylist(String),
    /// It carries a name and a password, which would end up in logs and lists.
    #[error("an address with a user name or a password in it is not asked for")]
    Credentials,
}

/// The length of an id on YouTube.
const ID_CHARS: usize = 11;
/// Addresses are no longer.
const MAX_CHARS: usize = 2_000;
const YOUTUBE: &str = "youtube:";

impl VideoRef {
    /// Reads an address or an id.
    pub fn parse(text: &str) -> Result<Self, InvalidVideo> {
        let text = text.trim();
        if is_id(text) {
            return Ok(Self::youtube(text));
        }
        let address = Address::parse(text)?;
        if !address.is_youtube() {
            let url = address.normal();
            return Ok(Self { key: url.clone(), url, is_youtube: false });
        }
        match address.video_id() {
            Some(id) => Ok(Self::youtube(&id)),
            None => Err(InvalidVideo::NoVideo(excerpt(text))),
        }
    }

    fn youtube(id: &str) -> Self {
        Self {
            url: format!("https://www.youtube.com/watch?v={id}"),
            key: format!("{YOUTUBE}{id}"),
            is_youtube: true,
        }
    }

    /// Where it can be watched.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the cache knows it by: the same for all forms of its address.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The video that has this key.
    pub fn of_key(key: &str) -> Option<Self> {
        match key.strip_prefix(YOUTUBE) {
            Some(id) => is_id(id).then(|| Self::youtube(id)),
            None => Self::parse(key).ok(),
        }
    }

    /// Its id, if it is on YouTube.
    pub fn id(&self) -> Option<&str> {
        self.key.strip_prefix(YOUTUBE).filter(|_| self.is_youtube)
    }
}

impl TryFrom<String> for VideoRef {
    type Error = InvalidVideo;

    fn try_from(text: String) -> Result<Self, InvalidVideo> {
        Self::parse(&text)
    }
}

impl From<VideoRef> for String {
    fn from(video: VideoRef) -> Self {
        video.url
    }
}

impl fmt::Display for VideoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl PlaylistRef {
    /// Reads an address. On YouTube a video's address that names its list is the list; a channel is the list
    /// of its videos.
    pub fn parse(text: &str) -> Result<Self, InvalidVideo> {
        let text = text.trim();
        let address = Address::parse(text)?;
        if !address.is_youtube() {
            return Ok(Self { url: address.normal() });
        }
        if let Some(list) = address.query("list").filter(|list| is_list_id(list)) {
            return Ok(Self { url: format!("https://www.youtube.com/playlist?list={list}") });
        }
        let first = address.segments().next().unwrap_or_default();
        if first.starts_with('@') || ["channel", "c", "user"].contains(&first) {
            return Ok(Self { url: address.normal() });
        }
        Err(InvalidVideo::NoPlaylist(excerpt(text)))
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// An address in its parts.
struct Address {
    scheme: &'static str,
    /// In lower case, with a port if that is not the usual one.
    host: String,
    path: String,
    query: String,
}

impl Address {
    fn parse(text: &str) -> Result<Self, InvalidVideo> {
        let none = || InvalidVideo::NoAddress(excerpt(text));
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        if text.len() > MAX_CHARS || !text.chars().all(is_plain) {
            return Err(none());
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
            // As people copy it: without the scheme.
            None if text.split('/').next().is_some_and(|host| host.contains('.')) => {
                ("https", text)
            }
            _ => return Err(none()),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err(InvalidVideo::Credentials);
        }
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.to_ascii_lowercase();
        let host = host.strip_suffix(usual).unwrap_or(&host).to_owned();
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(none());
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, host, path: path.to_owned(), query: query.to_owned() })
    }

    fn normal(&self) -> String {
        let Self { scheme, host, path, query } = self;
        if query.is_empty() {
            format!("{scheme}://{host}{path}")
        } else {
            format!("{scheme}://{host}{path}?{query}")
        }
    }

    fn is_youtube(&self) -> bool {
        let of = |site: &str| {
            self.host == site || self.host.strip_suffix(site).is_some_and(|sub| sub.ends_with('.'))
        };
        ["youtube.com", "youtube-nocookie.com", "youtu.be"].into_iter().any(of)
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }

    fn query(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The id in one of the forms that YouTube's addresses have.
    fn video_id(&self) -> Option<String> {
        let mut segments = self.segments();
        let (first, second) = (segments.next().unwrap_or_default(), segments.next());
        let id = match first {
            "watch" if second.is_none() => self.query("v"),
            "shorts" | "embed" | "live" | "v" | "e" | "watch" => second.map(str::to_owned),
            // A link through a page that asks for consent or counts.
            "attribution_link" | "redirect" | "oembed" => {
                let within = self.query("u").or_else(|| self.query("url"))?;
                let within = percent_decode_str(&within).decode_utf8_lossy().into_owned();
                let within = match within.strip_prefix('/') {
                    Some(path) => format!("https://www.youtube.com/{path}"),
                    None => within,
                };
                return Self::parse(&within).ok().filter(Self::is_plain_watch)?.query("v");
            }
            id if self.host.ends_with("youtu.be") => Some(id.to_owned()),
            _ => None,
        };
        // Some add a mark of punctuation from the sentence they were copied from.
        let id = id?.trim_end_matches(['.', ',', ')', '&', ';']).to_owned();
        is_id(&id).then_some(id)
    }

    fn is_plain_watch(&self) -> bool {
        self.is_youtube() && self.path == "/watch" && self.query("v").is_some_and(|id| is_id(&id))
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(is_id_byte)
}

fn is_list_id(text: &str) -> bool {
    (2..=100).contains(&text.len()) && text.bytes().all(is_id_byte)
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn excerpt(text: &str) -> String {
    cut(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "dQw4w9WgXcQ";

    #[test]
    fn every_form_of_a_youtube_address_is_the_same_video() {
        for form in [
            "dQw4w9WgXcQ",
            " dQw4w9WgXcQ\n",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "http://youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
            "youtube.com/watch?v=dQw4w9WgXcQ",
            "HTTPS://WWW.YouTube.com/watch?feature=shared&v=dQw4w9WgXcQ#t=10",
            "https://m.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1234567890&index=3",
            "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://youtu.be/dQw4w9WgXcQ?si=abc&t=5",
            "youtu.be/dQw4w9WgXcQ",
            "https://www.youtube.com/shorts/dQw4w9WgXcQ",
            "https://www.youtube.com/embed/dQw4w9WgXcQ?start=3",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
            "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
            "https://www.youtube.com/v/dQw4w9WgXcQ",
            "https://www.youtube.com/watch/dQw4w9WgXcQ",
            "https://www.youtube.com:443/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ).",
            "https://www.youtube.com/attribution_link?u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
        ] {
            let video = VideoRef::parse(form).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!((video.id(), video.key()), (Some(ID), "youtube:dQw4w9WgXcQ"), "{form}");
            assert_eq!(video.url(), "https://www.youtube.com/watch?v=dQw4w9WgXcQ");
            assert_eq!(VideoRef::of_key(video.key()), Some(video), "{form}");
        }
    }

    #[test]
    fn other_addresses_stay_what_they_are() {
        let check = |text: &str, url: &str| {
            let video = VideoRef::parse(text).unwrap();
            assert_eq!((video.url(), video.key(), video.id()), (url, url, None));
        };
        check("https://Example.com/Talk?a=1#x", "https://example.com/Talk?a=1");
        check("http://example.com:80", "http://example.com/");
        check("http://127.0.0.1:8080/v", "http://127.0.0.1:8080/v");
        check("example.com/v.mp4", "https://example.com/v.mp4");
        check(
            "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
            "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
        );
    }

    #[test]
    fn what_is_no_video_is_refused() {
        for bad in [
            "",
            "x",
            "hello world",
            "ftp://example.com/x",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "file:///etc/passwd",
            "--exec=x",
            "-o",
            "https://exa mple.com/",
            "https://www.youtube.com/",
            "https://www.youtube.com/watch?v=short",
            "https://www.youtube.com/playlist?list=PL1234567890",
            "https://www.youtube.com/@someone",
            "https://me:secret@example.com/v",
            "https://youtu.be/",
            "https://example.com/\u{0}",
        ] {
            assert!(VideoRef::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn playlists_are_lists_channels_and_other_addresses() {
        let check =
            |text: &str, url: &str| assert_eq!(PlaylistRef::parse(text).unwrap().url(), url);
        let list = "https://www.youtube.com/playlist?list=PL1234567890";
        check(list, list);
        check("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1234567890&index=2", list);
        check("youtu.be/dQw4w9WgXcQ?list=PL1234567890", list);
        check(
            "https://www.youtube.com/@some.one/videos",
            "https://www.youtube.com/@some.one/videos",
        );
        check("https://example.com/feed.xml", "https://example.com/feed.xml");
        for bad in [
            "PL1234567890",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/",
        ] {
            assert!(PlaylistRef::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_video_is_written_down_as_its_address() {
        let video = VideoRef::parse("youtu.be/dQw4w9WgXcQ").unwrap();
        let text = serde_json::to_string(&video).unwrap();
        assert_eq!(text, "\"https://www.youtube.com/watch?v=dQw4w9WgXcQ\"");
        assert_eq!(serde_json::from_str::<VideoRef>(&text).unwrap(), video);
    }
}
