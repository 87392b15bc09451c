//! The figures of the process, under the names that all of Prometheus' own clients use.
//!
//! Read where Linux keeps them; what another system does not tell is left out.

use std::fmt;
use std::fs;
use std::str::FromStr;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::sheet::Sheet;

/// The process at one moment.
#[derive(Debug)]
pub(super) struct Process {
    cpu_seconds: f64,
    resident_bytes: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    max_files: Option<u64>,
    started_seconds: f64,
}

impl Process {
    /// This process, which started at `started_ms`, milliseconds since 1970-01-01 UTC.
    pub fn here(started_ms: u64) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: field::<u64>(&status, "VmRSS").map(|kibibytes| kibibytes << 10),
            threads: field(&status, "Threads"),
            open_files: open_files(),
            max_files: getrlimit(Resource::Nofile).current,
            started_seconds: started_ms as f64 / 1e3,
        }
    }
}

/// The number in a line like `VmRSS:   1234 kB`.
fn field<T: FromStr>(status: &str, name: &str) -> Option<T> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| *field == name)?;
    value.split_whitespace().next()?.parse().ok()
}

/// How many descriptors are open. Since Linux 6.2 the kernel tells it as a size; before, they are counted,
/// without the one that is needed for that.
fn open_files() -> Option<u64> {
    const DESCRIPTORS: &str = "/proc/self/fd";
    match fs::metadata(DESCRIPTORS).ok()?.len() {
        0 => Some((fs::read_dir(DESCRIPTORS).ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        let help = "Processor time that was used, by the user and the system";
        sheet.counter("process_cpu_seconds", help, self.cpu_seconds)?;
        let gauges = [
            ("process_resident_memory_bytes", "Memory that is resident", self.resident_bytes),
            ("process_threads", "Threads there are", self.threads),
            ("process_open_fds", "Descriptors that are open", self.open_files),
            ("process_max_fds", "Descriptors that may be open", self.max_files),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                sheet.gauge(name, help, value)?;
            }
        }
        let help = "When the process started, in seconds since 1970";
        sheet.gauge("process_start_time_seconds", help, self.started_seconds)
    }
}
