//! A connection without a network: the client sends given bytes in pieces of a given size and hangs
//! up; what the server writes is kept.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings::serve::http::Transport;

/// The client's end. Clones share what was written.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    unsent: Vec<u8>,
    piece: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// A client that sends `bytes`, at most `piece` of them at a time.
    pub(crate) fn new(bytes: &[u8], piece: usize) -> Self {
        Self { unsent: bytes.to_vec(), piece, written: Arc::default() }
    }

    /// What the server wrote.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.unsent.len().min(room.len()).min(self.piece);
        room[..count].copy_from_slice(&self.unsent[..count]);
        self.unsent.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Wire {
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }
}
