//! One request off a connection, and the answer's head: enough HTTP for a baseline.

use std::io::{self, Read, Write};

/// The head of a stream that ends with its connection, and a greeting.
pub const WELCOME: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Cache-Control: no-cache\r\nConnection: close\r\n\r\n\
    event: connected\ndata: {\"message\":\"Hello\"}\n\n";

/// Reads up to the empty line after a request's head.
pub fn read_head(stream: &mut impl Read) -> io::Result<()> {
    let (mut head, mut bytes) = (Vec::new(), [0; 1_024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&bytes[..read]),
        }
    }
    Ok(())
}

/// Sends the welcome.
pub fn welcome(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(WELCOME)?;
    stream.flush()
}
