//! Chunked bodies: the incremental decoder against a plain one that sees everything at once.
//!
//! The first byte is the size of the pieces. Promises: the pieces make no difference; both decoders
//! agree on what is a body, which one, and where it ends; what was cut into chunks is put together
//! again.

use tidings::serve::http::RequestError;
use tidings::serve::http::chunked::ChunkedDecoder;

use super::split_size;

/// Small, so that an input can exceed it.
const MAX_BYTES: usize = 4096;

/// Decodes; and encodes and decodes.
pub fn check(data: &[u8]) {
    let Some((piece, bytes)) = split_size(data) else { return };
    let whole = decode(bytes, usize::MAX);
    assert_eq!(decode(bytes, piece), whole, "the pieces make a difference");
    // Longer ones may have too many extensions, which only one of the two counts.
    if bytes.len() < 4096 {
        assert_eq!(whole, decode_plainly(bytes), "the decoders differ");
    }
    check_round_trip(bytes, piece);
}

/// A body and how many bytes it took; or why there is none.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Body(Vec<u8>, usize),
    Incomplete,
    Malformed,
    TooLarge,
}

fn decode(bytes: &[u8], piece: usize) -> Outcome {
    let mut decoder = ChunkedDecoder::new(MAX_BYTES);
    let mut body = Vec::new();
    let mut used = 0;
    for part in bytes.chunks(piece) {
        match decoder.decode(part, &mut body) {
            Ok(count) => used += count,
            Err(RequestError::BodyTooLarge { max_bytes: MAX_BYTES }) => return Outcome::TooLarge,
            Err(_) => return Outcome::Malformed,
        }
        assert!(body.len() <= MAX_BYTES);
        if decoder.is_done() {
            return Outcome::Body(body, used);
        }
    }
    assert_eq!(used, bytes.len());
    Outcome::Incomplete
}

/// RFC 9112, section 7.1, written down as simply as possible.
fn decode_plainly(bytes: &[u8]) -> Outcome {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let size = match line(bytes, &mut at, is_size_line) {
            Ok(line) => {
                let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
                String::from_utf8_lossy(digits).into_owned()
            }
            Err(outcome) => return outcome,
        };
        // Sixteen digits at most, so this cannot fail.
        let size = u64::from_str_radix(&size, 16).expect("hexadecimal digits");
        if size == 0 {
            break;
        }
        if size > (MAX_BYTES - body.len()) as u64 {
            return Outcome::TooLarge;
        }
        let rest = &bytes[at..];
        let size = size as usize;
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        let end = &rest[size.min(rest.len())..];
        if !b"\r\n".starts_with(&end[..end.len().min(2)]) {
            return Outcome::Malformed;
        }
        if end.len() < 2 {
            return Outcome::Incomplete;
        }
        at += size + 2;
    }
    loop {
        match line(bytes, &mut at, is_trailer) {
            Ok([]) => return Outcome::Body(body, at),
            Ok(_) => {}
            Err(outcome) => return outcome,
        }
    }
}

/// The next line without its end. What has arrived of it must be the beginning of a good one.
fn line<'a>(
    bytes: &'a [u8],
    at: &mut usize,
    is_good: fn(&[u8], bool) -> bool,
) -> Result<&'a [u8], Outcome> {
    let rest = &bytes[*at..];
    let end = rest.iter().position(|byte| b"\r\n".contains(byte)).unwrap_or(rest.len());
    let (line, end) = rest.split_at(end);
    if !is_good(line, !end.is_empty()) {
        return Err(Outcome::Malformed);
    }
    match end {
        [b'\r', b'\n', ..] => {
            *at += line.len() + 2;
            Ok(line)
        }
        [] | [b'\r'] => Err(Outcome::Incomplete),
        _ => Err(Outcome::Malformed),
    }
}

fn is_size_line(line: &[u8], whole: bool) -> bool {
    let mut parts = line.splitn(2, |&byte| byte == b';');
    let digits = parts.next().unwrap_or_default();
    let extension = parts.next();
    let enough = !digits.is_empty() || (!whole && extension.is_none());
    enough
        && digits.len() <= 16
        && digits.iter().all(u8::is_ascii_hexdigit)
        && extension.unwrap_or_default().iter().all(|&byte| is_text(byte))
}

fn is_trailer(line: &[u8], whole: bool) -> bool {
    if line.is_empty() {
        return true;
    }
    let mut parts = line.splitn(2, |&byte| byte == b':');
    let name = parts.next().unwrap_or_default();
    let value = parts.next();
    (value.is_some() || !whole)
        && !name.is_empty()
        && name
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        && value.unwrap_or_default().iter().all(|&byte| is_text(byte))
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn check_round_trip(body: &[u8], piece: usize) {
    let body = &body[..body.len().min(MAX_BYTES)];
    let mut encoded = Vec::new();
    for chunk in body.chunks(piece) {
        encoded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    let length = encoded.len();
    encoded.extend_from_slice(b"GET / HTTP/1.1\r\n");
    assert_eq!(decode(&encoded, piece), Outcome::Body(body.to_vec(), length));
}
