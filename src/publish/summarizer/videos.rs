//! Videos, playlists and their captions, through `yt-dlp`, the program that knows more than a thousand sites.
//!
//! It is started anew for each question, in a process group of its own ([`run`]), and can reach the network only
//! through a proxy of ours that judges every address ([`crate::publish::fetch::guard`]): so neither a redirect nor
//! a caption's address leads where this installation does not want to go.

// What yt-dlp complains about, for people.
mod complaint;

// What yt-dlp says of a video or a playlist.
mod metadata;

// Ids and addresses.
mod reference;

// One run of the program.
mod run;

// Which captions are read.
mod tracks;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use self::complaint::{SITE_RETRY, VideoError};
pub use self::reference::{InvalidVideo, PlaylistRef, VideoRef};

use self::metadata::{Info, Listing};
use self::run::{Output, Run};
use self::tracks::Track;
use super::talk::{Chapter, seconds};
use super::transcript::Format;
use crate::clock::Clock;
use crate::publish::fetch::gate::Gate;
use crate::publish::queues::config::Environment;

/// What may be asked of videos; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The program: a name that is looked up in `PATH`, or a path. Empty: videos are off.
    pub yt_dlp: String,
    /// The hosts that may be asked: `example.com`, `*.example.com` for what lies below it, or `*` for all.
    pub hosts: Vec<String>,
    /// How long one question may take; zero: as long as it takes.
    pub timeout: Duration,
    /// The size of one answer, in bytes: of what is known of a video or a playlist, or of captions. 0 is no
    /// limit.
    pub max_answer_bytes: usize,
    /// Videos of a playlist that are taken, the first; 0 is no limit.
    pub max_playlist_videos: usize,
    /// The language of captions if neither the request nor the video says one; empty: any.
    pub language: String,
}

/// Where questions are asked from.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whether addresses that are not on the public internet may be asked too.
    pub private_addresses: bool,
    /// What the program finds in its environment.
    pub environment: Environment,
}

/// The hosts that a video of YouTube needs.
const YOUTUBE_HOSTS: [&str; 8] = [
    "youtube.com",
    "*.youtube.com",
    "youtu.be",
    "youtube-nocookie.com",
    "*.youtube-nocookie.com",
    "*.googlevideo.com",
    "*.ytimg.com",
    "youtubei.googleapis.com",
];

impl Default for Limits {
    fn default() -> Self {
        Self {
            yt_dlp: "yt-dlp".into(),
            hosts: YOUTUBE_HOSTS.map(str::to_owned).into(),
            timeout: Duration::from_secs(90),
            max_answer_bytes: 32 << 20,
            max_playlist_videos: 200,
            language: "en".into(),
        }
    }
}

/// What is known of a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// Its id, as its site gives it.
    pub id: String,
    /// Where it can be watched.
    pub url: String,
    /// What it is called.
    pub title: String,
    /// How long it takes.
    #[serde(rename = "duration_seconds", with = "seconds::optional", default)]
    pub duration: Option<Duration>,
    /// The language that is spoken, if its site knows.
    #[serde(default)]
    pub language: Option<String>,
    /// Its parts, in order.
    #[serde(default)]
    pub chapters: Vec<Chapter>,
    /// Whose it is.
    #[serde(default)]
    pub uploader: Option<String>,
}

/// A video that was looked up.
#[derive(Debug)]
pub struct Found {
    /// What is known of it.
    pub video: Video,
    /// The captions that it has.
    tracks: Vec<Track>,
    /// All that yt-dlp said, from which it reads on.
    info: Vec<u8>,
}

/// What is said in a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captions {
    /// Their language.
    pub language: String,
    /// Whether a machine has made them.
    pub is_automatic: bool,
    /// Their form.
    pub format: Format,
    /// They themselves.
    pub body: String,
}

/// What a playlist has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// What it is called.
    pub title: String,
    /// Its videos, in order.
    pub items: Vec<PlaylistItem>,
}

/// A video of a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistItem {
    /// The video.
    pub video: VideoRef,
    /// What the playlist says that it is called.
    pub title: Option<String>,
}

/// Asks for videos. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Videos(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    environment: Environment,
    gate: Gate,
    clock: Arc<dyn Clock>,
    /// Whether the program was found new enough.
    is_new_enough: Mutex<bool>,
}

impl Videos {
    /// Asks within these limits.
    pub fn new(limits: Limits, surroundings: Surroundings, clock: Arc<dyn Clock>) -> Self {
        let Surroundings { private_addresses, environment } = surroundings;
        let gate = Gate::new("video_hosts", limits.hosts.clone(), private_addresses);
        let is_new_enough = Mutex::new(false);
        Self(Arc::new(Shared { limits, environment, gate, clock, is_new_enough }))
    }

    /// Asks for nothing.
    #[cfg(test)]
    pub(super) fn off(clock: Arc<dyn Clock>) -> Self {
        let limits = Limits { yt_dlp: String::new(), ..Limits::default() };
        Self::new(limits, Surroundings::default(), clock)
    }

