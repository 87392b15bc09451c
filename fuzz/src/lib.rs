//! The parsers under fuzz. Each target is an ordinary function that takes any bytes and panics if a
//! promise is broken; the fuzzer and the corpus test call the same.

pub mod chunked;
pub mod event_stream;
pub mod pubsub;
pub mod request;
pub mod resume;
pub mod token;
pub mod transcript;
mod wire;

/// Takes any bytes; panics if a promise is broken.
pub type Target = fn(&[u8]);

/// All targets, by the names of their programs and of their folders in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("request", request::check),
    ("chunked", chunked::check),
    ("event_stream", event_stream::check),
    ("webvtt", transcript::check_webvtt),
    ("subrip", transcript::check_subrip),
    ("pubsub", pubsub::check),
    ("token", token::check),
    ("resume", resume::check),
];

/// Makes a program of a target: for the fuzzer, or else one that runs the files it is given.
#[macro_export]
macro_rules! program {
    ($target:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $target(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $target(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}

/// The first byte as a number from 1 to 256, and the rest: how targets choose the size of pieces.
fn split_size(data: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((usize::from(first) + 1, rest))
}
