//! What the machine allows, compared with what the settings ask for.
//!
//! Each connection needs a descriptor and a thread, and a thread needs an entry in three tables of
//! the kernel. Running out is survived, but it is better known at the start. The figures are read
//! where Linux keeps them; elsewhere they are unknown, and what is unknown is not complained about.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

/// What connections take from; unknown or unlimited is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Machine {
    /// Descriptors of this process: the soft limit.
    pub open_files: Option<u64>,
    /// Threads of this user: the soft limit; does not bind root.
    pub user_threads: Option<u64>,
    /// Threads in this control group: what systemd and containers set.
    pub group_threads: Option<u64>,
    /// Threads in all: how many ids there are.
    pub pid_max: Option<u64>,
    /// Threads in all: how many the kernel has room for.
    pub threads_max: Option<u64>,
    /// Memory mappings of this process.
    pub map_count: Option<u64>,
}

/// What the program and its machine use besides connections: files, other processes' threads.
const SPARE: u64 = 200;

/// A stack and its guard page.
const MAPS_PER_THREAD: u64 = 2;

impl Machine {
    /// This machine, as it is now.
    pub fn here() -> Self {
        Self {
            open_files: getrlimit(Resource::Nofile).current,
            user_threads: if getuid().is_root() {
                None
            } else {
                getrlimit(Resource::Nproc).current
            },
            group_threads: group_threads(),
            pid_max: number(Path::new("/proc/sys/kernel/pid_max")),
            threads_max: number(Path::new("/proc/sys/kernel/threads-max")),
            map_count: number(Path::new("/proc/sys/vm/max_map_count")),
        }
    }

    /// What is too little for `max_connections`, each with what to change. No limit (0) asks for nothing.
    pub fn warnings(&self, max_connections: usize) -> Vec<String> {
        let threads = max_connections as u64 + SPARE;
        let bounds = [
            (self.open_files, 1, "open files", "ulimit -n (systemd: LimitNOFILE=)"),
            (self.user_threads, 1, "threads of one user", "ulimit -u (systemd: LimitNPROC=)"),
            (
                self.group_threads,
                1,
                "threads in the control group",
                "pids.max (systemd: TasksMax=, Docker: --pids-limit)",
            ),
            (self.pid_max, 1, "thread ids", "sysctl kernel.pid_max"),
            (self.threads_max, 1, "threads", "sysctl kernel.threads-max"),
            (self.map_count, MAPS_PER_THREAD, "memory mappings", "sysctl vm.max_map_count"),
        ];
        let tight = bounds.into_iter().filter_map(|(limit, each, what, knob)| {
            let (limit, needed) = (limit?, threads * each);
            (max_connections > 0 && limit < needed).then(|| {
                let fitting = (limit / each).saturating_sub(SPARE);
                format!(
                    "max_connections is {max_connections}, which needs {needed} {what}, and here \
                     are {limit}: raise {knob}, or lower max_connections to {fitting}"
                )
            })
        });
        tight.collect()
    }
}

/// Raises this process's limit of open files as far as it may, so that nobody needs `ulimit -n`.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // macOS says that there is no hard limit and then refuses more than OPEN_MAX.
    let wishes = [maximum, maximum.map_or(Some(10_240), |hard| Some(hard.min(10_240)))];
    for wish in wishes {
        let more = wish.is_none_or(|wish| current.is_some_and(|current| wish > current));
        if more && setrlimit(Resource::Nofile, Rlimit { current: wish, maximum }).is_ok() {
            break;
        }
    }
}

/// The tightest limit of our control group and those it lies in (version 2).
fn group_threads() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(group);
    let inside_out = own.ancestors().take_while(|path| path.starts_with(root));
    inside_out.filter_map(|path| number(&path.join("pids.max"))).min()
}

/// A file that holds one number; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(machine: Machine, max_connections: usize, expected: &[&str]) {
        let warnings = machine.warnings(max_connections);
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(expected) {
            assert!(warning.contains(part), "{warning}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_its_limits() {
        let machine = Machine::here();
        for limit in [machine.pid_max, machine.threads_max, machine.map_count] {
            assert!(limit.is_some_and(|limit| limit > 0), "{machine:?}");
        }
    }

    #[test]
    fn what_is_enough_or_unknown_gives_no_warning() {
        check(Machine::default(), 1_000_000, &[]);
        let enough = Machine {
            open_files: Some(10_200),
            pid_max: Some(10_200),
            map_count: Some(20_400),
            ..Machine::default()
        };
        check(enough, 10_000, &[]);
    }

    #[test]
    fn no_limit_on_connections_asks_for_nothing() {
        check(Machine { open_files: Some(20), ..Machine::default() }, 0, &[]);
    }

    #[test]
    fn each_limit_says_what_to_change_and_what_would_fit() {
        let files = Machine { open_files: Some(1_024), ..Machine::default() };
        check(files, 10_000, &["needs 10200 open files, and here are 1024: raise ulimit -n"]);
        check(files, 10_000, &["or lower max_connections to 824"]);
        let maps = Machine { map_count: Some(20_399), ..Machine::default() };
        check(maps, 10_000, &["needs 20400 memory mappings"]);
        let threads = Machine {
            user_threads: Some(1),
            group_threads: Some(1),
            pid_max: Some(1),
            threads_max: Some(1),
            ..Machine::default()
        };
        check(
            threads,
            1,
            &["raise ulimit -u", "TasksMax=", "kernel.pid_max", "kernel.threads-max"],
        );
    }
}
