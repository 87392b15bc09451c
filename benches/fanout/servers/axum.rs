//! axum on tokio, the way most Rust programs would do it: a package of its own under
//! `benches/axum-baseline`, so that this one depends on no async runtime. It has to be built before.

use std::ffi::OsString;
use std::path::Path;

use super::launch::{Launch, Missing};

/// What starts it, if it is built: beside our own program, in `target/axum-baseline`.
pub fn launch() -> Result<Launch, Missing> {
    let target = Path::new(env!("CARGO_BIN_EXE_tidings")).ancestors().nth(2);
    let program = target.map(|target| target.join("axum-baseline/release/axum-baseline"));
    match program {
        Some(program) if program.exists() => Ok(Launch::of(program, [] as [OsString; 0])),
        _ => Err("not built: cargo build --release --manifest-path \
                  benches/axum-baseline/Cargo.toml --target-dir target/axum-baseline"),
    }
}
