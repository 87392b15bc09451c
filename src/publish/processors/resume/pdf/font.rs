//! A font: which characters its codes stand for, and how wide they are.

use std::collections::HashMap;
use std::sync::LazyLock;

use lopdf::{Dictionary, Document, Object, Stream, dictionary};

use super::cmap::{CMap, utf16};
use super::{MAX_STREAM_BYTES, number};

/// Used where the document does not say: about that of a letter.
const USUAL_WIDTH: f64 = 500.0;

/// Widths of more characters than any font has are not read.
const MAX_WIDTHS: usize = 70_000;

/// What a code says and takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// Its characters; none if nobody can know them.
    pub(super) text: Option<String>,
    /// Its width for a size of one.
    pub(super) width: f64,
    /// Whether the space between words is added to it.
    pub(super) is_space: bool,
}

/// A font of a document.
#[derive(Debug, Default)]
pub(super) struct Font {
    /// Two bytes make a code.
    is_wide: bool,
    to_unicode: Option<CMap>,
    /// For codes of one byte.
    encoding: Vec<Option<String>>,
    /// The codes are UTF-16 themselves.
    is_utf16: bool,
    widths: HashMap<u32, f64>,
    default_width: f64,
    /// What a width of one thousand is for a size of one, thousandfold: drawn fonts may differ.
    scale: f64,
    known: HashMap<u32, Shape>,
}

impl Font {
    /// Reads what the document says of a font.
    pub(super) fn read(document: &Document, font: &Dictionary) -> Self {
        let to_unicode = font.get_deref(b"ToUnicode", document).and_then(Object::as_stream).ok();
        let content = to_unicode.and_then(content);
        let to_unicode = content.map(|content| CMap::parse(&content));
        match name(document, font, b"Subtype") {
            b"Type0" => Self { to_unicode, ..Self::composite(document, font) },
            kind => Self { to_unicode, ..Self::simple(document, font, kind) },
        }
    }

    fn composite(document: &Document, font: &Dictionary) -> Self {
        let encoding = name(document, font, b"Encoding");
        let is_utf16 = encoding.windows(4).any(|part| part == b"UCS2" || part == b"UTF1");
        let descendants = font.get_deref(b"DescendantFonts", document).and_then(Object::as_array);
        let descendant = descendants.ok().and_then(|list| list.first());
        let descendant = descendant.and_then(|first| document.dereference(first).ok());
        let descendant = descendant.and_then(|(_, object)| object.as_dict().ok());
        let widths = descendant.map(|font| wide_widths(document, font)).unwrap_or_default();
        let default = descendant.and_then(|font| font.get_deref(b"DW", document).ok());
        let default_width = default.and_then(number).unwrap_or(1_000.0);
        Self { is_wide: true, is_utf16, widths, default_width, scale: 1.0, ..Self::default() }
    }

    fn simple(document: &Document, font: &Dictionary, kind: &[u8]) -> Self {
        let base_font = name(document, font, b"BaseFont");
        let widths = narrow_widths(document, font);
        let widths = if widths.is_empty() { standard_widths(base_font) } else { widths };
        let descriptor = font.get_deref(b"FontDescriptor", document).and_then(Object::as_dict);
        let missing = descriptor.ok().and_then(|d| d.get_deref(b"MissingWidth", document).ok());
        let is_fixed = base_font.windows(7).any(|part| part == b"Courier");
        let usual = if is_fixed { 600.0 } else { USUAL_WIDTH };
        let matrix = font.get_deref(b"FontMatrix", document).and_then(Object::as_array).ok();
        let scale = matrix.and_then(|matrix| number(matrix.first()?)).filter(|_| kind == b"Type3");
        Self {
            encoding: encoding(document, font, kind),
            default_width: missing.and_then(number).filter(|w| *w > 0.0).unwrap_or(usual),
            widths,
            scale: scale.map_or(1.0, |scale| scale.abs() * 1_000.0),
            ..Self::default()
        }
    }

    /// The codes of a string that is shown.
    pub(super) fn codes(&self, bytes: &[u8]) -> Vec<u32> {
        let size = if self.is_wide { 2 } else { 1 };
        let code = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        bytes.chunks(size).map(code).collect()
    }

    pub(super) fn shape(&mut self, code: u32) -> Shape {
        if let Some(shape) = self.known.get(&code) {
            return shape.clone();
        }
        let width = self.widths.get(&code).copied().unwrap_or(self.default_width);
        let text = self.text(code).map(|text| plain(&text));
        let is_space = !self.is_wide && code == 32;
        let shape = Shape { text, width: width / 1_000.0 * self.scale, is_space };
        self.known.insert(code, shape.clone());
        shape
    }

    fn text(&self, code: u32) -> Option<String> {
        let mapped = self.to_unicode.as_ref().and_then(|map| map.get(code));
        let mapped = mapped.filter(|text| !text.contains('\0'));
        mapped.or_else(|| {
            if self.is_utf16 {
                return Some(utf16(&(code as u16).to_be_bytes()));
            }
            self.encoding.get(code as usize)?.clone()
        })
    }
}

