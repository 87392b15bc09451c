//! What yt-dlp complains about, for people: the sentences of many sites, as a few kinds of trouble.

use std::time::Duration;

/// How long a site is left alone that takes no more questions, which does not say when it will.
pub const SITE_RETRY: Duration = Duration::from_secs(60);

/// Why there is no video, no playlist or no captions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// The setting `yt_dlp` is empty.
    #[error("Videos are off here (yt_dlp is empty).")]
    Off,
    /// The program is not there.
    #[error("yt-dlp is not installed here, or not found (the setting yt_dlp says where it is).")]
    NotInstalled,
    /// The program does not know what is asked of it.
    #[error("yt-dlp is too old here (version {0:?}); it must be from 2024 or later.")]
    TooOld(String),
    /// A host, or an address, that must not be asked.
    #[error("{0}.")]
    Forbidden(String),
    /// Only those see it who were invited.
    #[error("The video is private.")]
    Private,
    /// It is not there, or not any more.
    #[error("The video is not available: it was removed, or there never was one at this address.")]
    Removed,
    /// Its site wants to know who asks.
    #[error(
        "The video can only be seen by those who sign in: because of an age limit, or for members."
    )]
    SignIn,
    /// Its site does not show it in this country.
    #[error("The video is not shown in the country where this server is.")]
    Country,
    /// It goes on while it is watched.
    #[error("The video is live; what was said can be summarized when it has ended.")]
    Live,
    /// It has not begun.
    #[error("The video has not begun yet.")]
    Upcoming,
    /// Nobody has written down what is said.
    #[error("The video has no captions, so what is said in it is not known.")]
    NoCaptions,
    /// There are captions, but not in the language that was asked for.
    #[error("The video has no captions in {wanted:?}; there are: {available}.")]
    NoCaptionsIn {
        /// The language.
        wanted: String,
        /// Those there are.
        available: String,
    },
    /// The captions have a form that is not known here.
    #[error("The video's captions come only in the form {0:?}, which cannot be read here.")]
    Form(String),
    /// Too much was asked of the site.
    #[error("The video's site takes no more questions from this server for now.")]
    RateLimited,
    /// No video is there that yt-dlp can find.
    #[error("No video was found at this address.")]
    Unsupported,
    /// The address leads to several videos.
    #[error("There are several videos at this address; ask for it as a playlist.")]
    SeveralVideos,
    /// The address leads to a video.
    #[error("There is no playlist at this address.")]
    NoPlaylist,
    /// The site could not be reached.
    #[error("The video's site could not be reached: {0}")]
    Network(String),
    /// There was no answer in time.
    #[error("There was no answer within {0} seconds (video_timeout_seconds).")]
    Timeout(u64),
    /// There was more of an answer than may be.
    #[error("The answer has more than {0} bytes (max_video_answer_bytes).")]
    TooLarge(usize),
    /// Nobody wants it any more.
    #[error("It was left off.")]
    Cancelled,
    /// Something else, in yt-dlp's words.
    #[error("{0}")]
    Other(String),
    /// Something that is wrong on this machine, or with yt-dlp.
    #[error("{0}")]
    Trouble(String),
}

/// What sites say, in lower case, and what it means; the first that is found counts.
const KINDS: &[(&str, VideoError)] = &[
    ("http error 429", VideoError::RateLimited),
    ("too many requests", VideoError::RateLimited),
    ("not a bot", VideoError::RateLimited),
    ("rate-limited by", VideoError::RateLimited),
    ("this content isn't available, try again later", VideoError::RateLimited),
    ("private video", VideoError::Private),
    ("this video is private", VideoError::Private),
    ("confirm your age", VideoError::SignIn),
    ("age-restricted", VideoError::SignIn),
    ("inappropriate for some users", VideoError::SignIn),
    ("members-only", VideoError::SignIn),
    ("available to this channel's members", VideoError::SignIn),
    ("join this channel", VideoError::SignIn),
    ("requires payment", VideoError::SignIn),
    ("login required", VideoError::SignIn),
    ("registered users", VideoError::SignIn),
    ("use --cookies", VideoError::SignIn),
    ("in your country", VideoError::Country),
    ("from your location", VideoError::Country),
    ("geo restriction", VideoError::Country),
    ("geo-restricted", VideoError::Country),
    ("live event will begin", VideoError::Upcoming),
    ("premieres in", VideoError::Upcoming),
    ("premiere will begin", VideoError::Upcoming),
    ("has been removed", VideoError::Removed),
    ("been terminated", VideoError::Removed),
    ("video unavailable", VideoError::Removed),
    ("is not available", VideoError::Removed),
    ("video is unavailable", VideoError::Removed),
    ("no longer available", VideoError::Removed),
    ("does not exist", VideoError::Removed),
    ("playlist is unavailable", VideoError::Removed),
    ("http error 404", VideoError::Removed),
    ("http error 410", VideoError::Removed),
    ("unsupported url", VideoError::Unsupported),
    ("is not a valid url", VideoError::Unsupported),
    ("no video formats found", VideoError::Unsupported),
    ("unable to extract", VideoError::Unsupported),
];

