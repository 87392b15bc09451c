//! One client of a hundred does not read: what the others notice.

use std::time::Duration;

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::figures::{Spread, milliseconds};
use crate::servers::Kind;
use crate::table::Table;

/// Few enough that no server here is busy all the time, for then delays say nothing.
const EVENTS_PER_SECOND: u64 = 4;

/// How many events are measured.
const EVENTS: u64 = 20;

/// 4 MiB for each stuck client, in events of 8 KiB: more than Linux takes for one on loopback (2.7 MiB,
/// nearly all of it in the server's send buffer), so that the server has to keep the rest; but
/// less than both together, so that Tidings does not end it as too slow before it is measured.
const FILLING: (u64, usize) = (512, 8 << 10);

const SERVERS: &[Kind] = &[Kind::Tidings, Kind::Nchan, Kind::Axum, Kind::WokenQueue];

/// Measures one server after the other.
pub fn measure(bench: &Bench) -> (String, Table) {
    let clients = bench.size(5_000, 200);
    let mut table = Table::new(&[
        "server",
        "none stuck: p50, ms",
        "1 % stuck: p50, ms",
        "none stuck: p99, ms",
        "1 % stuck: p99, ms",
        "lost by the others",
    ]);
    bench.each_server(SERVERS, &mut table, |kind, table| one(bench, kind, clients, table));
    (format!("### Delay for {clients} clients when one of a hundred does not read"), table)
}

fn one(bench: &Bench, kind: Kind, clients: usize, table: &mut Table) -> Result<(), Trouble> {
    let [mut free, mut beside]: [[Spread; 2]; 2] = Default::default();
    let mut lost = 0;
    bench.repeat(|| {
        lost += round(kind, clients, 0, &mut free)?;
        lost += round(kind, clients, clients / 100, &mut beside)?;
        Ok(())
    })?;
    table.row(&[&kind.name(), &free[0], &beside[0], &free[1], &beside[1], &lost]);
    Ok(())
}

/// Measures once, with so many stuck clients; gives back how many events the others lost.
fn round(
    kind: Kind,
    clients: usize,
    stuck: usize,
    [p50, p99]: &mut [Spread; 2],
) -> Result<u64, Trouble> {
    let mut stage = Stage::start(kind)?;
    let held = stage.subscribers.connect_stuck(stuck, Duration::from_secs(10))?;
    if held < stuck {
        return Err(std::io::Error::other(format!("only {held} of {stuck} could join")).into());
    }
    stage.deliver(FILLING.0, FILLING.1, 0)?;
    stage.join(clients)?;
    let delivery = stage.deliver(EVENTS, 200, EVENTS_PER_SECOND)?;
    let latency = &stage.subscribers.latency;
    p50.add(milliseconds(latency.value_at_quantile(0.5)));
    p99.add(milliseconds(latency.value_at_quantile(0.99)));
    Ok(delivery.account.lost)
}
