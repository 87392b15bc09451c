//! The library by itself.

// What may be kept, and what has to go.
mod limits;

// Lists and searches.
mod reading;

use std::path::Path;

use super::*;
use crate::clock::ManualClock;
use crate::publish::summarizer::engine::KeySentence;
use crate::publish::summarizer::transcript::{Format, Transcript};

/// A library on a clock that is moved by hand.
struct House {
    library: Library,
    clock: Arc<ManualClock>,
}

impl House {
    fn new(limits: Limits) -> Self {
        Self::open(None, limits)
    }

    fn open(folder: Option<&Path>, limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let library = Library::open(folder, limits, clock.clone()).unwrap();
        Self { library, clock }
    }

    /// Keeps a summary that was made of this talk.
    fn add(&self, name: &str, session: &str, is_shared: bool, said: &str) -> Added {
        self.library.add(&new_summary(name, session, is_shared, said)).unwrap().unwrap()
    }

    fn titles(&self, viewer: &str, query: &Query) -> Vec<String> {
        let page = self.library.list(&id(viewer), query).unwrap();
        page.summaries.into_iter().map(|listed| listed.summary.title).collect()
    }

    fn search(&self, viewer: &str, words: &str) -> Vec<String> {
        self.titles(viewer, &Query { words: Some(words.into()), limit: 10, ..Query::default() })
    }
}