/// What a site that cannot be reached is told by.
const NETWORK: &[&str] = &[
    "unable to download",
    "failed to extract any player response",
    "timed out",
    "connection refused",
    "connection reset",
    "name or service not known",
    "temporary failure in name resolution",
    "http error 5",
    "remote end closed",
    "transporterror",
    // What OpenSSL and its wrappers write; the three letters alone are in "lossless" too.
    "ssl:",
    "[ssl",
    "_ssl.c",
    "sslerror",
    "certificate verify failed",
];

/// So many characters of a complaint are shown.
const MAX_CHARS: usize = 300;

impl VideoError {
    /// What yt-dlp's standard error means.
    pub(super) fn of_complaint(errors: &str) -> Self {
        let lines = errors.lines().map(str::trim);
        let last = lines.filter_map(|line| line.strip_prefix("ERROR:")).next_back();
        let Some(complaint) = last.map(str::trim) else {
            let said: String = errors.trim().chars().take(MAX_CHARS).collect();
            let trouble =
                if said.is_empty() { "yt-dlp failed without a word.".into() } else { said };
            return Self::Trouble(trouble);
        };
        let lower = complaint.to_lowercase().replace('’', "'");
        if let Some((_, kind)) = KINDS.iter().find(|(words, _)| lower.contains(words)) {
            return kind.clone();
        }
        let said = people_s(complaint);
        if NETWORK.iter().any(|words| lower.contains(words)) {
            return Self::Network(said);
        }
        Self::Other(said)
    }

    /// Whether it says only that something did not work, and not why.
    pub(super) fn is_vague(&self) -> bool {
        matches!(self, Self::Network(_) | Self::Other(_) | Self::Trouble(_))
    }

    /// Whether another attempt may do better.
    pub fn is_retryable(&self) -> bool {
        let for_now = [Self::RateLimited, Self::Cancelled];
        for_now.contains(self)
            || matches!(self, Self::Network(_) | Self::Timeout(_) | Self::Trouble(_))
    }

    /// How long that must wait.
    pub fn retry_after(&self) -> Option<Duration> {
        (*self == Self::RateLimited).then_some(SITE_RETRY)
    }

    /// The kind of trouble, in a word that stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Off => "not_available",
            Self::NotInstalled => "yt_dlp_missing",
            Self::TooOld(_) => "yt_dlp_too_old",
            Self::Forbidden(_) => "video_forbidden",
            Self::Private => "video_private",
            Self::Removed => "video_removed",
            Self::SignIn => "video_sign_in",
            Self::Country => "video_country",
            Self::Live => "video_live",
            Self::Upcoming => "video_upcoming",
            Self::NoCaptions | Self::NoCaptionsIn { .. } | Self::Form(_) => "no_captions",
            Self::RateLimited => "rate_limited",
            Self::Unsupported => "no_video",
            Self::SeveralVideos => "several_videos",
            Self::NoPlaylist => "no_playlist",
            Self::Network(_) => "video_network",
            Self::Timeout(_) => "video_timeout",
            Self::TooLarge(_) => "video_too_large",
            Self::Cancelled => "cancelled",
            Self::Other(_) => "video_failed",
            Self::Trouble(_) => "video_trouble",
        }
    }
}

