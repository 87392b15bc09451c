//! Bodies that come in chunks (RFC 9112, section 7.1), bytes in pieces of any size.
//!
//! Strict where programs differ: a size is hexadecimal digits and nothing else, every line ends in
//! CR LF. Extensions and trailers are read over; together they may not become large, or a body of
//! single bytes would be a cheap way to keep the server reading.

use super::RequestError;

/// How many bytes of extensions one body may have.
const EXTENSION_BYTES: usize = 4 << 10;

/// How many bytes of trailers one body may have.
const TRAILER_BYTES: usize = 4 << 10;

/// Takes a chunked body apart as it arrives.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// What may still come until the body is too large.
    body_left: usize,
    extensions_left: usize,
    trailers_left: usize,
    max_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before or in the digits of a size.
    Size { size: u64, digits: u8 },
    /// After the size and a semicolon.
    Extension { size: u64 },
    /// After the size line's carriage return.
    SizeEnd { size: u64 },
    /// In a chunk's data.
    Data { left: u64 },
    /// After a chunk's data.
    DataReturn,
    /// After the carriage return that follows a chunk's data.
    DataEnd,
    /// At the start of a trailer line or of the empty line that ends the body.
    TrailerStart,
    /// In a trailer's name.
    TrailerName,
    /// In a trailer's value.
    TrailerValue,
    /// After a trailer's carriage return.
    TrailerEnd,
    /// After the carriage return of the empty line.
    LastEnd,
    /// After the body.
    Done,
}

impl ChunkedDecoder {
    /// A decoder for a body of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            body_left: max_bytes,
            extensions_left: EXTENSION_BYTES,
            trailers_left: TRAILER_BYTES,
            max_bytes,
        }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Appends to `body` what `input` holds of it, and says how much of `input` was used: all of
    /// it, unless the body ended before.
    pub fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, RequestError> {
        let mut used = 0;
        while used < input.len() && !self.is_done() {
            if let State::Data { left } = self.state {
                let count = (input.len() - used).min(usize::try_from(left).unwrap_or(usize::MAX));
                body.extend_from_slice(&input[used..used + count]);
                used += count;
                self.state = match left - count as u64 {
                    0 => State::DataReturn,
                    left => State::Data { left },
                };
            } else {
                self.state = self.after(input[used])?;
                used += 1;
            }
        }
        Ok(used)
    }

    /// The state after a byte that is not data.
    fn after(&mut self, byte: u8) -> Result<State, RequestError> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => after_size(size, digits, byte)?,
            (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Extension { size }, byte) if is_text(byte) => {
                spend(&mut self.extensions_left, "the chunk extensions are too long")?;
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 } | State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => self.begin_chunk(size)?,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size { size: 0, digits: 0 },
            (State::TrailerStart, b'\r') => State::LastEnd,
            (State::LastEnd, b'\n') => State::Done,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => {
                spend(&mut self.trailers_left, "the trailers are too long")?;
                State::TrailerName
            }
            (State::TrailerValue, b'\r') => State::TrailerEnd,
            (State::TrailerValue, byte) if is_text(byte) => {
                spend(&mut self.trailers_left, "the trailers are too long")?;
                State::TrailerValue
            }
            _ => return Err(RequestError::Malformed("a chunk is not framed as it must be")),
        })
    }

    fn begin_chunk(&mut self, size: u64) -> Result<State, RequestError> {
        let left = usize::try_from(size).ok().and_then(|size| self.body_left.checked_sub(size));
        self.body_left = left.ok_or(RequestError::BodyTooLarge { max_bytes: self.max_bytes })?;
        Ok(State::Data { left: size })
    }
}

/// The state after a byte of a size line's first part.
fn after_size(size: u64, digits: u8, byte: u8) -> Result<State, RequestError> {
    let digit = char::from(byte).to_digit(16);
    match (digit, byte) {
        // Sixteen digits are all that 64 bits can hold; leading zeros count.
        (Some(digit), _) if digits < 16 => {
            Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
        }
        (None, b'\r') if digits > 0 => Ok(State::SizeEnd { size }),
        (None, b';') if digits > 0 => Ok(State::Extension { size }),
        _ => Err(RequestError::Malformed("a chunk's size is not a hexadecimal number")),
    }
}

fn spend(left: &mut usize, complaint: &'static str) -> Result<(), RequestError> {
    *left = left.checked_sub(1).ok_or(RequestError::Malformed(complaint))?;
    Ok(())
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
