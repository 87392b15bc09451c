//! A document as lines of text, whatever it came as.

use std::time::Duration;

use encoding_rs::{Encoding, WINDOWS_1252};

/// A document's text.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Paper {
    /// In the order in which a person reads them.
    pub(super) lines: Vec<Line>,
    /// Where its links lead that may not stand in its text.
    pub(super) links: Vec<String>,
    /// How many pages it has, if it has pages.
    pub(super) pages: Option<usize>,
}

/// A line. What stands far apart in it is divided by tabulators.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    /// The height of its letters, in points; 0 if nobody knows.
    pub(super) size: f64,
    /// Whether it is further from the line before than lines usually are.
    pub(super) is_apart: bool,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the document is empty")]
    Empty,
    #[error("the document has {bytes} bytes, the limit is {max} (max_resume_bytes)")]
    Size { bytes: usize, max: usize },
    #[error("the document has {found} pages, the limit is {max} (max_resume_pages)")]
    Pages { found: usize, max: usize },
    #[error("this is {0}; a résumé is read as PDF or plain text")]
    Kind(String),
    #[error("this is not a PDF file, although it is said to be one")]
    NoPdf,
    #[error("the PDF file is encrypted and needs a password")]
    Encrypted,
    #[error("the PDF file is broken: {0}")]
    Broken(String),
    #[error("{}", no_text(*.pages, *.images, *.unreadable))]
    NoText { pages: usize, images: usize, unreadable: usize },
    #[error("the PDF file could not be read within {} seconds (resume_timeout_seconds)", .0.as_secs_f32())]
    Slow(Duration),
    #[error("the PDF file could not be read: the reader failed on it")]
    Crashed,
    #[error("no PDF file is read now: too many take too long")]
    Busy,
    #[error("no thread to read the PDF file: {0}")]
    Thread(String),
    #[error("the job was cancelled")]
    Cancelled,
}

fn no_text(pages: usize, images: usize, unreadable: usize) -> String {
    let pages = if pages == 1 { "its page".to_owned() } else { format!("its {pages} pages") };
    if unreadable > 0 {
        format!("the PDF file does not say which characters are on {pages}")
    } else if images > 0 {
        format!("there is no text in the PDF file: {pages} may be scanned images")
    } else {
        format!("there is no text in the PDF file, on {pages}")
    }
}

impl Unreadable {
    /// Whether another attempt may do better.
    pub(super) fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Thread(_) | Self::Cancelled)
    }
}

impl Paper {
    /// Whether anything can be read in it.
    pub(super) fn has_text(&self) -> bool {
        self.lines.iter().any(|line| line.text.chars().any(char::is_alphanumeric))
    }

    /// Reads plain text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut paper = Self::default();
        let mut is_apart = false;
        let text = text.replace("\r\n", "\n");
        for line in text.split(['\n', '\r', '\u{B}', '\u{C}', '\u{2028}']) {
            let text = aligned(line);
            if text.is_empty() {
                is_apart = true;
            } else {
                paper.lines.push(Line { text, size: 0.0, is_apart });
                is_apart = false;
            }
        }
        paper
    }
}

/// A line without control characters, its columns divided by tabulators: people align with blanks.
fn aligned(line: &str) -> String {
    const COLUMN_BLANKS: usize = 3;
    let mut text = String::new();
    let mut blanks = 0;
    for c in line.chars().filter(|c| *c == '\t' || !c.is_control()) {
        if c == '\t' {
            blanks += COLUMN_BLANKS;
        } else if c.is_whitespace() || c == '\u{FEFF}' {
            blanks += 1;
        } else {
            if !text.is_empty() && blanks > 0 {
                text.push(if blanks >= COLUMN_BLANKS { '\t' } else { ' ' });
            }
            blanks = 0;
            text.push(c);
        }
    }
    text
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pdf,
    Text,
}

/// How files begin that are neither.
const OTHERS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a Word document or another ZIP file"),
    (b"\xD0\xCF\x11\xE0", "an old Word document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "an image"),
    (b"\xFF\xD8\xFF", "an image"),
    (b"GIF8", "an image"),
    (b"II*\0", "an image"),
    (b"MM\0*", "an image"),
    (b"%!PS", "a PostScript file"),
    (b"\x1F\x8B", "a compressed file"),
    (b"\x7FELF", "a program"),
];

