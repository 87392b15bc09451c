//! The fan-out benchmark's own instruments: a benchmark that miscounts is worse than none.

#[path = "../../benches/fanout/figures.rs"]
mod figures;
#[path = "../../benches/fanout/stamp.rs"]
mod stamp;
#[path = "../../benches/fanout/tally.rs"]
mod tally;
#[path = "../../benches/fanout/wire.rs"]
mod wire;

use self::figures::{Spread, milliseconds};
use self::stamp::Stamp;
use self::tally::Tally;
use self::wire::{Received, Signal, Wire};

/// What the wire says about `bytes`, told them in pieces of `size`.
fn read(bytes: &[u8], size: usize) -> Vec<String> {
    let (mut wire, mut signals) = (Wire::default(), Vec::new());
    for piece in bytes.chunks(size) {
        wire.feed(piece, &mut |signal| {
            signals.push(match signal {
                Signal::Head(status) => status.to_string(),
                Signal::Event(Received { id, stamp }) => {
                    format!("{:?} {:?}", id.unwrap_or_default(), stamp.map(|stamp| stamp.seq))
                }
                Signal::End => "end".to_owned(),
            });
        });
    }
    signals
}

fn check_wire(bytes: &str, expected: &[&str]) {
    for size in 1..=bytes.len() {
        assert_eq!(read(bytes.as_bytes(), size), expected, "in pieces of {size}: {bytes:?}");
    }
}

#[test]
fn events_are_read_however_they_arrive() {
    let bare = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let sized = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let event = "id: 17-3\nevent: test\ndata: {\"seq\":5,\"at\":9,\"pad\":\"\"}\n\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    check_wire(&format!("{bare}{event}{event}"), &["200", "(17, 3) Some(5)", "(17, 3) Some(5)"]);
    check_wire(&format!("{bare}: hi\n\nretry: 1\n\ndata: x\n\n"), &["200", "(0, 0) None"]);
    check_wire(
        &format!("{sized}{}{}0\r\n\r\n", chunk(event), chunk("id:8\ndata:x\n\n")),
        &["200", "(17, 3) Some(5)", "(8, 0) None", "end"],
    );
    let (front, back) = event.split_at(30);
    check_wire(&format!("{sized}{}{}", chunk(front), chunk(back)), &["200", "(17, 3) Some(5)"]);
    check_wire("HTTP/1.1 503 Service Unavailable\r\n\r\n", &["503"]);
}

#[test]
fn a_stamp_is_read_back_and_has_the_size_asked_for() {
    let stamp = Stamp { seq: 12, at: 345 };
    let data = stamp.data(200);
    assert_eq!((Stamp::read(data.as_bytes()), data.len()), (Some(stamp), 200));
    assert!(serde_json::from_str::<serde_json::Value>(&data).is_ok(), "{data}");
    assert_eq!(Stamp::read(br#"{"message":"Hello"}"#), None);
}

/// What a tally of three events from number 10 on says about these: (id, number).
fn check_tally(events: &[(u64, u64)], received: u64, repeated: u64, disordered: u64) {
    let mut tally = Tally::default();
    tally.begin(10, 3);
    for &(id, seq) in events {
        tally.take(&Received { id: Some((id, 0)), stamp: Some(Stamp { seq, at: 0 }) });
    }
    let counted = (tally.received, tally.repeated, tally.disordered);
    assert_eq!(counted, (received, repeated, disordered), "{events:?}");
}

#[test]
fn a_tally_notices_what_is_missing_twice_or_out_of_order() {
    check_tally(&[(1, 10), (2, 11), (3, 12)], 3, 0, 0);
    check_tally(&[(1, 10), (3, 12)], 2, 0, 0);
    check_tally(&[(1, 10), (2, 11), (3, 11)], 2, 1, 0);
    check_tally(&[(2, 11), (1, 10), (3, 12)], 3, 0, 1);
    check_tally(&[(1, 9), (2, 13), (3, 10)], 1, 0, 0);
}

#[test]
fn tallies_agree_only_about_the_same_order() {
    let digest = |numbers: [u64; 2]| {
        let mut tally = Tally::default();
        tally.begin(0, 2);
        for seq in numbers {
            tally.take(&Received { id: None, stamp: Some(Stamp { seq, at: 0 }) });
        }
        tally.digest
    };
    assert_eq!(digest([0, 1]), digest([0, 1]));
    assert_ne!(digest([0, 1]), digest([1, 0]));
}

#[test]
fn figures_show_three_digits_and_the_range() {
    let spread = |values: &[f64]| {
        let mut spread = Spread::default();
        for &value in values {
            spread.add(value);
        }
        spread.to_string()
    };
    assert_eq!(spread(&[]), "–");
    assert_eq!(spread(&[milliseconds(1_234_567)]), "1.23");
    assert_eq!(spread(&[30.0, 1.0, 20.0]), "20.0 (1.00–30.0)");
    assert_eq!(spread(&[2_345_678.0, 999_999.0]), "1,670,000 (1,000,000–2,350,000)");
}
