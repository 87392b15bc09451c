//! One event to many clients: when the first, the middle and the last one has it, and what it costs.

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::figures::{Spread, milliseconds};
use crate::servers::Kind;
use crate::table::Table;

/// Events before those that count.
const WARM_UP: usize = 3;

/// Measured events of a round.
const EVENTS: usize = 3;

const SERVERS: &[Kind] =
    &[Kind::Tidings, Kind::Nchan, Kind::Axum, Kind::BareSend, Kind::WokenQueue, Kind::TinyHttp];

/// Measures one server after the other.
pub fn measure(bench: &Bench) -> (String, Table) {
    let mut table = Table::new(&[
        "server",
        "clients",
        "first has it, ms",
        "median, ms",
        "last, ms",
        "server CPU per delivery, µs",
        "publisher answered, ms",
        "lost",
    ]);
    let clients = match bench.clients.as_slice() {
        [] if bench.quick => &[200],
        [] => [1_000, 5_000, 8_000, 10_000].as_slice(),
        some => some,
    };
    for &clients in clients {
        bench.each_server(SERVERS, &mut table, |kind, table| one(bench, kind, clients, table));
    }
    ("### One event of 200 bytes to many clients".into(), table)
}

fn one(bench: &Bench, kind: Kind, clients: usize, table: &mut Table) -> Result<(), Trouble> {
    let mut stage = Stage::start(kind)?;
    stage.join(clients)?;
    for _ in 0..WARM_UP {
        stage.deliver(1, 200, 0)?;
    }
    let [mut first, mut median, mut last, mut cpu, mut answered] = Default::default();
    let mut missing = 0;
    bench.repeat(|| {
        for _ in 0..EVENTS {
            let delivery = stage.deliver(1, 200, 0)?;
            let subscribers = &stage.subscribers;
            let add = |spread: &mut Spread, value| spread.add(value);
            add(&mut first, milliseconds(subscribers.latency.min()));
            add(&mut median, milliseconds(subscribers.latency.value_at_quantile(0.5)));
            add(&mut last, milliseconds(subscribers.latency.max()));
            add(&mut cpu, delivery.server_cpu as f64 / 1e3 / subscribers.deliveries as f64);
            add(&mut answered, delivery.published.elapsed.as_secs_f64() * 1e3);
            missing += delivery.account.lost;
        }
        Ok(())
    })?;
    let held = stage.subscribers.joined;
    let held = if held == clients { held.to_string() } else { format!("{held} of {clients}") };
    table.row(&[&kind.name(), &held, &first, &median, &last, &cpu, &answered, &missing]);
    Ok(())
}
