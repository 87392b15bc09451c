//! Many events to many clients: as many as the server takes, or a thousand a second. What a server
//! gains by writing several waiting events at once shows here.

use super::stage::Stage;
use super::{Bench, Trouble};
use crate::figures::{Spread, milliseconds};
use crate::servers::Kind;
use crate::table::Table;

/// A stream of events.
pub struct Plan {
    clients: usize,
    events: u64,
    /// 0 is as fast as they go.
    per_second: u64,
}

impl Plan {
    /// How many clients, and how many events.
    fn size(&self, bench: &Bench) -> (usize, u64) {
        let (clients, events) = (self.clients, self.events as usize);
        (bench.size(clients, clients / 10), bench.size(events, events / 10) as u64)
    }
}

/// What a server can do.
pub const FLAT_OUT: Plan = Plan { clients: 200, events: 20_000, per_second: 0 };

/// A million deliveries a second, with room to breathe.
pub const PACED: Plan = Plan { clients: 1_000, events: 5_000, per_second: 1_000 };

const SERVERS: &[Kind] = &[
    Kind::Tidings,
    Kind::Library,
    Kind::Nchan,
    Kind::Axum,
    Kind::BareSend,
    Kind::WokenQueue,
    Kind::TinyHttp,
];

/// Measures one server after the other.
pub fn measure(bench: &Bench, plan: &Plan) -> (String, Table) {
    let mut table = Table::new(&[
        "server",
        "published",
        "deliveries/s",
        "p50, ms",
        "p99, ms",
        "server CPU each, µs",
        "measuring CPU each, µs",
        "held back",
        "lost",
        "twice or out of order",
        "rounds",
    ]);
    bench.each_server(SERVERS, &mut table, |kind, table| one(bench, plan, kind, table));
    let (clients, events) = plan.size(bench);
    let pace = match plan.per_second {
        0 => "flat out".to_owned(),
        rate => format!("{rate} a second"),
    };
    (format!("### {events} events of 200 bytes to {clients} clients, {pace}"), table)
}

fn one(bench: &Bench, plan: &Plan, kind: Kind, table: &mut Table) -> Result<(), Trouble> {
    let (clients, events) = plan.size(bench);
    let mut stage = Stage::start(kind)?;
    stage.join(clients)?;
    stage.deliver(events / 20, 200, plan.per_second)?;
    let [mut rate, mut p50, mut p99, mut cpu, mut own_cpu, mut held_back]: [Spread; 6] =
        Default::default();
    let (mut lost, mut disorder, mut cut_off) = (0, 0, 0);
    let rounds = bench.repeat(|| {
        let delivery = stage.deliver(events, 200, plan.per_second)?;
        let (latency, deliveries) = (&stage.subscribers.latency, stage.subscribers.deliveries);
        rate.add(deliveries as f64 / delivery.seconds);
        p50.add(milliseconds(latency.value_at_quantile(0.5)));
        p99.add(milliseconds(latency.value_at_quantile(0.99)));
        cpu.add(delivery.server_cpu as f64 / 1e3 / deliveries as f64);
        own_cpu.add(delivery.own_cpu as f64 / 1e3 / deliveries as f64);
        held_back.add(delivery.published.held_back as f64);
        lost += delivery.account.lost;
        disorder += delivery.account.repeated + delivery.account.disordered;
        cut_off += delivery.cut_off;
        Ok(())
    })?;
    let lost = match cut_off {
        0 => lost.to_string(),
        cut_off => format!("{lost}, and {cut_off} clients cut off"),
    };
    let way_in = kind.way_in();
    table.row(&[
        &kind.name(),
        &way_in,
        &rate,
        &p50,
        &p99,
        &cpu,
        &own_cpu,
        &held_back,
        &lost,
        &disorder,
        &rounds,
    ]);
    Ok(())
}
