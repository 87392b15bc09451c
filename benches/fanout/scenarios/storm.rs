//! All clients connect at once, as after a restart of the server or of a proxy before it.

use std::time::Duration;

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::figures::{Spread, milliseconds};
use crate::servers::Kind;
use crate::table::Table;

/// Who was not served by then never will be.
const LIMIT: Duration = Duration::from_secs(10);

const SERVERS: &[Kind] =
    &[Kind::Tidings, Kind::Nchan, Kind::Axum, Kind::WokenQueue, Kind::TinyHttp];

/// Measures one server after the other.
pub fn measure(bench: &Bench) -> (String, Table) {
    let clients = bench.size(8_000, 300);
    let mut table = Table::new(&[
        "server",
        "half are served after, ms",
        "the last after, ms",
        "server CPU per client, µs",
        "never, in all rounds",
    ]);
    bench.each_server(SERVERS, &mut table, |kind, table| one(bench, kind, clients, table));
    (format!("### {clients} clients connect at once"), table)
}

fn one(bench: &Bench, kind: Kind, clients: usize, table: &mut Table) -> Result<(), Trouble> {
    let [mut half, mut last, mut cpu]: [Spread; 3] = Default::default();
    let mut never = 0;
    let rounds = bench.repeat(|| {
        let mut stage = Stage::start(kind)?;
        let before = stage.server.processes.cpu();
        never += stage.subscribers.connect(clients, clients, LIMIT)?;
        let joining = &stage.subscribers.joining;
        half.add(milliseconds(joining.value_at_quantile(0.5)));
        last.add(milliseconds(joining.max()));
        cpu.add((stage.server.processes.cpu() - before) as f64 / 1e3 / joining.len() as f64);
        Ok(())
    })?;
    let never = format!("{never} of {}", rounds * clients);
    table.row(&[&kind.name(), &half, &last, &cpu, &never]);
    Ok(())
}
