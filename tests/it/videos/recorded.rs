//! What YouTube has said once, read by the real yt-dlp: `tests/yt-dlp/recordings.txt` says where that is from.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::site::Site;
use super::{failure, follow, story, submit, watch, yt_dlp};
use crate::support::Server;

/// A server whose yt-dlp reads recordings; captions, which were not recorded, it has from the site.
fn server(site: &Site) -> Option<Server> {
    yt_dlp()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recordings = root.join("target/recordings");
    let are_there = recordings.join("unpacked.txt").exists();
    let must_be = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(are_there || !must_be, "{} is not there; scripts/test makes it", recordings.display());
    if !are_there {
        eprintln!("skipped: the recordings are not there; scripts/test fetches them");
        return None;
    }
    let program = program(site, root, &recordings);
    let hosts = "www.youtube.com,127.0.0.1";
    Some(Server::start(&[
        "--yt-dlp",
        program.to_str().unwrap(),
        "--video-hosts",
        hosts,
        "--fetch-private-addresses",
        "on",
    ]))
}

fn program(site: &Site, root: &Path, recordings: &Path) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("yt-dlp-{}", site.port()));
    let script = format!(
        "#!/bin/sh\nexec '{root}/target/yt-dlp/bin/python' '{root}/tests/yt-dlp/replay.py' '{recordings}' \
         '{captions}' \"$@\"\n",
        root = root.display(),
        recordings = recordings.display(),
        captions = site.url("/{}.vtt"),
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

/// The summary that a video becomes.
fn summary(server: &Server, request: &Value) -> Value {
    let story = story(server, request);
    let complete = story.iter().find(|(name, _)| name == "summary_complete");
    let complete = &complete.unwrap_or_else(|| panic!("{story:#?}")).1;
    let path = format!("/api/v1/summaries/{}", complete["summary_id"].as_str().unwrap());
    server.get(&path).json()
}

fn cancel(server: &Server, batch: &str) {
    let path = format!("/api/v1/summaries/batches/{batch}?session_id=me");
    let ended =
        server.send(&format!("DELETE {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    assert_eq!(ended.head.status, 200, "{}", ended.body);
}

#[test]
fn a_video_of_youtube_has_its_title_chapters_and_captions() {
    let site = Site::start();
    let Some(server) = server(&site) else { return };
    let shown = summary(&server, &json!({"videos": ["https://youtu.be/GJLlxj_dtq8?si=x"]}));
    assert_eq!(shown["title"], "Surface Go Review - It’s Awesome");
    assert_eq!(shown["url"], "https://www.youtube.com/watch?v=GJLlxj_dtq8");
    assert_eq!(
        (&shown["video_id"], &shown["duration_seconds"]),
        (&json!("GJLlxj_dtq8"), &json!(316.0))
    );
    // Of what is written in eight languages and heard, and translated, in more than a hundred.
    assert_eq!(shown["language"], "en");
    assert_eq!(shown["sentences"][0]["text"], "Dr. Lee says that the harbour needs a new lamp.");
    let chapters = shown["chapters"].as_array().unwrap();
    assert_eq!(chapters.len(), 11, "{chapters:#?}");
    assert_eq!(
        (&chapters[0]["title"], &chapters[0]["start_seconds"]),
        (&json!("Part 1"), &json!(0.0))
    );
    assert!(chapters.iter().all(|chapter| !chapter["title"].as_str().unwrap().contains('<')));
    // In another language, and in one that nobody has written.
    let wanted = |language: &str| json!({"videos": ["GJLlxj_dtq8"], "language": language});
    let german = summary(&server, &wanted("de"));
    assert_eq!(german["sentences"][0]["text"], "Der Hafen braucht eine neue Lampe.");
    let story = story(&server, &wanted("tlh"));
    let failed = story.iter().find(|(_, data)| data["status"] == "failed").unwrap();
    let error = failed.1["error"].as_str().unwrap();
    assert!(error.starts_with(r#"The video has no captions in "tlh"; there are: "#), "{error}");
    assert!(error.contains("zh, cs, en, de") && error.ends_with(" more."), "{error}");
}

#[test]
fn what_youtube_refuses_is_said_in_words_that_help() {
    let site = Site::start();
    let Some(server) = server(&site) else { return };
    let check = |video: &str, expected: &str| assert_eq!(failure(&server, video), expected);
    let none = "The video has no captions, so what is said in it is not known.";
    check("dsMFmonKDD4", none);
    // Of a stream that has ended.
    check("Fjg5lYqvzUs", none);
    check("kHwmzef842g", "The video is live; what was said can be summarized when it has ended.");
    check(
        "Njp5uhTorCo",
        "The video can only be seen by those who sign in: because of an age limit, or for members.",
    );
    check(
        "unavailable",
        "The video is not available: it was removed, or there never was one at this address.",
    );
}

#[test]
fn a_site_that_wants_no_more_questions_is_asked_again_later() {
    let site = Site::start();
    let Some(server) = server(&site) else { return };
    let mut stream = watch(&server);
    let taken = submit(&server, &json!({"videos": ["-refused---"]}));
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let waiting = loop {
        let data: Value = serde_json::from_str(&stream.next().data).unwrap();
        assert_ne!(data["status"], "failed", "{data:#}");
        if data["stage"] == "waiting" {
            break data;
        }
    };
    let message = waiting["message"].as_str().unwrap();
    assert!(
        message.contains(": Attempt 2 of 3 begins in 60.0 s: The video's site takes no more"),
        "{message}"
    );
    let job = server.get("/api/v1/jobs?status=pending").json()["jobs"][0].clone();
    assert_eq!(job["attempt"], 2, "{job:#}");
    cancel(&server, taken.json()["batch_id"].as_str().unwrap());
    assert_eq!(follow(&mut stream).last().unwrap().1["status"], "cancelled");
}

#[test]
fn a_playlist_of_youtube_is_a_batch() {
    let site = Site::start();
    let Some(server) = server(&site) else { return };
    let list =
        |id: &str| json!({"playlist": format!("https://www.youtube.com/playlist?list={id}")});
    let mut stream = watch(&server);
    let taken = submit(&server, &list("PLo4c-riVwz2miWOT3Y2VWzg2bmV4FmC8J"));
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let accepted = taken.json();
    assert_eq!(accepted["total"], 16);
    let first = &accepted["items"][0];
    assert_eq!(
        (&first["title"], &first["playlist"]),
        (&json!("American Girl"), &json!("Tom Petty's greatest hits album"))
    );
    assert_eq!(first["url"], "https://www.youtube.com/watch?v=SIhb-kNvL6M");
    // None of its videos was recorded.
    cancel(&server, accepted["batch_id"].as_str().unwrap());
    assert_eq!(follow(&mut stream).last().unwrap().1["status"], "cancelled");
}
