//! Thousands of clients that only wait: what each of them takes, and what the server does meanwhile.

use std::time::{Duration, Instant};

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::figures::plain;
use crate::servers::Kind;
use crate::table::Table;
use crate::usage::Kernel;

/// Long enough for every client's heartbeat, which is due every 30 seconds.
const WATCHED: Duration = Duration::from_secs(32);

const SERVERS: &[Kind] =
    &[Kind::Tidings, Kind::Nchan, Kind::Axum, Kind::BareSend, Kind::WokenQueue, Kind::TinyHttp];

/// Measures one server after the other.
pub fn measure(bench: &Bench) -> (String, Table) {
    let mut table = Table::new(&[
        "server",
        "clients",
        "PSS per client, KiB",
        "kernel per client, both ends: slab + stacks and page tables, KiB",
        "threads",
        "descriptors",
        "CPU, % of one core",
    ]);
    let (half, all) = (bench.size(5_000, 200), bench.size(10_000, 400));
    let watched = bench.size(WATCHED.as_secs() as usize, 1) as u64;
    for (clients, watched) in [(half, Duration::from_secs(watched)), (all, Duration::ZERO)] {
        bench.each_server(SERVERS, &mut table, |kind, table| one(kind, clients, watched, table));
    }
    ("### Clients that only wait".into(), table)
}

fn one(kind: Kind, clients: usize, watched: Duration, table: &mut Table) -> Result<(), Trouble> {
    let mut stage = Stage::start(kind)?;
    let (memory_before, kernel_before) = (stage.server.processes.memory(), Kernel::now());
    stage.join(clients)?;
    stage.subscribers.listen(Duration::from_secs(1))?;
    let Stage { server, subscribers, .. } = &mut stage;
    let kernel = Kernel::now();
    let held = subscribers.joined as f64;
    let each = |after: u64, before: u64| plain((after as f64 - before as f64) / held);
    let memory = each(server.processes.memory(), memory_before);
    let slab = each(kernel.slab, kernel_before.slab);
    let threads = each(kernel.threads, kernel_before.threads);
    let (cpu, start) = (server.processes.cpu(), Instant::now());
    subscribers.listen(watched)?;
    let busy = (server.processes.cpu() - cpu) as f64 / 1e9 / start.elapsed().as_secs_f64();
    let busy = if watched.is_zero() { "–".to_owned() } else { plain(busy * 100.0) };
    let held = subscribers.joined;
    table.row(&[
        &kind.name(),
        &if held == clients { held.to_string() } else { format!("{held} of {clients}") },
        &memory,
        &format!("{slab} + {threads}"),
        &server.processes.threads(),
        &server.processes.descriptors(),
        &busy,
    ]);
    Ok(())
}