/// Ligatures taken apart and odd spaces made even, so that words can be compared.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{FB00}' => plain.push_str("ff"),
            '\u{FB01}' => plain.push_str("fi"),
            '\u{FB02}' => plain.push_str("fl"),
            '\u{FB03}' => plain.push_str("ffi"),
            '\u{FB04}' => plain.push_str("ffl"),
            '\u{FB05}' | '\u{FB06}' => plain.push_str("st"),
            '\u{AD}' => plain.push('-'),
            c if c.is_whitespace() => plain.push(' '),
            c if c.is_control() || c == '\u{FEFF}' => {}
            // Icons have codes that mean nothing outside their font; they stand where bullets do.
            '\u{E000}'..='\u{F8FF}' => plain.push('•'),
            c => plain.push(c),
        }
    }
    plain
}

fn name<'a>(document: &'a Document, font: &'a Dictionary, key: &[u8]) -> &'a [u8] {
    font.get_deref(key, document).and_then(Object::as_name).unwrap_or_default()
}

fn whole(object: &Object) -> Option<u32> {
    object.as_i64().ok().and_then(|number| number.try_into().ok())
}

fn content(stream: &Stream) -> Option<Vec<u8>> {
    stream.get_plain_content_with_limit(MAX_STREAM_BYTES).ok()
}

/// The characters of codes of one byte.
fn encoding(document: &Document, font: &Dictionary, kind: &[u8]) -> Vec<Option<String>> {
    let given = font.get_deref(b"Encoding", document).ok();
    let details = given.and_then(|object| object.as_dict().ok());
    let base = match (given.and_then(|object| object.as_name().ok()), details) {
        (Some(name), _) => name,
        (None, Some(details)) => name(document, details, b"BaseEncoding"),
        (None, None) => b"",
    };
    let mut table = base_encoding(base, kind);
    let differences = details.and_then(|d| d.get_deref(b"Differences", document).ok());
    let mut code = 0;
    for item in differences.and_then(|list| list.as_array().ok()).into_iter().flatten() {
        if let Some(first) = whole(item) {
            code = first as usize;
        } else if let Ok(name) = item.as_name() {
            if let Some(slot) = table.get_mut(code) {
                *slot = named_character(name);
            }
            code += 1;
        }
    }
    table
}

fn base_encoding(base: &[u8], kind: &[u8]) -> Vec<Option<String>> {
    let base: &[u8] = match base {
        b"MacRomanEncoding" | b"MacExpertEncoding" | b"WinAnsiEncoding" | b"StandardEncoding" => {
            base
        }
        // What a TrueType font has of its own is most often that.
        _ if kind == b"TrueType" => b"WinAnsiEncoding",
        _ => b"StandardEncoding",
    };
    let font = dictionary! { "Type" => "Font", "Encoding" => Object::Name(base.into()) };
    let character = |code| decoded(&font, code);
    (0..=u8::MAX).map(character).collect()
}

/// A code's character in a font that we have made up.
fn decoded(font: &Dictionary, code: u8) -> Option<String> {
    let document = Document::default();
    let encoding = font.get_font_encoding_with_limit(&document, MAX_STREAM_BYTES).ok()?;
    let text = encoding.bytes_to_string(&[code]).ok()?;
    (!text.is_empty()).then_some(text)
}

/// `Adieresis`, `uni00C4`, `u1F600`, `f_i`, `a.alt`.
fn named_character(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.split('.').next()?;
    let parts: Option<Vec<_>> = name.split('_').map(one_character).collect();
    parts.map(|parts| parts.concat())
}

fn one_character(name: &str) -> Option<String> {
    let code = name.strip_prefix("uni").or_else(|| name.strip_prefix('u'));
    let code = code.filter(|code| (4..=6).contains(&code.len()));
    let by_code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
    if let Some(character) = by_code.and_then(char::from_u32) {
        return Some(character.to_string());
    }
    // The list of names is the library's, and the way to it is a font that has only this one.
    let differences = Object::Array(vec![0.into(), Object::Name(name.into())]);
    let encoding = dictionary! { "Type" => "Encoding", "Differences" => differences };
    decoded(&dictionary! { "Type" => "Font", "Encoding" => encoding }, 0)
}

fn narrow_widths(document: &Document, font: &Dictionary) -> HashMap<u32, f64> {
    let first = font.get_deref(b"FirstChar", document).ok().and_then(whole).unwrap_or(0);
    let widths = font.get_deref(b"Widths", document).and_then(Object::as_array);
    let widths = widths.into_iter().flatten().take(256).enumerate();
    let width = |(index, width): (usize, &Object)| {
        let (_, width) = document.dereference(width).ok()?;
        Some((first.saturating_add(index as u32), number(width)?))
    };
    widths.filter_map(width).collect()
}

