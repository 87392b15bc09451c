//! Which characters a font's codes stand for, as the document itself says (`ToUnicode`).
//!
//! Read by ourselves: a crafted map of three lines can name four billion codes, so ranges stay ranges.

use std::collections::HashMap;

use super::lexer::{Lexer, Operand};

/// A font has 65,536 codes at most; a map that has more entries is not believed.
const MAX_ENTRIES: usize = 70_000;

/// Characters by code.
#[derive(Debug, Default)]
pub(super) struct CMap {
    single: HashMap<u32, String>,
    /// First and last code, and the character of the first.
    ranges: Vec<(u32, u32, u32)>,
}

impl CMap {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        let mut lexer = Lexer::new(bytes);
        while let Some((operator, operands)) = lexer.next_operation() {
            match operator {
                b"endbfchar" => map.add_single(operands),
                b"endbfrange" => map.add_ranges(operands),
                _ => {}
            }
        }
        map
    }

    /// What a code stands for.
    pub(super) fn get(&self, code: u32) -> Option<String> {
        if let Some(text) = self.single.get(&code) {
            return Some(text.clone());
        }
        let (first, _, base) = self.ranges.iter().find(|(a, b, _)| (*a..=*b).contains(&code))?;
        char::from_u32(base.checked_add(code - first)?).map(String::from)
    }

    /// `<03> <0041> <04> <0042>`
    fn add_single(&mut self, operands: &[Operand]) {
        for pair in operands.chunks_exact(2) {
            if let [Operand::Text(code), Operand::Text(text)] = pair {
                self.put(number(code), utf16(text));
            }
        }
    }

    /// `<03> <05> <0041>`, or the third as a list of as many.
    fn add_ranges(&mut self, operands: &[Operand]) {
        let mut rest = operands;
        while let [Operand::Text(first), Operand::Text(last), after @ ..] = rest {
            let (first, last) = (number(first), number(last));
            rest = match after {
                [Operand::Text(text), after @ ..] => {
                    self.add_range(first, last, text);
                    after
                }
                [Operand::Open, items @ ..] => {
                    let end =
                        items.iter().position(|o| *o == Operand::Close).unwrap_or(items.len());
                    for (code, item) in (first..=last).zip(&items[..end]) {
                        if let Operand::Text(text) = item {
                            self.put(code, utf16(text));
                        }
                    }
                    items.get(end + 1..).unwrap_or_default()
                }
                _ => return,
            };
        }
    }

    fn add_range(&mut self, first: u32, last: u32, text: &[u8]) {
        let text = utf16(text);
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) if self.ranges.len() < MAX_ENTRIES => {
                self.ranges.push((first, last, u32::from(only)));
            }
            // Several characters: only their last one would count up, which nobody uses.
            (Some(_), Some(_)) => self.put(first, text),
            _ => {}
        }
    }

    fn put(&mut self, code: u32, text: String) {
        if self.single.len() < MAX_ENTRIES {
            self.single.insert(code, text);
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// Big-endian UTF-16; a lone byte is itself. Longer than any ligature is not believed.
pub(super) fn utf16(bytes: &[u8]) -> String {
    if let [byte] = bytes {
        return char::from(*byte).to_string();
    }
    let units = bytes.chunks_exact(2).take(16).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "1 begincodespacerange <0000> <FFFF> endcodespacerange\n\
                       2 beginbfchar <0003> <0020> <0010> <00660069> endbfchar\n\
                       3 beginbfrange <0024> <0026> <0041> <0030> <0031> [<0416> <D83DDE00>]\n\
                       <00000000> <FFFFFFFF> <3042> endbfrange";

    #[test]
    fn codes_become_characters() {
        let map = CMap::parse(MAP.as_bytes());
        let check = |code, expected: &str| assert_eq!(map.get(code).as_deref(), Some(expected));
        check(3, " ");
        check(0x10, "fi");
        check(0x25, "B");
        check(0x30, "Ж");
        check(0x31, "😀");
        check(0, "あ");
        assert_eq!(map.get(u32::MAX), None);
    }

    #[test]
    fn a_broken_map_is_read_as_far_as_it_goes() {
        let map =
            CMap::parse(b"beginbfrange <01> <02> [<0041> endbfrange beginbfchar <05> endbfchar");
        assert_eq!(map.get(1).as_deref(), Some("A"));
        assert_eq!(map.get(5), None);
    }
}