/// A summary that was made of this talk.
fn new_summary(name: &str, session: &str, is_shared: bool, said: &str) -> NewSummary {
    let transcript = Transcript::parse(Format::Text, said).unwrap();
    let fingerprint = transcript.fingerprint();
    let sentence = said.split_inclusive('.').next().unwrap().to_owned();
    let key_sentence = KeySentence { text: sentence, start: None, index: Some(0), chapter: None };
    let summary = Summary { sentences: vec![key_sentence], total_words: 5, ..Summary::default() };
    let usage = Usage { requests: 1, prompt_tokens: 7, ..Usage::default() };
    let video = Video {
        id: "v".into(),
        url: "https://example.com/v".into(),
        title: "T".into(),
        duration: Some(Duration::from_millis(1_500)),
        language: None,
        uploader: None,
        chapters: Vec::new(),
    };
    NewSummary {
        id: id(name),
        session: id(session),
        is_shared,
        title: format!("Title {name}"),
        playlist: None,
        video: is_shared.then_some(video),
        language: Some("en".into()),
        key: ContentKey {
            subject: if is_shared { "https://example.com/v" } else { "transcript" }.into(),
            model: "m".into(),
            language: "en".into(),
            transcript: fingerprint,
        },
        is_refreshed: false,
        made: Made::Written(Written { summary, usage }, transcript),
    }
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

fn all() -> Query {
    Query { limit: 100, ..Query::default() }
}

#[test]
fn what_is_sent_is_its_sessions_and_videos_are_everyones() {
    let house = House::new(Limits::default());
    house.add("1", "me", false, "One.");
    house.add("2", "you", false, "Two.");
    house.add("3", "you", true, "Three.");
    assert_eq!(house.titles("me", &all()), ["Title 3", "Title 1"]);
    assert_eq!(house.titles("you", &all()), ["Title 3", "Title 2"]);
    assert_eq!(house.titles("them", &all()), ["Title 3"]);
    let find = |viewer, name| house.library.find(&id(viewer), &id(name)).unwrap();
    assert!(find("me", "1").is_some() && find("you", "1").is_none() && find("me", "4").is_none());
    let shared = find("me", "3").unwrap();
    assert_eq!(shared.kept.video.unwrap().duration, Some(Duration::from_millis(1_500)));
    assert_eq!(shared.content.summary.sentences[0].text, "Three.");
    let said = house.library.transcript(shared.transcript).unwrap().unwrap();
    assert_eq!(said.cues[0].text, "Three.");
}

#[test]
fn whoever_asks_again_gets_one_row_at_the_top_and_the_old_id_leads_to_it() {
    let house = House::new(Limits::default());
    house.add("1", "me", false, "One.");
    house.add("2", "me", false, "Two.");
    let again = new_summary("3", "me", false, "One.");
    assert!(house.library.content(&again.key).unwrap().is_some());
    let again = NewSummary { made: Made::Found, ..again };
    let added = house.library.add(&again).unwrap().unwrap();
    assert_eq!(added.summary.source, SummarySource::Cache);
    assert_eq!(house.titles("me", &all()), ["Title 3", "Title 2"]);
    let old = house.library.find(&id("me"), &id("1")).unwrap().unwrap();
    assert_eq!(old.kept.id, id("3"));
    // Another session has a row of its own for the same content.
    let theirs = new_summary("4", "you", false, "One.");
    house.library.add(&NewSummary { made: Made::Found, ..theirs }).unwrap().unwrap();
    assert_eq!(house.titles("me", &all()).len(), 2);
    assert_eq!(house.search("me", "one"), ["Title 3"]);
    house.library.remove(&id("me"), &id("1")).unwrap().unwrap();
    assert!(house.library.find(&id("me"), &id("3")).unwrap().is_none());
    assert!(
        house.library.find(&id("you"), &id("4")).unwrap().is_some(),
        "its content is still there"
    );
}

#[test]
fn what_was_found_and_is_gone_is_not_taken_for_what_has_its_number_now() {
    let house = House::new(Limits::default());
    house.add("1", "me", true, "One.");
    let again = NewSummary { made: Made::Found, ..new_summary("2", "me", true, "One.") };
    assert!(house.library.content(&again.key).unwrap().is_some());
    house.library.remove(&id("me"), &id("1")).unwrap().unwrap();
    house.add("3", "you", false, "A secret of yours.");
    assert_eq!(house.library.add(&again).unwrap(), None);
    assert_eq!(house.titles("me", &all()), Vec::<String>::new());
    // Another has made it again meanwhile.
    house.add("4", "them", true, "One.");
    let added = house.library.add(&again).unwrap().unwrap();
    assert_eq!(added.summary.source, SummarySource::Cache);
    let whole = house.library.find(&id("them"), &id("2")).unwrap().unwrap();
    assert_eq!(whole.content.summary.sentences[0].text, "One.");
}

#[test]
fn what_is_refreshed_takes_the_place_of_what_was_said_before() {
    let house = House::new(Limits::default());
    let first =
        NewSummary { playlist: Some("A".into()), ..new_summary("1", "me", true, "Version one.") };
    house.library.add(&first).unwrap().unwrap();
    house.add("1-again", "me", true, "Version one.");
    let other = new_summary("other", "me", true, "Version one.");
    let key = ContentKey { model: "another".into(), ..other.key.clone() };
    house.library.add(&NewSummary { key, ..other }).unwrap().unwrap();
    let anew = new_summary("2", "you", true, "Version two.");
    let anew = NewSummary { is_refreshed: true, ..anew };
    assert_eq!(house.library.add(&anew).unwrap().unwrap().evicted, []);
    assert_eq!(house.titles("me", &all()), ["Title 2", "Title other"]);
    assert_eq!(house.library.content(&first.key).unwrap(), None);
    for old in ["1", "1-again"] {
        let found = house.library.find(&id("me"), &id(old)).unwrap().unwrap();
        assert_eq!((found.kept.id, found.kept.playlist), (id("2"), Some("A".into())));
        assert_eq!(found.content.summary.sentences[0].text, "Version two.");
    }
}

#[test]
fn a_video_is_known_for_a_while() {
    let house = House::new(Limits { video_age: Duration::from_secs(60), ..Limits::default() });
    let transcript =
        Transcript::parse(Format::WebVtt, "WEBVTT\n\n00:01.000 --> 00:02.500\nHi.").unwrap();
    let known = KnownVideo {
        video: new_summary("x", "me", true, "X.").video.unwrap(),
        language: "en".into(),
        is_automatic: true,
        transcript: transcript.fingerprint(),
        fetched_ms: house.clock.unix_ms(),
    };
    house.library.put_video("key", "", &known, &transcript).unwrap();
    assert_eq!(house.library.video("key", "").unwrap(), Some(known.clone()));
    assert_eq!(house.library.video("key", "de").unwrap(), None);
    assert_eq!(house.library.transcript(known.transcript).unwrap(), Some(transcript.clone()));
    house.library.put_video("key", "en", &known, &transcript).unwrap();
    house.library.put_video("other", "", &known, &transcript).unwrap();
    house.library.forget_video("key").unwrap();
    for wanted in ["", "en"] {
        assert_eq!(house.library.video("key", wanted).unwrap(), None);
    }
    assert!(house.library.transcript(known.transcript).unwrap().is_some(), "of the other");
    assert_eq!(house.library.video("other", "").unwrap(), Some(known));
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(house.library.video("other", "").unwrap(), None);
}

#[test]
fn uploads_wait_until_all_who_need_them_have_had_them() {
    let house = House::new(Limits { max_upload_bytes: 10, ..Limits::default() });
    let put = |bodies: &[&str]| {
        let sent: Vec<_> = bodies.iter().map(|body| (Format::Text, (*body).to_owned())).collect();
        house.library.put_uploads(&sent)
    };
    let first = put(&["abc", "def"]).unwrap();
    let second = put(&["abc"]).unwrap();
    assert_eq!(first[0], second[0]);
    assert_eq!(put(&["too much"]), Err(LibraryError::Full { waiting_bytes: 14 }));
    assert_eq!(house.library.figures().unwrap().upload_bytes, 6, "nothing was kept of it");
    house.library.release_upload(&first[0]).unwrap();
    assert_eq!(house.library.upload(&first[0]).unwrap(), Some((Format::Text, "abc".into())));
    house.library.release_upload(&second[0]).unwrap();
    assert_eq!(house.library.upload(&first[0]).unwrap(), None);
    house.library.retain_uploads(&[first[1].clone(), first[1].clone()]).unwrap();
    house.library.release_upload(&first[1]).unwrap();
    assert!(house.library.upload(&first[1]).unwrap().is_some(), "two need it");
    house.library.retain_uploads(&[]).unwrap();
    assert_eq!(house.library.figures().unwrap().upload_bytes, 0);
}

#[test]
fn everything_is_there_after_a_restart_and_readers_do_not_wait_for_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default());
    house.add("1", "me", false, "One.");
    let upload = house.library.put_uploads(&[(Format::Text, "x".into())]).unwrap();
    let changed = house.library.0.connections.write(|transaction| {
        transaction.execute("DELETE FROM summary", [])?;
        // What is not committed nobody sees, and nobody waits for it.
        assert_eq!(house.titles("me", &all()), ["Title 1"]);
        Err::<(), _>(LibraryError::Full { waiting_bytes: 0 })
    });
    assert!(changed.is_err());
    drop(house);
    let house = House::open(Some(folder.path()), Limits::default());
    assert_eq!(house.titles("me", &all()), ["Title 1"]);
    assert_eq!(house.search("me", "one"), ["Title 1"]);
    assert!(house.library.upload(&upload[0]).unwrap().is_some());
}