    /// Whether videos are on.
    pub fn are_on(&self) -> bool {
        !self.0.limits.yt_dlp.is_empty()
    }

    /// What may be asked.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Whether a video may be asked for, as far as that can be said without asking.
    pub fn may_ask_video(&self, video: &VideoRef) -> Result<(), VideoError> {
        self.may_ask(video.url())
    }

    /// The same for a playlist.
    pub fn may_ask_playlist(&self, playlist: &PlaylistRef) -> Result<(), VideoError> {
        self.may_ask(playlist.url())
    }

    fn may_ask(&self, url: &str) -> Result<(), VideoError> {
        if !self.are_on() {
            return Err(VideoError::Off);
        }
        self.0.gate.check_url(url).map_err(|refusal| VideoError::Forbidden(refusal.to_string()))
    }

    /// What a video is, and which captions it has.
    pub fn look_up(
        &self,
        video: &VideoRef,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Found, VideoError> {
        self.may_ask_video(video)?;
        let arguments =
            ["--dump-single-json", "--no-playlist", "--skip-download", "--", video.url()];
        let answer = self.ask(&arguments, None, is_cancelled)?;
        let info = Info::read(&answer.bytes)?;
        Ok(Found { video: info.video(video), tracks: info.tracks(), info: answer.bytes })
    }

    /// The captions of a video that was looked up, in the language that is wanted or else in its own.
    pub fn captions(
        &self,
        found: &Found,
        wanted: Option<&str>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Captions, VideoError> {
        let (own, usual) = (found.video.language.as_deref(), self.0.limits.language.as_str());
        let track = tracks::choose(&found.tracks, wanted, own, usual)?;
        let kind = if track.is_automatic { "--write-auto-subs" } else { "--write-subs" };
        let language = tracks::escaped(&track.language);
        let arguments = [
            "--skip-download",
            kind,
            "--sub-langs",
            &language,
            "--sub-format",
            "vtt/srt/best",
            "--output",
            "captions.%(ext)s",
        ];
        let answer = self.ask(&arguments, Some(&found.info), is_cancelled)?;
        let (name, body) = answer
            .file
            .ok_or_else(|| VideoError::Other("Its captions could not be had.".to_owned()))?;
        let format = match name.rsplit_once('.') {
            Some((_, "vtt")) => Format::WebVtt,
            Some((_, "srt")) => Format::SubRip,
            _ => return Err(VideoError::Form(name.rsplit('.').next().unwrap_or_default().into())),
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        let (language, is_automatic) = (track.plain_language(), track.is_automatic);
        Ok(Captions { language, is_automatic, format, body })
    }

    /// What a playlist has.
    pub fn playlist(
        &self,
        playlist: &PlaylistRef,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Playlist, VideoError> {
        self.may_ask_playlist(playlist)?;
        let most = self.0.limits.max_playlist_videos;
        let most = if most == 0 { String::new() } else { most.to_string() };
        let items = format!(":{most}");
        let arguments = [
            "--dump-single-json",
            "--flat-playlist",
            "--yes-playlist",
            "--playlist-items",
            &items,
            "--",
            playlist.url(),
        ];
        let answer = self.ask(&arguments, None, is_cancelled)?;
        Listing::read(&answer.bytes)?.playlist(playlist)
    }

    fn ask(
        &self,
        arguments: &[&str],
        info: Option<&[u8]>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Output, VideoError> {
        if !self.are_on() {
            return Err(VideoError::Off);
        }
        self.check_version(is_cancelled)?;
        self.start()?.finish(arguments, info, is_cancelled)
    }

    /// Fails if the program is missing, or too old to know the sites as they are.
    fn check_version(&self, is_cancelled: &dyn Fn() -> bool) -> Result<(), VideoError> {
        // Held meanwhile: those who ask at the same time wait for one answer.
        let mut is_new_enough = loop {
            match self.0.is_new_enough.try_lock_for(Duration::from_millis(50)) {
                Some(known) => break known,
                None if is_cancelled() => return Err(VideoError::Cancelled),
                None => {}
            }
        };
        if *is_new_enough {
            return Ok(());
        }
        let answer = self.start()?.finish(&["--version"], None, is_cancelled)?;
        let version = String::from_utf8_lossy(&answer.bytes).trim().to_owned();
        if !metadata::is_new_enough(&version) {
            return Err(VideoError::TooOld(version.chars().take(40).collect()));
        }
        *is_new_enough = true;
        Ok(())
    }

    fn start(&self) -> Result<Run<'_>, VideoError> {
        let shared = &self.0;
        Run::prepare(&shared.limits, &shared.environment, &shared.gate, &*shared.clock)
            .map_err(|e| cannot_run(&e))
    }
}

fn cannot_run(error: &io::Error) -> VideoError {
    VideoError::Trouble(format!("yt-dlp cannot be started: {error}"))
}