impl Kind {
    /// What the content is; its type and name are asked only where the content does not say.
    pub(super) fn of(bytes: &[u8], mime_type: &str, file_name: &str) -> Result<Self, Unreadable> {
        let is_said_to_be_pdf = mime_type.eq_ignore_ascii_case("application/pdf")
            || file_name.to_ascii_lowercase().ends_with(".pdf");
        let head = &bytes[..bytes.len().min(1_024)];
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Unreadable::Empty);
        }
        if head.starts_with(b"%PDF-") || (is_said_to_be_pdf && has(head, b"%PDF-")) {
            return Ok(Self::Pdf);
        }
        if let Some((_, name)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Err(Unreadable::Kind((*name).to_owned()));
        }
        let start = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            return Err(Unreadable::Kind("a web page".into()));
        }
        if is_said_to_be_pdf {
            return Err(Unreadable::NoPdf);
        }
        if is_binary(bytes) {
            let name = if mime_type.is_empty() { "of an unknown kind" } else { mime_type };
            return Err(Unreadable::Kind(name.to_owned()));
        }
        Ok(Self::Text)
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Text has hardly any control characters, unless it is UTF-16, which says so at its start.
fn is_binary(bytes: &[u8]) -> bool {
    let is_control = |byte: &&u8| **byte < 32 && !b"\t\n\r\x0B\x0C\x1B".contains(*byte);
    let head = &bytes[..bytes.len().min(4_096)];
    Encoding::for_bom(bytes).is_none() && head.iter().filter(is_control).count() * 50 > head.len()
}

/// Text in whatever it is written: by its mark, or else UTF-8, or else what Windows wrote in the West.
pub(super) fn decoded(bytes: &[u8]) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode(bytes).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(source: &str, expected: &[(&str, bool)]) {
        let paper = Paper::of_text(source);
        let lines: Vec<_> = paper.lines.iter().map(|l| (l.text.as_str(), l.is_apart)).collect();
        assert_eq!(lines, expected, "{source:?}");
    }

    #[test]
    fn text_becomes_lines_and_aligned_columns_stay_apart() {
        check_text("a\r\nb\r\n\r\nc", &[("a", false), ("b", false), ("c", true)]);
        check_text("  Engineer      2019 - 2020  ", &[("Engineer\t2019 - 2020", false)]);
        check_text("a  b\tc\u{A0}d\u{7}", &[("a b\tc d", false)]);
        check_text("\u{FEFF}a\u{C}b", &[("a", false), ("b", false)]);
    }

    #[test]
    fn text_is_read_in_whatever_it_is_written() {
        assert_eq!(decoded("Müller".as_bytes()), "Müller");
        assert_eq!(decoded(b"M\xFCller \x80"), "Müller €");
        assert_eq!(decoded(b"\xFF\xFEM\0\xFC\0"), "Mü");
        assert_eq!(decoded(b"\xEF\xBB\xBFM"), "M");
    }

    #[test]
    fn the_content_says_what_it_is() {
        let check = |bytes: &[u8], mime: &str, name: &str, expected: Result<Kind, &str>| {
            let kind = Kind::of(bytes, mime, name).map_err(|error| error.to_string());
            assert_eq!(kind.as_ref().map_err(String::as_str), expected.as_ref().map_err(|e| *e));
        };
        check(b"%PDF-1.4", "text/plain", "x.txt", Ok(Kind::Pdf));
        check(b"mail\n%PDF-1.4", "application/pdf", "", Ok(Kind::Pdf));
        check(b"Jane Doe", "", "", Ok(Kind::Text));
        check(b"\xFF\xFEM\0\xFC\0", "", "", Ok(Kind::Text));
        check(b" \n", "", "", Err("the document is empty"));
        let no_pdf = "this is not a PDF file, although it is said to be one";
        check(b"Jane Doe", "application/pdf", "", Err(no_pdf));
        check(b"Jane Doe", "", "cv.PDF", Err(no_pdf));
        let word =
            "this is a Word document or another ZIP file; a résumé is read as PDF or plain text";
        check(b"PK\x03\x04", "", "cv.docx", Err(word));
        let page = "this is a web page; a résumé is read as PDF or plain text";
        check(b"\n<!DOCTYPE html><title>404", "", "cv.pdf", Err(page));
        let unknown = "this is of an unknown kind; a résumé is read as PDF or plain text";
        check(b"\x01\x02\x03\x00abc", "", "", Err(unknown));
    }
}