#[test]
fn a_broken_database_is_put_aside_and_a_newer_one_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summaries.db");
    std::fs::write(&path, "this is no database, whatever its name says".repeat(100)).unwrap();
    let house = House::open(Some(folder.path()), Limits::default());
    house.add("1", "me", false, "One.");
    let aside = std::fs::read_dir(folder.path()).unwrap().flatten();
    assert!(aside.into_iter().any(|e| e.file_name().to_string_lossy().contains("broken")));
    drop(house);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let clock = Arc::new(ManualClock::at(0));
    let error = Library::open(Some(folder.path()), Limits::default(), clock).unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn a_database_of_the_first_version_is_brought_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = rusqlite::Connection::open(folder.path().join("summaries.db")).unwrap();
    schema::migrate_to(&mut connection, 1).unwrap();
    let summary = serde_json::to_string(&Summary::default()).unwrap();
    let usage = serde_json::to_string(&Usage::default()).unwrap();
    let content = "INSERT INTO content VALUES (7, 'v', 'm', 'en', zeroblob(32), ?1, ?2, 1, 1, 9)";
    connection.execute(content, [summary, usage]).unwrap();
    let rest = "
        INSERT INTO transcript VALUES (zeroblob(32), x'00', 1, 1000);
        INSERT INTO transcript VALUES (randomblob(32), x'00', 2, 1000);
        INSERT INTO video VALUES ('v', '', '', 'en', 0, zeroblob(32), 1000);
        INSERT INTO video VALUES ('w', '', '', 'en', 0, randomblob(32), 1000);
        INSERT INTO summary VALUES
            (1, 'old', 'me', 0, 'Old', NULL, NULL, NULL, 'generated', 7, 1000);
        INSERT INTO summary VALUES (2, 'new', 'you', 0, 'New', NULL, NULL, NULL, 'cache', 7, 2000);";
    connection.execute_batch(rest).unwrap();
    drop(connection);
    let house = House::open(Some(folder.path()), Limits::default());
    assert_eq!([house.titles("me", &all()), house.titles("you", &all())].concat(), ["Old", "New"]);
    assert_eq!(
        house.library.figures().unwrap().transcript_bytes,
        1,
        "of the other nothing was made"
    );
    let videos = |connection: &rusqlite::Connection| {
        connection
            .query_row("SELECT group_concat(key) FROM video", [], |row| row.get::<_, String>(0))
    };
    assert_eq!(house.library.0.connections.read(videos).unwrap(), "v");
    // It is as old as the first summary of it.
    drop(house);
    let limits = Limits { summary_age: Duration::from_millis(500), ..Limits::default() };
    let clock = Arc::new(ManualClock::at(1_499));
    let library = Library::open(Some(folder.path()), limits, clock.clone()).unwrap();
    assert!(library.find(&id("you"), &id("new")).unwrap().is_some());
    clock.advance(Duration::from_millis(1));
    assert!(library.find(&id("you"), &id("new")).unwrap().is_none());
}

#[test]
fn a_full_disk_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default());
    house.add("1", "me", false, "One.");
    house
        .library
        .0
        .connections
        .write(|transaction| {
            let pages: i64 = transaction.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            transaction.pragma_update(None, "max_page_count", pages)?;
            Ok::<_, rusqlite::Error>(())
        })
        .unwrap();
    let words: Vec<_> = (0..200_000).map(|n| format!("Word{n}.")).collect();
    let long = new_summary("2", "me", false, &words.join(" "));
    let error = house.library.add(&long).unwrap_err();
    assert!(matches!(&error, LibraryError::Database(text) if text.contains("full")), "{error}");
    assert_eq!(house.titles("me", &all()), ["Title 1"]);
}

#[test]
fn a_list_walks_along_its_indexes() {
    let house = House::new(Limits::default());
    let plan = house.library.0.connections.read(|connection| {
        let mut query =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", super::reading::NEWEST))?;
        let rows = query.query_map(rusqlite::params!["me", 9, None::<String>, 5], |row| {
            row.get::<_, String>(3)
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let plan = plan.unwrap().join("\n");
    assert!(plan.contains("summary_of_session") && plan.contains("summary_of_all"), "{plan}");
    assert!(!plan.contains("SCAN summary\n"), "{plan}");
}