/// A complaint without yt-dlp's own words to its users, who are not ours.
fn people_s(complaint: &str) -> String {
    let advice = [
        "; please report this",
        ". please report this",
        " (caused by",
        ". use --",
        "; use --",
        ". see  ",
    ];
    let lower = complaint.to_lowercase();
    let end = advice.iter().filter_map(|words| lower.find(words)).min();
    // Lower case may have another length in some scripts.
    let short = end.and_then(|end| complaint.get(..end)).unwrap_or(complaint);
    short.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences are those of yt-dlp 2026.10.26 and of the sites it asks.
    #[test]
    fn a_complaint_is_understood() {
        for (said, code) in [
            (
                "ERROR: [youtube] dQw4w9WgXcQ: Private video. Sign in if you've been granted access to this video. Use --cookies-from-browser",
                "video_private",
            ),
            (
                "ERROR: [youtube] x: Video unavailable. This video has been removed by the uploader",
                "video_removed",
            ),
            ("ERROR: [youtube] x: Video unavailable", "video_removed"),
            (
                "ERROR: [youtube] x: This video is no longer available because the YouTube account associated with this video has been terminated.",
                "video_removed",
            ),
            (
                "ERROR: [youtube] x: Sign in to confirm your age. This video may be inappropriate for some users.",
                "video_sign_in",
            ),
            (
                "ERROR: [youtube] x: Join this channel to get access to members-only content like this video, and other exclusive perks.",
                "video_sign_in",
            ),
            (
                "ERROR: [youtube] x: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.",
                "rate_limited",
            ),
            (
                "ERROR: [youtube] x: The uploader has not made this video available in your country",
                "video_country",
            ),
            ("ERROR: [youtube] x: This live event will begin in 3 hours.", "video_upcoming"),
            ("ERROR: [youtube] x: Premieres in 2 days", "video_upcoming"),
            (
                "ERROR: [youtube] x: Failed to extract any player response; please report this issue on  https://github.com/",
                "video_network",
            ),
            (
                "ERROR: Unable to download video subtitles for 'en': HTTP Error 429: Too Many Requests",
                "rate_limited",
            ),
            (
                "ERROR: [generic] none: Unable to download webpage: HTTP Error 404: File not found (caused by <HTTPError 404: File not found>)",
                "video_removed",
            ),
            ("ERROR: Unsupported URL: https://example.com/", "no_video"),
            (
                "ERROR: [generic] '--x' is not a valid URL. Set --default-search \"ytsearch\"",
                "no_video",
            ),
            (
                "ERROR: [generic] x: Unable to download webpage: [Errno 111] Connection refused (caused by TransportError('[Errno 111] Connection refused'))",
                "video_network",
            ),
            (
                "ERROR: [generic] x: Unable to download webpage: HTTP Error 503: Service Unavailable",
                "video_network",
            ),
            (
                "ERROR: [x] y: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1000)",
                "video_network",
            ),
            ("ERROR: [x] y: SSLError('EOF occurred in violation of protocol')", "video_network"),
            ("ERROR: [x] y: EOF occurred in violation of protocol (_ssl.c:997)", "video_network"),
            ("ERROR: [x] y: A crosslink to lossless formats is needed", "video_failed"),
            (
                "WARNING: one\nERROR: [x] y: Something new; please report this issue on  https://github.com/",
                "video_failed",
            ),
            ("Traceback (most recent call last):\n  File", "video_trouble"),
            ("", "video_trouble"),
        ] {
            assert_eq!(VideoError::of_complaint(said).code(), code, "{said}");
        }
    }

    #[test]
    fn what_is_said_to_users_of_yt_dlp_is_left_out() {
        let said = "ERROR: [x] y: Something new; please report this issue on  https://github.com/";
        assert_eq!(VideoError::of_complaint(said).to_string(), "[x] y: Something new");
        let said = "ERROR: [x] İİİ: odd (caused by <y>)";
        assert!(VideoError::of_complaint(said).to_string().starts_with("[x]"));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again = |error: VideoError| error.is_retryable();
        assert_eq!(VideoError::RateLimited.retry_after(), Some(SITE_RETRY));
        assert_eq!(VideoError::Timeout(1).retry_after(), None);
        assert!(again(VideoError::RateLimited) && again(VideoError::Timeout(1)));
        assert!(
            !again(VideoError::Private)
                && !again(VideoError::NoCaptions)
                && !again(VideoError::NotInstalled)
        );
    }
}
