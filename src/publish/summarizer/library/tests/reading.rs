//! Lists and searches: what is found, and in which order.

use super::*;

#[test]
fn a_search_finds_titles_before_summaries_before_what_was_only_said() {
    let house = House::new(Limits::default());
    house.add("heard", "me", false, "Nothing here. But later a walrus was seen.");
    house.add("said", "me", false, "The walrus is a beast. It swims.");
    let titled =
        NewSummary { title: "My Wälrus".into(), ..new_summary("t", "me", false, "Other.") };
    house.library.add(&titled).unwrap();
    house.add("none", "me", false, "Of seals only.");
    house.add("theirs", "you", false, "A walrus of others.");
    assert_eq!(house.search("me", "walrus"), ["My Wälrus", "Title said", "Title heard"]);
    assert_eq!(
        house.search("me", "WAL"),
        ["My Wälrus", "Title said", "Title heard"],
        "begun words"
    );
    assert_eq!(house.search("me", "wal beast"), Vec::<String>::new(), "only the last may be begun");
    assert_eq!(house.search("me", "walrus swims"), ["Title said"]);
    let query = Query { words: Some("walrus".into()), limit: 9, ..Query::default() };
    let page = house.library.list(&id("me"), &query).unwrap();
    let snippet = |index: usize| {
        let pieces = page.summaries[index].snippet.clone().unwrap_or_default();
        let piece = |piece: &Piece| {
            if piece.is_match { format!("<{}>", piece.text) } else { piece.text.clone() }
        };
        pieces.iter().map(piece).collect::<String>()
    };
    assert_eq!(snippet(1), "The <walrus> is a beast.");
    assert_eq!(snippet(2), "Nothing here. But later a <walrus> was seen.");
}

#[test]
fn what_is_typed_is_never_a_command() {
    let house = House::new(Limits::default());
    house.add("1", "me", false, "It is near (or not) the end.");
    for typed in [
        "\"",
        "'",
        "near(",
        "a AND",
        "NOT",
        "-x",
        "title:x",
        "*",
        "^",
        "( ) { } [ ]",
        "\u{0}",
        "a\"b",
        "%",
        "é",
        "😀",
    ] {
        // That it is answered at all is what counts.
        let _ = house.search("me", typed);
    }
    assert_eq!(house.search("me", "near OR"), ["Title 1"]);
    assert_eq!(house.search("me", "!!!"), Vec::<String>::new());
}

#[test]
fn pages_stay_what_they_are_while_new_ones_come() {
    let house = House::new(Limits::default());
    for n in 0..5 {
        house.add(&n.to_string(), "me", n % 2 == 0, &format!("Talk number {n}."));
    }
    let page = |words: Option<&str>, after: Option<u64>| {
        let words = words.map(str::to_owned);
        let query = Query { words, after, limit: 2, ..Query::default() };
        let page = house.library.list(&id("me"), &query).unwrap();
        let ids: Vec<_> = page.summaries.iter().map(|l| l.summary.id.to_string()).collect();
        (ids.join(" "), page.next)
    };
    let (first, next) = page(None, None);
    assert_eq!(first, "4 3");
    // One more, and the last that was shown asked for again.
    house.add("5", "me", false, "Another.");
    house.add("3-again", "me", false, "Talk number 3.");
    let (second, next) = page(None, next);
    assert_eq!(second, "2 1");
    // The last that was shown is gone.
    house.library.remove(&id("me"), &id("1")).unwrap().unwrap();
    assert_eq!(page(None, next), ("0".into(), None));
    // Of a search too.
    let (found, next) = page(Some("talk"), None);
    assert_eq!((found.as_str(), next), ("4 2", Some(2)));
    assert_eq!(page(Some("talk"), next), ("0 3-again".into(), None));
    assert_eq!(page(Some("talk"), Some(u64::MAX)), (String::new(), None));
    assert_eq!(page(None, Some(u64::MAX)).0, "3-again 5");
}

#[test]
fn playlists_are_counted_and_filtered_by() {
    let house = House::new(Limits::default());
    for (name, playlist) in [("1", Some("A")), ("2", Some("B")), ("3", Some("A")), ("4", None)] {
        let playlist = playlist.map(str::to_owned);
        let new = new_summary(name, "me", false, &format!("Talk {name}."));
        house.library.add(&NewSummary { playlist, ..new }).unwrap();
    }
    assert_eq!(house.library.playlists(&id("me")).unwrap(), [("A".into(), 2), ("B".into(), 1)]);
    assert_eq!(house.library.playlists(&id("you")).unwrap(), []);
    assert_eq!(
        house.titles("me", &Query { playlist: Some("A".into()), ..all() }),
        ["Title 3", "Title 1"]
    );
    let words = Some("talk".into());
    assert_eq!(
        house.titles("me", &Query { playlist: Some("B".into()), words, ..all() }),
        ["Title 2"]
    );
}
