//! What may be kept, and what has to go.

use super::*;

#[test]
fn the_oldest_makes_room_and_takes_along_what_nobody_else_needs() {
    let house = House::new(Limits { max_summaries: 2, ..Limits::default() });
    house.add("1", "me", false, "One.");
    assert!(house.add("2", "me", false, "Two.").evicted.is_empty());
    let evicted = house.add("3", "me", false, "Three.").evicted;
    assert_eq!(evicted.iter().map(|summary| summary.id.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(house.titles("me", &all()), ["Title 3", "Title 2"]);
    assert!(house.search("me", "one").is_empty());
    let one = Transcript::parse(Format::Text, "One.").unwrap().fingerprint();
    assert_eq!(house.library.transcript(one).unwrap(), None);
    let figures = house.library.figures().unwrap();
    assert_eq!((figures.summaries, figures.evictions), (2, 1));
    assert_eq!(
        figures.usage,
        [("m".into(), Usage { requests: 3, prompt_tokens: 21, ..Usage::default() })]
    );
}

#[test]
fn the_newest_stays_however_large_it_is() {
    let house =
        House::new(Limits { max_summary_bytes: 1, max_transcript_bytes: 1, ..Limits::default() });
    house.add("1", "me", false, "One.");
    assert_eq!(house.add("2", "me", false, "Two.").evicted.len(), 1);
    assert_eq!(house.titles("me", &all()), ["Title 2"]);
}

#[test]
fn what_is_too_old_goes_when_something_new_comes() {
    let house = House::new(Limits { summary_age: Duration::from_secs(60), ..Limits::default() });
    house.add("1", "me", false, "One.");
    house.clock.advance(Duration::from_secs(59));
    assert!(house.add("2", "me", false, "Two.").evicted.is_empty());
    house.clock.advance(Duration::from_secs(2));
    assert_eq!(house.add("3", "me", false, "Three.").evicted[0].id, id("1"));
}

#[test]
fn a_transcript_that_is_being_summarized_is_left_alone() {
    let house = House::new(Limits { max_transcript_bytes: 1, ..Limits::default() });
    let busy = Transcript::parse(Format::Text, "Somebody is at this.").unwrap();
    let busy = house.library.put_transcript(&busy).unwrap();
    house.add("1", "me", false, "One.");
    assert!(house.library.transcript(busy).unwrap().is_some());
    house.clock.advance(Duration::from_secs(2 * 3_600));
    house.add("2", "me", false, "Two.");
    assert!(house.library.transcript(busy).unwrap().is_none());
}

#[test]
fn what_a_model_is_said_to_have_taken_never_stops_it() {
    let house = House::new(Limits::default());
    let absurd = Usage { requests: 1, prompt_tokens: u64::MAX, ..Usage::default() };
    for name in ["1", "2"] {
        house.clock.advance(Duration::from_secs(86_400));
        house.library.note_usage("m", absurd).unwrap();
        house.add(name, "me", false, "One.");
    }
    // As an older version has written it down.
    let set = "UPDATE usage SET prompt_tokens = 9223372036854775807";
    house.library.0.connections.write(|transaction| transaction.execute(set, [])).unwrap();
    house.add("3", "me", false, "Two.");
    let (_, usage) = house.library.figures().unwrap().usage.remove(0);
    assert!(usage.requests == 5 && usage.prompt_tokens > 1_000_000_000, "{usage:?}");
}
