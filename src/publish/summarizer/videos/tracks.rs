//! Which captions are read: those of the language that is spoken before translations, and of those in one language
//! what somebody has written before what a machine has heard.

use super::VideoError;

/// Captions that a video has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    /// As yt-dlp calls it: a language tag, perhaps with `-orig` behind it.
    pub language: String,
    pub is_automatic: bool,
}

/// Behind the language of automatic captions that are no translation, on YouTube.
const ORIGINAL: &str = "-orig";

impl Track {
    /// The language without yt-dlp's marks.
    pub fn plain_language(&self) -> String {
        self.language.strip_suffix(ORIGINAL).unwrap_or(&self.language).to_owned()
    }

    /// How well it fits a language: exactly, by its first part (`en-GB` for `en`), or not.
    fn fits(&self, language: &str) -> Option<usize> {
        let (mine, wanted) =
            (self.plain_language().to_ascii_lowercase(), language.to_ascii_lowercase());
        let first = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_owned();
        let penalty = usize::from(!self.language.ends_with(ORIGINAL));
        if mine == wanted {
            return Some(penalty);
        }
        (first(&mine) == first(&wanted)).then_some(2 + penalty)
    }
}

/// Chooses one: in the wanted language, else in the one that is spoken, else in the usual one, else what
/// there is.
pub(super) fn choose<'a>(
    tracks: &'a [Track],
    wanted: Option<&str>,
    own: Option<&str>,
    usual: &str,
) -> Result<&'a Track, VideoError> {
    let written = || tracks.iter().filter(|track| !track.is_automatic);
    let automatic = || tracks.iter().filter(|track| track.is_automatic);
    if let Some(wanted) = wanted {
        let found = best(written(), wanted).or_else(|| best(automatic(), wanted));
        return found.ok_or_else(|| VideoError::NoCaptionsIn {
            wanted: wanted.to_owned(),
            available: available(tracks),
        });
    }
    // On YouTube, what the machine heard says what is spoken.
    let heard = automatic().find(|track| track.language.ends_with(ORIGINAL));
    let heard_in = heard.map(Track::plain_language);
    let spoken = [own, heard_in.as_deref()].into_iter().flatten();
    let as_spoken = spoken.clone().find_map(|language| best(written(), language));
    let found = as_spoken
        .or(heard)
        .or_else(|| spoken.clone().find_map(|language| best(automatic(), language)))
        .or_else(|| best(written(), usual))
        .or_else(|| written().next())
        .or_else(|| best(automatic(), usual))
        .or_else(|| automatic().next());
    found.ok_or(VideoError::NoCaptions)
}

fn best<'a>(tracks: impl Iterator<Item = &'a Track>, language: &str) -> Option<&'a Track> {
    let fitting = tracks.filter_map(|track| Some((track.fits(language)?, track)));
    fitting.min_by_key(|(fit, _)| *fit).map(|(_, track)| track)
}

/// The languages there are, for people: first those that somebody has written.
fn available(tracks: &[Track]) -> String {
    let mut languages: Vec<String> = Vec::new();
    let written = tracks.iter().filter(|track| !track.is_automatic);
    let automatic = tracks.iter().filter(|track| track.is_automatic);
    for track in written.chain(automatic) {
        let language = track.plain_language();
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    let more = languages.len().saturating_sub(10);
    languages.truncate(10);
    match (languages.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => languages.join(", "),
        (false, more) => format!("{} and {more} more", languages.join(", ")),
    }
}

/// The language as a regular expression that means nothing else, which is how yt-dlp wants it.
pub(super) fn escaped(language: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '_' => c.to_string(),
        c => format!("\\{c}"),
    };
    language.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tracks as `en de auto:en-orig auto:fr`.
    fn tracks(list: &str) -> Vec<Track> {
        let track = |word: &str| match word.strip_prefix("auto:") {
            Some(language) => Track { language: language.into(), is_automatic: true },
            None => Track { language: word.into(), is_automatic: false },
        };
        list.split_whitespace().map(track).collect()
    }

    fn check(list: &str, wanted: Option<&str>, own: Option<&str>, expected: &str) {
        let tracks = tracks(list);
        let chosen = choose(&tracks, wanted, own, "en").map_or_else(
            |error| error.code().to_owned(),
            |track| format!("{}{}", if track.is_automatic { "auto:" } else { "" }, track.language),
        );
        assert_eq!(chosen, expected, "{list}, {wanted:?}, {own:?}");
    }

    #[test]
    fn written_captions_come_before_those_of_a_machine() {
        check("de en auto:en auto:fr", None, None, "en");
        check("de auto:en auto:de", None, None, "de");
        check("en-GB auto:en", Some("en"), None, "en-GB");
    }

    #[test]
    fn a_wanted_language_is_had_or_it_is_said_which_there_are() {
        check("en de auto:fr", Some("de"), None, "de");
        check("en auto:fr auto:fr-orig", Some("fr"), None, "auto:fr-orig");
        check("en auto:pt-BR", Some("pt"), None, "auto:pt-BR");
        check("en", Some("ja"), None, "no_captions");
    }

    #[test]
    fn what_is_spoken_comes_before_a_translation() {
        check("auto:af auto:en auto:de auto:de-orig", None, None, "auto:de-orig");
        check("auto:af auto:en auto:de", None, Some("de"), "auto:de");
        check("fr de auto:de-orig auto:en", None, None, "de");
        check("zh de auto:en auto:de", None, Some("en"), "auto:en");
        check("zh de auto:af auto:en-orig", None, None, "auto:en-orig");
        check("zh en auto:af", None, Some("de"), "en");
        check("ja ko", None, None, "ja");
    }

    #[test]
    fn without_captions_there_is_nothing_to_summarize() {
        check("", None, None, "no_captions");
        check("", Some("en"), None, "no_captions");
    }

    #[test]
    fn a_language_is_no_pattern() {
        assert_eq!(escaped("zh-Hans.*"), "zh\\-Hans\\.\\*");
    }
}
