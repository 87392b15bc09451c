//! A listening socket that was opened before this process began: systemd's socket activation, by
//! `LISTEN_FDS` and `LISTEN_PID`.
//!
//! Such a socket belongs to nobody who serves it. When one process stops and the next begins, the
//! connections that come in between wait in its queue, so that none is refused or reset.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::mistake::Mistake;

/// A socket that listens already.
#[derive(Debug)]
pub struct Inherited {
    /// The socket.
    pub listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Takes the socket that was passed to this process, if one was. To be asked once.
///
/// The variables do not count when they name another process, and are taken out of the environment,
/// so that no process of ours takes them for its own.
pub(super) fn take() -> Result<Option<Inherited>, Mistake> {
    let mut passed = ListenFd::from_env();
    match passed.len() {
        0 => return Ok(None),
        1 => {}
        more => return Err(Mistake::Inherited(format!("{more} sockets were passed"))),
    }
    let unusable = |error: std::io::Error| Mistake::Inherited(error.to_string());
    let Some(listener) = passed.take_tcp_listener(0).map_err(unusable)? else { return Ok(None) };
    if !socket_acceptconn(&listener).map_err(|error| unusable(error.into()))? {
        return Err(Mistake::Inherited("fd 3 does not listen".to_owned()));
    }
    let address = listener.local_addr().map_err(unusable)?;
    Ok(Some(Inherited { listener, address }))
}
