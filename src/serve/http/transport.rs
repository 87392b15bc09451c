//! What a connection runs over: the server's socket, or a script in a test.

use std::io::{self, Read, Write};
use std::time::Duration;

/// A blocking, two-way stream of bytes whose waits can be limited.
///
/// A read or write that waited too long fails with [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`], as the operating system pleases.
pub trait Transport: Read + Write + Send {
    /// Limits each read from now on; `None` waits for ever. Never called with zero.
    fn set_read_timeout(&self, at_most: Option<Duration>) -> io::Result<()>;

    /// Limits each write from now on; `None` waits for ever. Never called with zero.
    fn set_write_timeout(&self, at_most: Option<Duration>) -> io::Result<()>;

    /// Tells the peer that nothing more will be written; reading goes on.
    fn shutdown_write(&self) -> io::Result<()>;
}
