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
fn what_is_too_old_is_not_there_also_if_nothing_new_comes() {
    let house = House::new(Limits { summary_age: Duration::from_secs(60), ..Limits::default() });
    let listed =
        NewSummary { playlist: Some("A".into()), ..new_summary("1", "me", true, "One. Two.") };
    house.library.add(&listed).unwrap().unwrap();
    let again = NewSummary { made: Made::Found, ..new_summary("2", "me", true, "One. Two.") };
    house.clock.advance(Duration::from_secs(50));
    // Whoever asks for it now does not make it any younger.
    house.library.add(&again).unwrap().unwrap();
    house.clock.advance(Duration::from_secs(10));
    assert_eq!(house.library.content(&again.key).unwrap(), None);
    assert_eq!(house.library.add(&again).unwrap(), None);
    assert_eq!(house.titles("me", &all()), Vec::<String>::new());
    assert_eq!(house.search("me", "two"), Vec::<String>::new());
    assert_eq!(house.library.find(&id("me"), &id("2")).unwrap(), None);
    assert_eq!(house.library.playlists(&id("me")).unwrap(), []);
    let told: Vec<_> = house.library.take_aged().into_iter().map(|aged| aged.id).collect();
    assert_eq!((told, house.library.take_aged()), (vec![id("2")], vec![]));
    let figures = house.library.figures().unwrap();
    assert_eq!((figures.summaries, figures.transcript_bytes, figures.evictions), (0, 0, 1));
}

#[test]
fn what_is_made_anew_is_young_again() {
    let house = House::new(Limits { summary_age: Duration::from_secs(60), ..Limits::default() });
    for name in ["1", "2", "3"] {
        house.add(name, "me", false, "One.");
        house.clock.advance(Duration::from_secs(40));
    }
    assert_eq!(house.titles("me", &all()), ["Title 3"]);
}

/// Looks a video up in which this is said, and makes nothing of it.
fn look_up(house: &House, key: &str, said: &str) -> Fingerprint {
    let transcript = Transcript::parse(Format::Text, said).unwrap();
    let known = KnownVideo {
        video: new_summary("x", "me", true, said).video.unwrap(),
        language: "en".into(),
        is_automatic: false,
        transcript: transcript.fingerprint(),
        fetched_ms: house.clock.unix_ms(),
    };
    house.library.put_video(key, "", &known, &transcript).unwrap();
    known.transcript
}

#[test]
fn transcripts_that_nothing_was_made_from_go_before_summaries() {
    let house = House::new(Limits { max_transcript_bytes: 1_000, ..Limits::default() });
    for name in ["1", "2", "3"] {
        house.add(name, "me", false, &format!("Talk {name}."));
    }
    let words: Vec<_> = (0..1_000).map(|n| format!("Word{n}.")).collect();
    let is_kept = |of| house.library.transcript(of).unwrap().is_some();
    let first = look_up(&house, "a", &words.join(" "));
    assert!(is_kept(first), "it may be being summarized");
    house.clock.advance(Duration::from_secs(1));
    let second = look_up(&house, "b", &words[1..].join(" "));
    assert!(is_kept(second) && !is_kept(first));
    assert_eq!(house.library.video("a", "").unwrap(), None);
    let small = look_up(&house, "c", "This is short.");
    assert!(is_kept(small) && !is_kept(second));
    // There is room for these, and for what is only there in case somebody asks.
    assert_eq!(house.add("4", "me", false, "Talk 4.").evicted, []);
    assert!(is_kept(small) && house.library.video("c", "").unwrap().is_some());
    assert_eq!(house.titles("me", &all()).len(), 4);
}

#[test]
fn a_transcript_that_went_meanwhile_comes_with_its_summary() {
    let house = House::new(Limits { max_transcript_bytes: 1, ..Limits::default() });
    let busy = look_up(&house, "a", "Somebody is at this.");
    house.add("1", "me", false, "One.");
    assert!(house.library.transcript(busy).unwrap().is_none());
    house.add("2", "me", true, "Somebody is at this.");
    assert!(house.library.transcript(busy).unwrap().is_some());
    assert_eq!(house.search("me", "somebody"), ["Title 2"]);
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

#[test]
fn what_is_known_of_a_video_goes_with_its_transcript_and_with_its_age() {
    let videos = |house: &House| -> i64 {
        let count = "SELECT count(*) FROM video";
        let count =
            |connection: &rusqlite::Connection| connection.query_row(count, [], |r| r.get(0));
        house.library.0.connections.read(count).unwrap()
    };
    let house = House::new(Limits { max_summaries: 1, ..Limits::default() });
    look_up(&house, "a", "One.");
    house.add("1", "me", true, "One.");
    assert_eq!(videos(&house), 1);
    house.add("2", "me", true, "Two.");
    assert_eq!(videos(&house), 0);
    let (said, unsaid) = (look_up(&house, "b", "Three."), look_up(&house, "c", "Four."));
    house.clock.advance(Duration::from_secs(6 * 86_400));
    let known = look_up(&house, "d", "Four.");
    house.add("3", "me", true, "Three.");
    assert_eq!((videos(&house), unsaid), (3, known));
    house.clock.advance(Duration::from_secs(86_400));
    house.add("3-again", "me", true, "Three.");
    assert_eq!(videos(&house), 1);
    let is_kept = |of| house.library.transcript(of).unwrap().is_some();
    assert!(is_kept(said) && is_kept(known));
    house.clock.advance(Duration::from_secs(6 * 86_400));
    house.add("3-once-more", "me", true, "Three.");
    assert_eq!(videos(&house), 0);
    assert!(is_kept(said) && !is_kept(known));
}