/// `1 [500 600] 7 9 450`: from 1 on these two, and from 7 to 9 this.
fn wide_widths(document: &Document, font: &Dictionary) -> HashMap<u32, f64> {
    let mut widths = HashMap::new();
    let items = font.get_deref(b"W", document).and_then(Object::as_array);
    let items: Vec<_> = items.into_iter().flatten().collect();
    let mut rest = items.as_slice();
    while let [first, second, after @ ..] = rest {
        let Some(first) = whole(first) else { break };
        let second = document.dereference(second).map_or(*second, |(_, object)| object);
        rest = after;
        if let Ok(each) = second.as_array() {
            let each = each.iter().map(number).enumerate().take(MAX_WIDTHS);
            let each = each.filter_map(|(i, w)| Some((first.saturating_add(i as u32), w?)));
            widths.extend(each);
        } else if let [width, after @ ..] = rest {
            let end = whole(second).unwrap_or(0).min(u32::from(u16::MAX));
            if let Some(width) = number(width) {
                widths.extend((first..=end).map(|code| (code, width)));
            }
            rest = after;
        }
        if widths.len() > MAX_WIDTHS {
            break;
        }
    }
    widths
}

/// The widths of a font that documents need not bring along; of others, that of Helvetica.
fn standard_widths(base_font: &[u8]) -> HashMap<u32, f64> {
    static WIDTHS: LazyLock<HashMap<&str, Vec<f64>>> = LazyLock::new(|| {
        let lines = include_str!("widths.txt").lines().filter(|line| !line.starts_with('#'));
        let row = |line: &'static str| {
            let (name, widths) = line.split_once(' ')?;
            Some((name, widths.split(' ').filter_map(|width| width.parse().ok()).collect()))
        };
        lines.filter_map(row).collect()
    });
    let name = String::from_utf8_lossy(base_font);
    let (is_bold, is_italic) =
        (name.contains("Bold"), name.contains("Italic") || name.contains("Oblique"));
    let standard = match (name.contains("Times"), name.contains("Courier")) {
        (_, true) => return HashMap::new(),
        (true, _) if is_bold => "Times-Bold",
        (true, _) if is_italic => "Times-Italic",
        (true, _) => "Times-Roman",
        _ if is_bold => "Helvetica-Bold",
        _ => "Helvetica",
    };
    let widths = WIDTHS.get(standard).map(Vec::as_slice).unwrap_or_default();
    (32..).zip(widths.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(font: &mut Font, bytes: &[u8]) -> String {
        let codes = font.codes(bytes);
        codes.into_iter().map(|code| font.shape(code).text.unwrap_or("?".into())).collect()
    }

    #[test]
    fn names_of_characters_are_understood() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(named_character(name.as_bytes()).as_deref(), expected, "{name}");
        };
        check("Adieresis", Some("Ä"));
        check("uni0416", Some("Ж"));
        check("u1F600", Some("😀"));
        check("f_i", Some("fi"));
        check("a.alt", Some("a"));
        check("union", Some("∪"));
        check("glyph17", None);
    }

    #[test]
    fn differences_change_an_encoding_and_unknown_ones_spoil_no_other() {
        let differences = Object::Array(vec![
            1.into(),
            Object::Name(b"eacute".into()),
            Object::Name(b"glyph17".into()),
            Object::Name(b"fi".into()),
        ]);
        let encoding = dictionary! {
            "BaseEncoding" => Object::Name(b"WinAnsiEncoding".into()), "Differences" => differences,
        };
        let font = dictionary! { "Type" => "Font", "Subtype" => "Type1", "Encoding" => encoding };
        let mut font = Font::read(&Document::default(), &font);
        assert_eq!(shown(&mut font, b"A\x01\x02\x03\xfc"), "Aé?fiü");
    }

    #[test]
    fn a_font_that_is_everywhere_has_its_widths() {
        let font = |name: &[u8]| {
            let base = Object::Name(name.into());
            let font = dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => base };
            Font::read(&Document::default(), &font)
        };
        let width = |name: &[u8], c: char| font(name).shape(u32::from(c)).width;
        assert!((width(b"Helvetica", 'i') - 0.222).abs() < 1e-9);
        assert!((width(b"Times-Bold", 'A') - 0.722).abs() < 1e-9);
        assert!((width(b"Courier", 'i') - 0.6).abs() < 1e-9);
        assert!(font(b"Helvetica").shape(32).is_space);
    }

    #[test]
    fn widths_of_wide_fonts_come_in_two_forms() {
        let list = vec![1.into(), Object::Array(vec![500.into(), 600.into()]), 7.into(), 9.into()];
        let list = Object::Array(list.into_iter().chain([450.into()]).collect());
        let widths = wide_widths(&Document::default(), &dictionary! { "W" => list });
        let mut found: Vec<_> = widths.into_iter().map(|(c, w)| (c, w as i64)).collect();
        found.sort_unstable();
        assert_eq!(found, [(1, 500), (2, 600), (7, 450), (8, 450), (9, 450)]);
    }
}
