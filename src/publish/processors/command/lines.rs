//! Bytes to lines, however they are cut, and never more of a line than the limit.

/// A line that is not ended yet.
#[derive(Debug)]
pub(super) struct Lines {
    max: usize,
    begun: Vec<u8>,
}

/// A line is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    /// Lines of at most this many bytes, without the line feed.
    pub(super) fn new(max: usize) -> Self {
        Self { max, begun: Vec::new() }
    }

    /// Hands over each line that these bytes end.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TooLong> {
        let mut pieces = bytes.split(|&byte| byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.begun.len() + piece.len() > self.max {
                return Err(TooLong);
            }
            self.begun.extend_from_slice(piece);
            // The last piece is the beginning of a line.
            if pieces.peek().is_some() {
                each(&self.begun);
                self.begun.clear();
            }
        }
        Ok(())
    }

    /// Hands over what no line feed ended.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(&[u8])) {
        if !self.begun.is_empty() {
            each(&std::mem::take(&mut self.begun));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what comes of these pieces, with `!` for a line that is too long.
    fn check(pieces: &[&str], expected: &[&str]) {
        let mut lines = Lines::new(4);
        let mut found: Vec<String> = Vec::new();
        let mut each = |line: &[u8]| found.push(String::from_utf8(line.to_vec()).unwrap());
        let pushed = pieces.iter().try_for_each(|piece| lines.push(piece.as_bytes(), &mut each));
        match pushed {
            Ok(()) => lines.finish(&mut each),
            Err(TooLong) => each(b"!"),
        }
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn lines_are_found_however_they_are_cut() {
        check(&[], &[]);
        check(&["a\nb\n"], &["a", "b"]);
        check(&["a", "b\n", "\n", "c"], &["ab", "", "c"]);
        check(&["\n", "", "a\n\n"], &["", "a", ""]);
    }

    #[test]
    fn the_limit_is_a_lines_and_not_a_pieces() {
        check(&["abcd\nefgh\nij"], &["abcd", "efgh", "ij"]);
        check(&["abcde\n"], &["!"]);
        check(&["a\nab", "cd", "e"], &["a", "!"]);
    }
}
