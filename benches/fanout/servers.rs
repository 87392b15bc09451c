//! The servers that are measured: what each is, how it is reached, what starts it.

mod axum;
mod launch;
mod nchan;
mod running;

use std::env;
use std::ffi::OsString;
use std::io;

use clap::ValueEnum;

pub use self::running::Server;

use self::launch::{Launch, Missing};
use crate::publisher::Door;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The program as it is shipped, published to over HTTP.
    Tidings,
    /// Tidings' library, published to in its own process.
    Library,
    /// nginx with nchan, two workers, published to over HTTP.
    Nchan,
    /// axum on tokio, two workers, published to over HTTP.
    Axum,
    /// A loop of send(2).
    BareSend,
    /// A queue and a thread per client, woken for each event.
    WokenQueue,
    /// `tiny_http` and a writer thread per client.
    TinyHttp,
}

impl Kind {
    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidings => "**tidings**",
            Self::Library => "**tidings**, as a library",
            Self::Nchan => "nchan, 2 workers",
            Self::Axum => "axum, 2 workers",
            Self::BareSend => "bare send(2) loop",
            Self::WokenQueue => "thread + queue per client",
            Self::TinyHttp => "tiny_http, thread per client",
        }
    }

    /// How events get in, for the tables.
    pub fn way_in(self) -> &'static str {
        match self.door() {
            Some(_) => "HTTP",
            None => "in process",
        }
    }

    /// How many clients may connect at once when it is not connecting that is measured. More than a
    /// few and `tiny_http` forgets some of them.
    pub fn at_once(self) -> usize {
        if self == Self::TinyHttp { 2 } else { 256 }
    }

    /// The path of the stream.
    fn path(self) -> &'static str {
        match self {
            Self::Tidings | Self::Library => "/events?subscribe=test",
            _ => "/events",
        }
    }

    /// Whether the first thing on a stream is an event.
    fn greets(self) -> bool {
        !matches!(self, Self::Nchan | Self::Axum)
    }

    /// Where events are published over HTTP; nothing if the server publishes on command.
    fn door(self) -> Option<Door> {
        let plain = Door { path: "/publish", headers: "", before: "", after: "" };
        match self {
            Self::Tidings => Some(Door {
                path: "/events/broadcast",
                before: r#"{"event_type":"test","data":"#,
                after: "}",
                ..plain
            }),
            Self::Nchan => Some(Door { headers: "X-EventSource-Event: test\r\n", ..plain }),
            Self::Axum => Some(plain),
            Self::Library | Self::BareSend | Self::WokenQueue | Self::TinyHttp => None,
        }
    }

    /// What starts it, if it is installed.
    fn launch(self) -> io::Result<Result<Launch, Missing>> {
        let own = |role: &str| {
            let arguments = ["serve", role].map(OsString::from);
            Ok(Ok(Launch::of(env::current_exe()?, arguments)))
        };
        match self {
            Self::Tidings => {
                let data = tempfile::tempdir()?;
                let folder = OsString::from(data.path());
                let mut launch = Launch::of(
                    env!("CARGO_BIN_EXE_tidings"),
                    TIDINGS_ARGUMENTS.map(OsString::from),
                );
                launch.arguments.extend(["--data-dir".into(), folder]);
                Ok(Ok(Launch { files: Some(data), ..launch }))
            }
            Self::Nchan => nchan::launch(),
            Self::Axum => Ok(axum::launch()),
            Self::Library => own("library"),
            Self::BareSend => own("bare-send"),
            Self::WokenQueue => own("woken-queue"),
            Self::TinyHttp => own("tiny-http"),
        }
    }
}

/// As shipped, but for the limits that ten thousand clients from one machine would meet, and without
/// a line in the log for each of them, which the other servers do not write either.
const TIDINGS_ARGUMENTS: [&str; 4] = [
    "--listen=127.0.0.1:0",
    "--max-connections=0",
    "--max-connections-per-address=0",
    "--log=warn",
];
