//! `SubRip` files (`.srt`), as they are found, not as anyone specified them.
//!
//! What a program can rely on is the time line. Numbers may be missing, wrong or joined to the text
//! before them, and empty lines may be missing between captions or stand inside one. So a caption is
//! everything between its time line and the next, without the number right before that.

use super::{Caption, InvalidTranscript, no_times, timing};

pub(super) fn read(source: &str) -> Result<Vec<Caption>, InvalidTranscript> {
    let mut captions: Vec<Caption> = Vec::new();
    let (mut any_time, mut first_bad) = (false, None);
    let mut after_number = false;
    for (number, line) in (1..).zip(source.split('\n')) {
        let readable = timing::interval(line).is_some();
        if readable || is_meant_as_time(line) {
            if after_number && let Some(before) = captions.last_mut() {
                before.lines.pop();
            }
            captions.push(Caption::open(line, captions.last()));
            any_time |= readable;
            if !readable {
                first_bad = first_bad.or(Some((number, line)));
            }
            after_number = false;
        } else {
            after_number = is_number(line);
            if let Some(caption) = captions.last_mut().filter(|_| !line.trim().is_empty()) {
                caption.lines.push(line.to_owned());
            }
        }
    }
    if any_time { Ok(captions) } else { Err(no_times(first_bad, source)) }
}

/// An arrow after a digit is a time gone wrong; any other arrow may well be spoken text.
fn is_meant_as_time(line: &str) -> bool {
    line.contains("-->") && line.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

fn is_number(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::publish::summarizer::transcript::{Format, Transcript};

    /// Checks the cues as `start text`, in seconds.
    fn check(source: &str, expected: &[&str]) {
        let transcript = Transcript::parse(Format::SubRip, source).unwrap();
        let show =
            |cue: &super::super::Cue| format!("{} {}", cue.start.unwrap().as_secs_f32(), cue.text);
        assert_eq!(transcript.cues.iter().map(show).collect::<Vec<_>>(), expected, "{source:?}");
    }

    #[test]
    fn captions_are_read() {
        check(
            "1\n00:00:01,000 --> 00:00:02,000\nHello\nthere.\n\n2\n00:00:03,500 --> 00:00:04,000\nBye.\n",
            &["1 Hello there.", "3.5 Bye."],
        );
    }

    #[test]
    fn numbers_and_empty_lines_may_be_missing() {
        check(
            "00:00:01.000 --> 00:00:02.000\nOne.\n00:00:02.000 --> 00:00:03.000\nTwo.",
            &["1 One.", "2 Two."],
        );
        check(
            "1\n00:00:01,000 --> 00:00:02,000\nOne.\n2\n00:00:02,000 --> 00:00:03,000\nTwo.",
            &["1 One.", "2 Two."],
        );
    }

    #[test]
    fn empty_lines_and_numbers_inside_a_caption_belong_to_it() {
        check(
            "1\n00:00:01,000 --> 00:00:02,000\nAnswer:\n\n42\n\n2\n00:00:02,000 --> 00:00:03,000\n1984\n",
            &["1 Answer: 42", "2 1984"],
        );
    }

    #[test]
    fn styles_and_line_ends_are_dropped() {
        let source = "\u{FEFF}1\n00:00:01,000 --> 00:00:02,000 X1:40\n{\\an8}<font color=\"#fff\">One</font>\n<i>two</i>\n\n";
        check(source, &["1 One two"]);
        check(&source.replace('\n', "\r\n"), &["1 One two"]);
        check(&source.replace('\n', "\r"), &["1 One two"]);
    }

    #[test]
    fn a_spoken_arrow_is_text() {
        check(
            "1\n00:00:01,000 --> 00:00:02,000\nfrom here --> there\n",
            &["1 from here --> there"],
        );
    }

    #[test]
    fn an_unreadable_time_costs_the_time_but_not_the_words() {
        check(
            "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:7x,000 --> 00:00:03,000\nTwo.\n",
            &["1 One.", "1 Two."],
        );
    }
}
