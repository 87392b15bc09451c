//! The end of standard error, which mostly says why a program failed.

use std::collections::VecDeque;

/// The last bytes of what was written.
#[derive(Debug)]
pub(super) struct Tail {
    max: usize,
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    /// Keeps the last `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max, bytes: VecDeque::new(), is_cut: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(self.max)..];
        let surplus = (self.bytes.len() + new.len()).saturating_sub(self.max);
        self.is_cut |= surplus > 0 || new.len() < bytes.len();
        self.bytes.drain(..surplus);
        self.bytes.extend(new);
    }

    /// As text, without the space around it; marked if its beginning is missing.
    pub(super) fn into_text(self) -> String {
        let bytes = Vec::from(self.bytes);
        // The cut may go through a character, of which only its continuation is left.
        let is_continuation = |byte: &&u8| self.is_cut && **byte & 0b1100_0000 == 0b1000_0000;
        let halved = bytes.iter().take(3).take_while(is_continuation).count();
        let text = String::from_utf8_lossy(&bytes[halved..]);
        let text = text.trim();
        if self.is_cut && !text.is_empty() { format!("…{text}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max: usize, pieces: &[&[u8]], expected: &str) {
        let mut tail = Tail::new(max);
        for piece in pieces {
            tail.push(piece);
        }
        assert_eq!(tail.into_text(), expected, "{max} {pieces:?}");
    }

    #[test]
    fn the_last_bytes_are_kept() {
        check(4, &[], "");
        check(4, &[b"ab", b"cd"], "abcd");
        check(4, &[b"ab", b"cde"], "…bcde");
        check(4, &[b"abcdefgh"], "…efgh");
        check(4, &[b"abcd", b"efgh"], "…efgh");
        check(0, &[b"abc"], "");
        check(9, &[b"\n a \n"], "a");
    }

    #[test]
    fn a_character_that_is_cut_in_two_is_left_out() {
        check(2, &["xäy".as_bytes()], "…y");
        check(3, &["xäy".as_bytes()], "…äy");
        check(4, &["xäy".as_bytes()], "xäy");
        check(9, &[b"\x80a"], "\u{fffd}a");
        check(9, b"\xffab\x80".chunks(1).collect::<Vec<_>>().as_slice(), "\u{fffd}ab\u{fffd}");
    }
}
