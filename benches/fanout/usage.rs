//! What a process uses: processor, memory, threads, descriptors; and what the kernel uses for all.

use std::fs;
use std::path::Path;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::clock;

/// The processes of one server, its first one and those that that one started.
#[derive(Debug, Clone)]
pub struct Processes(Vec<i32>);

impl Processes {
    /// `process` and its children, as they are now.
    pub fn of(process: u32) -> Self {
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        Self(i32::try_from(process).into_iter().chain(children).collect())
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Processor time used so far, of all threads, also those that ended; in nanoseconds.
    pub fn cpu(&self) -> u64 {
        self.0.iter().map(|&process| cpu(process)).sum()
    }

    /// Memory, with what is shared between them counted once (PSS); in KiB.
    pub fn memory(&self) -> u64 {
        self.sum(|process| kib(&format!("/proc/{process}/smaps_rollup"), &["Pss"]))
    }

    /// Threads.
    pub fn threads(&self) -> u64 {
        self.sum(|process| entries(format!("/proc/{process}/task")))
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> u64 {
        self.sum(|process| entries(format!("/proc/{process}/fd")))
    }

    fn sum(&self, of: impl Fn(i32) -> u64) -> u64 {
        self.0.iter().map(|&process| of(process)).sum()
    }
}

/// Processor time of this process, in nanoseconds.
pub fn own_cpu() -> u64 {
    cpu(0)
}

/// The clock counts in nanoseconds where `/proc/<pid>/stat` counts in hundredths of a second.
fn cpu(process: i32) -> u64 {
    clock_getcpuclockid(Pid::from_raw(process)).map_or(0, clock::nanoseconds)
}

/// What the kernel holds for all processes together, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// Sockets, descriptors, tasks and the like.
    pub slab: u64,
    /// Threads: their kernel stacks, and the page tables of their user stacks.
    pub threads: u64,
}

impl Kernel {
    /// As it is now. The whole machine's, so anything else that runs shows in it.
    pub fn now() -> Self {
        Self {
            slab: kib("/proc/meminfo", &["Slab"]),
            threads: kib("/proc/meminfo", &["KernelStack", "PageTables"]),
        }
    }
}

/// The sum of the lines `name: 123 kB` with these names.
fn kib(path: &str, names: &[&str]) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| names.contains(name))
        .filter_map(|(_, value)| value.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .sum()
}

fn entries(directory: impl AsRef<Path>) -> u64 {
    fs::read_dir(directory).map_or(0, |entries| entries.count() as u64)
}
