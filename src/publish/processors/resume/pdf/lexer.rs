//! PDF's little language, read from content streams and character maps: operands, then an operator.
//!
//! It is read piece by piece and never as a whole, so that a stream of a few megabytes costs no more
//! memory than itself. Nothing is malformed here: what makes no sense is passed over.

/// A value before an operator.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Number(f64),
    Name(Vec<u8>),
    Text(Vec<u8>),
    /// `[`; what is in an array follows it.
    Open,
    /// `]`
    Close,
}

/// More operands than this before one operator are dropped.
const MAX_OPERANDS: usize = 20_000;

/// Parentheses within a string, deeper than anybody writes them.
const MAX_PARENTHESES: usize = 1_000;

/// Reads operations from bytes.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    operands: Vec<Operand>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, operands: Vec::new() }
    }

    /// The next operator and its operands, until there are none.
    pub(super) fn next_operation(&mut self) -> Option<(&'a [u8], &[Operand])> {
        self.operands.clear();
        loop {
            self.skip_space();
            let operand = match self.peek()? {
                b'(' => Operand::Text(self.literal()),
                b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => {
                    self.at += 2;
                    continue;
                }
                b'<' => Operand::Text(self.hexadecimal()),
                b'/' => Operand::Name(self.name()),
                b'[' => self.single(Operand::Open),
                b']' => self.single(Operand::Close),
                b'>' | b')' | b'{' | b'}' => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    let word = self.word();
                    let Some(number) = number(word) else {
                        if word == b"ID" {
                            self.skip_image();
                        }
                        return Some((word, &self.operands));
                    };
                    Operand::Number(number)
                }
            };
            if self.operands.len() < MAX_OPERANDS {
                self.operands.push(operand);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn single(&mut self, operand: Operand) -> Operand {
        self.at += 1;
        operand
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'%' => {
                    let rest = &self.bytes[self.at..];
                    let line = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
                    self.at += line.unwrap_or(rest.len());
                }
                _ if is_space(byte) => self.at += 1,
                _ => return,
            }
        }
    }

    fn word(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| is_space(*b) || is_delimiter(*b));
        let length = length.unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn name(&mut self) -> Vec<u8> {
        self.at += 1;
        let raw = self.word();
        let mut name = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((byte, after)) = rest.split_first() {
            let escaped = after.first_chunk::<2>().filter(|_| *byte == b'#');
            let escaped = escaped.and_then(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?));
            name.push(escaped.unwrap_or(*byte));
            rest = if escaped.is_some() { &after[2..] } else { after };
        }
        name
    }

    fn hexadecimal(&mut self) -> Vec<u8> {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| *b == b'>').unwrap_or(rest.len());
        self.at = (self.at + length + 1).min(self.bytes.len());
        let digits: Vec<_> = rest[..length].iter().filter_map(|b| digit(*b)).collect();
        // A last digit alone counts as followed by zero.
        digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
    }

    /// `(a \( b (c))`
    fn literal(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut text = Vec::new();
        let mut depth = 0;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.escape(&mut text),
                b'(' if depth < MAX_PARENTHESES => {
                    depth += 1;
                    text.push(byte);
                }
                b')' if depth == 0 => break,
                b')' => {
                    depth -= 1;
                    text.push(byte);
                }
                _ => text.push(byte),
            }
        }
        text
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'\r' if self.peek() == Some(b'\n') => self.at += 1,
            // A line that goes on.
            b'\r' | b'\n' => {}
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(next @ b'0'..=b'7') = self.peek() else { break };
                    value = value * 8 + u32::from(next - b'0');
                    self.at += 1;
                }
                text.push((value & 0xff) as u8);
            }
            _ => text.push(byte),
        }
    }

    /// An image within the stream ends with `EI` between white space.
    fn skip_image(&mut self) {
        let rest = &self.bytes[self.at..];
        let ends = |window: &[u8]| {
            is_space(window[0])
                && &window[1..3] == b"EI"
                && window.get(3).is_none_or(|b| is_space(*b))
        };
        let end = rest
            .windows(4)
            .position(ends)
            .or_else(|| rest.len().checked_sub(3).filter(|last| ends(&rest[*last..])));
        self.at += end.map_or(rest.len(), |end| end + 3);
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn is_delimiter(byte: u8) -> bool {
    b"()<>[]{}/%".contains(&byte)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn number(word: &[u8]) -> Option<f64> {
    let is_number = word.iter().all(|b| b.is_ascii_digit() || b"+-.".contains(b))
        && word.iter().any(u8::is_ascii_digit);
    let text = std::str::from_utf8(word).ok().filter(|_| is_number)?;
    // Some programs write --5 or 1-2; others take them for these, too.
    let text = text.trim_start_matches("--");
    text.parse().ok().or_else(|| text.split('-').next()?.parse().ok()).or(Some(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(&str, &[Operand])]) {
        let mut lexer = Lexer::new(source.as_bytes());
        for (operator, operands) in expected {
            let (found, found_operands) = lexer.next_operation().unwrap();
            assert_eq!(String::from_utf8_lossy(found), *operator, "{source}");
            assert_eq!(&found_operands, operands, "{source}");
        }
        assert_eq!(lexer.next_operation(), None, "{source}");
    }

    fn text(bytes: &str) -> Operand {
        Operand::Text(bytes.into())
    }

    #[test]
    fn operands_come_before_their_operator() {
        use Operand::{Close, Name, Number, Open};
        check(
            "BT /F#311 12 Tf\n[(A) -120.5 (B)]TJ % end\nET",
            &[
                ("BT", &[]),
                ("Tf", &[Name(b"F11".into()), Number(12.0)]),
                ("TJ", &[Open, text("A"), Number(-120.5), text("B"), Close]),
                ("ET", &[]),
            ],
        );
        check(
            "/Span<</MCID 0>>BDC",
            &[("BDC", &[Name(b"Span".into()), Name(b"MCID".into()), Number(0.0)])],
        );
    }

    #[test]
    fn strings_are_unescaped() {
        check(r"(a\(b\)(c)\101\n\\) Tj", &[("Tj", &[text("a(b)(c)A\n\\")])]);
        check("(a\\\nb) Tj", &[("Tj", &[text("ab")])]);
        check("<48 65 6C6c6> Tj", &[("Tj", &[text("Hell`")])]);
    }

    #[test]
    fn numbers_may_be_careless() {
        use Operand::Number;
        check(
            "+1 -.5 4. --3 1-2 x",
            &[("x", &[Number(1.0), Number(-0.5), Number(4.0), Number(3.0), Number(1.0)])],
        );
    }

    #[test]
    fn images_within_are_passed_over() {
        check(
            "BI /W 1 ID \x01(((EI x EI\nq",
            &[("BI", &[]), ("ID", &[Operand::Name(b"W".into()), Operand::Number(1.0)]), ("q", &[])],
        );
        check("BI ID (( EI", &[("BI", &[]), ("ID", &[])]);
    }

    #[test]
    fn any_bytes_end() {
        let fragments =
            ["(", ")", "<", ">", "<<", "[", "]", "/", "#", "\\", "ID", "EI", "%", "\n", "1", "T"];
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..5_000 {
            let count = random.usize(0..20);
            let source: String =
                (0..count).map(|_| fragments[random.usize(..fragments.len())]).collect();
            let mut lexer = Lexer::new(source.as_bytes());
            let operations = std::iter::from_fn(|| lexer.next_operation().map(drop)).count();
            assert!(operations <= source.len());
        }
    }
}
