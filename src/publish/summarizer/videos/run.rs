//! One run of yt-dlp: in a folder and a process group of its own, behind a guard, for a while.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Limits, VideoError};
use crate::clock::Clock;
use crate::publish::fetch::gate::Gate;
use crate::publish::fetch::guard::Guard;
use crate::publish::process_group::ProcessGroup;
use crate::publish::queues::config::Environment;

/// How often it is looked how far it is.
const TICK: Duration = Duration::from_millis(20);

/// So much of what it complains about is read.
const MAX_ERROR_BYTES: u64 = 64 << 10;

/// Said on every run: nobody's configuration counts but ours, and nothing is left behind.
const ALWAYS: &[&str] = &[
    "--ignore-config",
    "--no-plugin-dirs",
    "--no-cache-dir",
    "--no-update",
    "--no-progress",
    "--color",
    "never",
    "--socket-timeout",
    "20",
    "--retries",
    "2",
    "--extractor-retries",
    "1",
];

/// A run that is about to be.
pub(super) struct Run<'a> {
    limits: &'a Limits,
    environment: &'a Environment,
    clock: &'a dyn Clock,
    folder: TempDir,
    guard: Guard,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Output {
    /// Its standard output.
    pub bytes: Vec<u8>,
    /// The file that it wrote, and what that is called.
    pub file: Option<(String, Vec<u8>)>,
}

impl<'a> Run<'a> {
    /// Makes the folder and the way to the network.
    pub fn prepare(
        limits: &'a Limits,
        environment: &'a Environment,
        gate: &Gate,
        clock: &'a dyn Clock,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tidings-video-").tempdir()?;
        Ok(Self { limits, environment, clock, folder, guard: Guard::start(gate.clone())? })
    }

    /// Asks something, perhaps about a video that was looked up before, and waits for the answer.
    pub fn finish(
        self,
        arguments: &[&str],
        info: Option<&[u8]>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Output, VideoError> {
        let broken = |error: io::Error| VideoError::Trouble(format!("cannot ask yt-dlp: {error}"));
        let group = self.start(arguments, info).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VideoError::NotInstalled,
            _ => broken(error),
        })?;
        self.wait(&group, is_cancelled)?;
        // Whatever it has started ends with it.
        group.kill();
        if !group.reap().is_some_and(|status| status.success()) {
            let errors = read_at_most(&self.path("errors"), MAX_ERROR_BYTES).map_err(broken)?;
            return Err(self.complaint(&String::from_utf8_lossy(&errors)));
        }
        let bytes = self.read("output")?;
        Ok(Output { bytes, file: self.written_file()? })
    }

    fn start(&self, arguments: &[&str], info: Option<&[u8]>) -> io::Result<ProcessGroup> {
        let mut command = Command::new(&self.limits.yt_dlp);
        command.args(ALWAYS);
        if let Some(info) = info {
            fs::write(self.path("info.json"), info)?;
            command.args(["--load-info-json", "info.json"]);
        }
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().envs(self.environment().iter());
        command.stdin(Stdio::null());
        command.stdout(File::create(self.path("output"))?);
        command.stderr(File::create(self.path("errors"))?);
        Ok(ProcessGroup::of(command.process_group(0).spawn()?))
    }

    fn environment(&self) -> Environment {
        let mut environment = self.environment.clone();
        let proxy = self.guard.url();
        let folder = self.folder.path().as_os_str();
        let ours = [
            // Not as an argument, which everyone on this machine could read.
            ("http_proxy", proxy.as_ref()),
            ("https_proxy", proxy.as_ref()),
            // Whatever else it can speak goes there too, and is not understood.
            ("ftp_proxy", proxy.as_ref()),
            ("all_proxy", proxy.as_ref()),
            ("no_proxy", OsStr::new("")),
            ("HOME", folder),
            ("PYTHONDONTWRITEBYTECODE", OsStr::new("1")),
        ];
        for (name, value) in ours {
            // Such names and values every system takes.
            let _ = environment.set(name, value);
        }
        environment
    }

    /// Waits for its end, unless it takes too long, writes too much or is not wanted any more.
    fn wait(
        &self,
        group: &ProcessGroup,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), VideoError> {
        let timeout = self.limits.timeout;
        let deadline = (!timeout.is_zero()).then(|| self.clock.now() + timeout);
        let is_past = |now: Instant| deadline.is_some_and(|deadline| now >= deadline);
        while !group.has_ended() {
            if is_cancelled() {
                return Err(VideoError::Cancelled);
            }
            if is_past(self.clock.now()) {
                return Err(VideoError::Timeout(timeout.as_secs()));
            }
            self.check_folder()?;
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// Whatever it writes, it may not write more than an answer may have, twice.
    fn check_folder(&self) -> Result<(), VideoError> {
        let files = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let size: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        let max = self.limits.max_answer_bytes;
        let is_over = max != 0 && size > 2 * max as u64;
        if is_over { Err(VideoError::TooLarge(max)) } else { Ok(()) }
    }

    fn check_size(&self, path: &Path) -> Result<(), VideoError> {
        let (size, max) =
            (fs::metadata(path).map_or(0, |file| file.len()), self.limits.max_answer_bytes);
        if max != 0 && size > max as u64 { Err(VideoError::TooLarge(max)) } else { Ok(()) }
    }

    /// Why it failed: what the guard has refused says more than how yt-dlp took that, but is not why a site
    /// says no.
    fn complaint(&self, errors: &str) -> VideoError {
        let complaint = VideoError::of_complaint(errors);
        match self.guard.refusal() {
            Some(refusal) if complaint.is_vague() => VideoError::Forbidden(refusal),
            _ => complaint,
        }
    }

    fn written_file(&self) -> Result<Option<(String, Vec<u8>)>, VideoError> {
        let names = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let Some(name) = names.into_iter().find(|name| name.starts_with("captions.")) else {
            // It says so only in a warning, and ends well.
            return self
                .guard
                .refusal()
                .map_or(Ok(None), |refusal| Err(VideoError::Forbidden(refusal)));
        };
        let bytes = self.read(&name)?;
        Ok(Some((name, bytes)))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, VideoError> {
        let path = self.path(name);
        self.check_size(&path)?;
        fs::read(path).map_err(|e| VideoError::Trouble(format!("cannot read yt-dlp's answer: {e}")))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn read_at_most(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut read = Vec::new();
    File::open(path)?.take(bytes).read_to_end(&mut read)?;
    Ok(read)
}
