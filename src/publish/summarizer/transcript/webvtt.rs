//! WebVTT files, by the W3C's "WebVTT: The Web Video Text Tracks Format", section 6.1, as far as
//! words and times go.
//!
//! In that standard's parser only a line with `-->` begins a cue, and only an empty line or the next
//! such line ends it. Everything else — cue identifiers, NOTE, STYLE and REGION blocks, the header's
//! own lines — is what stands outside of a cue, and none of it is spoken.

use super::{Caption, InvalidTranscript, excerpt, no_times, timing};

pub(super) fn read(source: &str) -> Result<Vec<Caption>, InvalidTranscript> {
    let mut lines = (1..).zip(source.split('\n'));
    let header = lines.next().map_or("", |(_, line)| line);
    if !is_header(header) {
        return Err(InvalidTranscript::NoHeader(excerpt(header)));
    }

    let mut captions: Vec<Caption> = Vec::new();
    let (mut inside, mut any_time, mut first_bad) = (false, false, None);
    for (number, line) in lines {
        if line.contains("-->") {
            captions.push(Caption::open(line, captions.last()));
            inside = true;
            if timing::interval(line).is_some() {
                any_time = true;
            } else {
                first_bad = first_bad.or(Some((number, line)));
            }
        } else if line.is_empty() {
            // A line with only spaces is not empty: automatic captions have such lines in cues.
            inside = false;
        } else if inside && let Some(caption) = captions.last_mut() {
            caption.lines.push(line.to_owned());
        }
    }
    if any_time { Ok(captions) } else { Err(no_times(first_bad, source)) }
}

fn is_header(line: &str) -> bool {
    let rest = line.strip_prefix("WEBVTT");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use crate::publish::summarizer::transcript::{Format, Transcript};

    /// Checks the cues as `start-end text`, in seconds.
    fn check(source: &str, expected: &[&str]) {
        let transcript = Transcript::parse(Format::WebVtt, source).unwrap();
        let seconds = |time: Option<std::time::Duration>| time.unwrap().as_secs_f32();
        let show = |cue: &super::super::Cue| {
            format!("{}-{} {}", seconds(cue.start), seconds(cue.end), cue.text)
        };
        assert_eq!(transcript.cues.iter().map(show).collect::<Vec<_>>(), expected, "{source:?}");
    }

    #[test]
    fn cues_are_read_with_ids_settings_and_several_lines() {
        check(
            "WEBVTT\n\n1\n00:01.000 --> 00:04.000 line:0 position:20%\nNever drink\nliquid nitrogen.\n\n\
             second cue\n01:00:05.000 --> 01:00:09.500\nIt will perforate your stomach.\n",
            &["1-4 Never drink liquid nitrogen.", "3605-3609.5 It will perforate your stomach."],
        );
    }

    #[test]
    fn what_is_not_spoken_is_left_out() {
        check(
            "WEBVTT - a title\nKind: captions\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\n\
             REGION\nid:fred\nwidth:40%\n\nNOTE a remark\nover two lines\n\nNOTE\nanother\n\n\
             00:01.000 --> 00:02.000\nHello.\n\nNOTE the end",
            &["1-2 Hello."],
        );
    }

    #[test]
    fn tags_are_stripped_and_entities_decoded() {
        check(
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Roger Bingham>We are in <i.foreign>New</i> York\n\n\
             00:02.000 --> 00:03.000\nQ&amp;A: 1 &lt; 2,<00:02.500><c> then</c> <b>bold</b>&nbsp;words",
            &["1-2 We are in New York", "2-3 Q&A: 1 < 2, then bold words"],
        );
    }

    #[test]
    fn a_time_line_ends_the_cue_before_it() {
        check(
            "WEBVTT\n\n00:01.000 --> 00:02.000\nOne.\n00:02.000 --> 00:03.000\nTwo.",
            &["1-2 One.", "2-3 Two."],
        );
        check(
            "WEBVTT\n00:01.000 --> 00:02.000\nRight after the header.",
            &["1-2 Right after the header."],
        );
    }

    #[test]
    fn an_unreadable_time_costs_the_time_but_not_the_words() {
        check(
            "WEBVTT\n\n00:01.000 --> 00:02.000\nOne.\n\n00:99.000 --> 00:03.000\nTwo.",
            &["1-2 One.", "1-2 Two."],
        );
    }

    #[test]
    fn line_ends_and_byte_order_mark_do_not_matter() {
        for end in ["\r\n", "\r", "\n"] {
            let source = "\u{FEFF}WEBVTT\n\n00:01.000 --> 00:02.000\nOne\ntwo.\n\nNOTE x\n";
            check(&source.replace('\n', end), &["1-2 One two."]);
        }
    }

    #[test]
    fn the_header_is_the_whole_word() {
        for bad in ["", "WEBVTTX\n\n", "webvtt\n\n", " WEBVTT\n\n", "\nWEBVTT"] {
            let source = format!("{bad}00:01.000 --> 00:02.000\nHello");
            assert!(Transcript::parse(Format::WebVtt, &source).is_err(), "{bad:?}");
        }
    }
}
