//! Clients that connect at the same moment and are forgotten: why Tidings does not stand on
//! `tiny_http` (see `baselines/tiny_http.rs`). The others are here to show that it is not the
//! measuring.

use std::time::Duration;

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::servers::Kind;
use crate::table::Table;

/// Nothing here takes a hundredth of this.
const LIMIT: Duration = Duration::from_secs(5);

const CLIENTS: usize = 300;

const SERVERS: &[Kind] =
    &[Kind::Tidings, Kind::Nchan, Kind::Axum, Kind::WokenQueue, Kind::TinyHttp];

/// Measures one server after the other.
pub fn measure(bench: &Bench) -> (String, Table) {
    let mut table = Table::new(&["server", "at once", "never answered", "rounds with any"]);
    bench.each_server(SERVERS, &mut table, |kind, table| {
        [8, 32, CLIENTS].into_iter().try_for_each(|at_once| one(bench, kind, at_once, table))
    });
    (format!("### Clients without an answer after {} s", LIMIT.as_secs()), table)
}

fn one(bench: &Bench, kind: Kind, at_once: usize, table: &mut Table) -> Result<(), Trouble> {
    let (mut never, mut with_any) = (0, 0);
    let rounds = bench.repeat(|| {
        let forgotten = Stage::start(kind)?.subscribers.connect(CLIENTS, at_once, LIMIT)?;
        never += forgotten;
        with_any += usize::from(forgotten > 0);
        Ok(())
    })?;
    let never = format!("{never} of {}", rounds * CLIENTS);
    table.row(&[&kind.name(), &at_once, &never, &format!("{with_any} of {rounds}")]);
    Ok(())
}
