//! What is to be summarized: files and standard input, which are sent along, and videos, which are named.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde::Serialize;

use super::Options;
use crate::client::Failure;

/// What is posted.
#[derive(Debug, Default, Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    videos: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transcripts: Vec<Transcript>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refresh: bool,
}

/// A file that is sent along.
#[derive(Debug, Serialize)]
struct Transcript {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    #[serde(flatten)]
    body: Content,
}

/// What is in it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Vtt(String),
    Srt(String),
}

/// No server takes so much; what is longer is most likely no transcript.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The length of a video's id.
const ID_CHARS: usize = 11;

/// The request, with all files read.
pub(super) fn request(options: &Options) -> Result<Vec<u8>, Failure> {
    let mut request = Request {
        playlist: options.playlist.as_deref(),
        model: options.model.as_deref(),
        language: options.language.as_deref(),
        refresh: options.refresh,
        ..Request::default()
    };
    for source in &options.sources {
        if source == "-" {
            let bytes = read("standard input", io::stdin().lock())?;
            let body = content("standard input", "", &bytes)?;
            request.transcripts.push(Transcript { file_name: None, body });
        } else if Path::new(source).is_file() {
            request.transcripts.push(transcript(source)?);
        } else if is_video(source) {
            request.videos.push(source);
        } else {
            let why = "it is neither a file that is there, nor an address, nor a video's id";
            return Err(Failure::Input(format!("{source}: {why}")));
        }
    }
    // Texts can always be written.
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

fn transcript(path: &str) -> Result<Transcript, Failure> {
    let file = File::open(path);
    let file = file.map_err(|source| Failure::File { name: path.to_owned(), source })?;
    let bytes = read(path, file)?;
    let part =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let extension = part(Path::new(path).extension()).unwrap_or_default().to_lowercase();
    let body = content(path, &extension, &bytes)?;
    Ok(Transcript { file_name: part(Path::new(path).file_name()), body })
}

fn read(name: &str, from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let count = from.take(MAX_FILE_BYTES).read_to_end(&mut bytes);
    let count = count.map_err(|source| Failure::File { name: name.to_owned(), source })?;
    if count as u64 == MAX_FILE_BYTES {
        return Err(Failure::Input(format!("{name} has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// What stands in a file: by its extension, or else by how it begins.
fn content(name: &str, extension: &str, bytes: &[u8]) -> Result<Content, Failure> {
    let text = decoded(bytes);
    if text.contains('\0') {
        return Err(Failure::Input(format!("{name}: this is no text")));
    }
    if text.trim().is_empty() {
        return Err(Failure::Input(format!("{name}: there is nothing in it")));
    }
    Ok(match extension {
        "vtt" => Content::Vtt(text),
        "srt" => Content::Srt(text),
        _ if text.starts_with("WEBVTT") => Content::Vtt(text),
        _ if looks_like_subrip(&text) => Content::Srt(text),
        _ => Content::Text(text),
    })
}

/// A file's text: in the encoding it names, in UTF-8, or as older programs wrote it.
fn decoded(bytes: &[u8]) -> String {
    let named = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let is_utf8 = || std::str::from_utf8(bytes).is_ok();
    let encoding = named.unwrap_or_else(|| if is_utf8() { UTF_8 } else { WINDOWS_1252 });
    encoding.decode(bytes).0.into_owned()
}

/// A number by itself, and times on the next line.
fn looks_like_subrip(text: &str) -> bool {
    let mut lines = text.trim_start().lines();
    let is_number = lines.next().is_some_and(|line| line.trim().parse::<u64>().is_ok());
    is_number && lines.next().is_some_and(|line| line.contains("-->"))
}

/// Whether it can be a video; which ones there are, the server knows.
fn is_video(source: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_id = source.len() == ID_CHARS && source.bytes().all(is_of_id);
    // Addresses are copied without the scheme too; a file's path may look like one, but is not there.
    let hosts = ["youtu.be/", "youtube.com/", "www.youtube.com/", "m.youtube.com/"];
    let is_known = hosts.iter().any(|host| source.starts_with(host));
    is_id || is_known || source.starts_with("http://") || source.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_extension_says_or_what_it_looks_like() {
        let check = |extension: &str, bytes: &[u8], expected: Content| {
            assert_eq!(content("f", extension, bytes).unwrap(), expected, "{extension} {bytes:?}");
        };
        let srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\nHi.\r\n";
        check("vtt", b"x", Content::Vtt("x".into()));
        check("srt", b"x", Content::Srt("x".into()));
        check("txt", b"1 --> 2", Content::Text("1 --> 2".into()));
        check("", b"\xEF\xBB\xBFWEBVTT\n", Content::Vtt("WEBVTT\n".into()));
        check("", srt.as_bytes(), Content::Srt(srt.into()));
        check("txt", b"caf\xE9", Content::Text("café".into()));
        check("txt", b"\xFF\xFEH\0i\0", Content::Text("Hi".into()));
        assert!(content("f", "txt", b"\0\x01").is_err());
        assert!(content("f", "txt", b" \n").is_err());
    }

    #[test]
    fn videos_are_addresses_and_ids() {
        for video in ["dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ", "youtu.be/dQw4w9WgXcQ"] {
            assert!(is_video(video), "{video}");
        }
        for other in ["talk.vtt", "talks/lamp.txt", "dQw4w9WgXc", "dQw4w9WgXc!"] {
            assert!(!is_video(other), "{other}");
        }
    }
}
