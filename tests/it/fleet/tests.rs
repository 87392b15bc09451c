//! The rules of [`super::witness`] can be broken, and are then told of.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tidings::event::EventId;
use tidings::event::parser::ReceivedEvent;

use super::ledger::Published;
use super::witness::{Body, Subject, Witness};
use super::{Kind, World, lock};

/// One client that wants everything for everyone, and a publisher of notes.
struct Case {
    world: World,
    witness: Arc<Mutex<Witness>>,
}

impl Case {
    /// The client is connected and has everything up to 1-0.
    fn new() -> Self {
        let world = World::new(([127, 0, 0, 1], 1).into());
        let witness = Arc::new(Mutex::new(Witness::of_everything("one".into())));
        let case = Self { world, witness };
        case.see("connected", "1-0", "{}");
        case
    }

    fn see(&self, name: &str, id: &str, data: &str) {
        let event = ReceivedEvent { id: id.into(), name: name.into(), data: data.into() };
        lock(&self.witness).see(&event, id_of("1-0"), &self.world);
    }

    fn see_note(&self, id: &str, number: u64) {
        self.see_of(Kind::Note, None, id, number);
    }

    fn see_of(&self, kind: Kind, key: Option<u16>, id: &str, number: u64) {
        let (matched, pad) = (kind.name().to_owned(), String::new());
        let body = Body { number, matched, session: None, key, terminal: false, size: 0, pad };
        self.see(kind.name(), id, &json!(body).to_string());
    }

    fn see_gap(&self, id: &str, from: &str, to: &str) {
        self.see("gap", id, &json!({"from": from, "to": to, "reason": "restart"}).to_string());
    }

    fn publish(&self, id: &str, is_stored: bool) -> u64 {
        self.publish_of(Kind::Note, None, id, is_stored)
    }

    fn publish_of(&self, kind: Kind, key: Option<u16>, id: &str, is_stored: bool) -> u64 {
        let number = self.world.ledger.begin();
        let subject = Subject { kind, session: None, key };
        let is_update = key.is_some();
        let event = Published { number, subject, matched: kind, is_update, is_stored };
        let life = self.world.ledger.life();
        self.world.ledger.acknowledge(id_of(id).unwrap(), event, life, life);
        number
    }

    /// Judges all; what is told must have this in it, or be nothing.
    fn check(self, expected: Option<&str>) {
        let told = self.world.ledger.judge(std::slice::from_ref(&self.witness), &self.world.tally);
        let told = [told, self.world.violations(), lock(&self.witness).close()].concat();
        match expected {
            None => assert_eq!(told, [""; 0]),
            Some(part) => assert!(told.iter().any(|what| what.contains(part)), "{part}: {told:?}"),
        }
    }
}

fn id_of(text: &str) -> Option<EventId> {
    text.parse().ok()
}

#[test]
fn what_was_published_must_come_once_and_in_order() {
    let case = Case::new();
    let (first, second) = (case.publish("2-0", false), case.publish("3-0", true));
    case.see_note("2-0", first);
    case.see_note("3-0", second);
    case.check(None);

    let case = Case::new();
    let (first, second) = (case.publish("2-0", false), case.publish("3-0", false));
    case.see_note("3-0", second);
    case.see_note("2-0", first);
    case.check(Some("out of order"));

    let case = Case::new();
    case.publish("2-0", false);
    let second = case.publish("3-0", false);
    case.see_note("3-0", second);
    case.check(Some("2-0 did not come and is in no gap"));

    let case = Case::new();
    case.see_note("2-0", 7);
    let number = case.publish("3-0", false);
    case.see_note("3-0", number);
    case.check(Some("number 7, was never published"));
}

#[test]
fn a_gap_excuses_what_was_not_stored_and_needs_a_crash() {
    let after_crash = |is_stored: bool, crashed: bool| {
        let case = Case::new();
        case.publish("2-0", is_stored);
        case.world.ledger.note_end(crashed);
        case.see_gap("3-0", "1-0", "3-0");
        let number = case.publish("4-0", false);
        case.see_note("4-0", number);
        case
    };
    after_crash(false, true).check(None);
    after_crash(true, true).check(Some("was stored and did not come"));
    after_crash(false, false).check(Some("a false alarm"));
}

#[test]
fn an_update_may_give_way_to_a_newer_one_that_comes() {
    let two_updates = |newer: bool| {
        let case = Case::new();
        case.publish_of(Kind::Progress, Some(1), "2-0", false);
        let second = case.publish_of(Kind::Progress, Some(if newer { 1 } else { 2 }), "3-0", false);
        case.see_of(Kind::Progress, Some(if newer { 1 } else { 2 }), "3-0", second);
        case
    };
    two_updates(true).check(None);
    two_updates(false).check(Some("nothing newer than"));
}

#[test]
fn what_nobody_knows_of_may_come_once_for_each_life_it_was_tried_in() {
    let tried_in = |lives: u64| {
        let case = Case::new();
        let number = case.world.ledger.begin();
        (1..lives).for_each(|_| case.world.ledger.note_end(true));
        case.world.ledger.give_up(number, 0);
        case.see_note("2-0", number);
        case.see_note("3-0", number);
        let number = case.publish("4-0", true);
        case.see_note("4-0", number);
        case
    };
    tried_in(1).check(Some("came 2 times"));
    tried_in(2).check(None);
}
