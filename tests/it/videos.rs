//! Videos, their captions and playlists, with the real yt-dlp against pages of this machine.

mod recorded;
mod site;

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use self::site::Site;
use crate::support::{EventStream, Response, Server};

/// Where scripts/test has installed yt-dlp; none if it is not there, which on the build machine must not be.
fn yt_dlp() -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/yt-dlp/bin/yt-dlp");
    let found = Command::new(&here).arg("--version").output().is_ok();
    let must_be = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found || !must_be, "{} is not there; scripts/test installs it", here.display());
    if !found {
        eprintln!("skipped: yt-dlp is not installed; scripts/test does that");
    }
    found.then_some(here)
}

/// A server that may ask this machine for videos, if yt-dlp is there.
fn server(flags: &[&str]) -> Option<Server> {
    let yt_dlp = yt_dlp()?;
    let yt_dlp = yt_dlp.to_str().unwrap();
    let mut all = vec!["--yt-dlp", yt_dlp, "--video-hosts", "127.0.0.1"];
    all.extend(["--fetch-private-addresses", "on"]);
    all.extend(flags);
    Some(Server::start(&all))
}

fn submit(server: &Server, request: &Value) -> Response {
    server.post("/api/v1/summaries?session_id=me", &request.to_string())
}

/// Submits a request and waits for its end: all that its session is told.
fn story(server: &Server, request: &Value) -> Vec<(String, Value)> {
    let mut stream = watch(server);
    let taken = submit(server, request);
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    follow(&mut stream)
}

fn watch(server: &Server) -> EventStream {
    let types = "summary_progress,summary_complete,system";
    let mut stream = server.stream(&format!("/events?subscribe={types}&session_id=me"));
    assert_eq!(stream.next().name, "connected");
    stream
}

fn follow(stream: &mut EventStream) -> Vec<(String, Value)> {
    let mut story = Vec::new();
    loop {
        let event = stream.next();
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let status = data["status"].as_str().unwrap_or_default().to_owned();
        story.push((event.name, data));
        if status == "completed" || status == "cancelled" {
            return story;
        }
    }
}

/// The error of the one item that failed.
fn failure(server: &Server, url: &str) -> String {
    let story = story(server, &json!({"videos": [url]}));
    let failed = story.iter().find(|(_, data)| data["status"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("{url}: {story:#?}"));
    failed.1["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_video_is_looked_up_and_what_is_said_in_it_is_summarized() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let url = site.url("/talk.html");
    let story = story(&server, &json!({"videos": [url]}));
    // Of what passes faster than it is told, only the latest is.
    let stages: Vec<_> = story.iter().filter_map(|(_, data)| data["stage"].as_str()).collect();
    let order = ["lookup", "transcript", "cache", "summarize", "store"];
    let places = stages.iter().map(|stage| order.iter().position(|known| known == stage));
    assert!(places.is_sorted() && stages.first() == Some(&"lookup"), "{story:#?}");
    let complete = &story.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    assert_eq!((&complete["source"], &complete["url"]), (&json!("generated"), &json!(url)));
    assert!(complete["title"].as_str().unwrap().starts_with("A talk on lamps"), "{complete}");
    let path = format!("/api/v1/summaries/{}", complete["summary_id"].as_str().unwrap());
    let summary = server.get(&format!("{path}?session_id=me")).json();
    // The English captions, although the German ones come first on the page.
    let said = &summary["sentences"][0];
    assert_eq!(said["text"], "Dr. Lee says that the harbour needs a new lamp.");
    assert_eq!((&said["start_seconds"], &summary["language"]), (&json!(1.0), &json!("en")));
    // A video is everyone's.
    assert_eq!(server.get(&format!("{path}?session_id=you")).json()["is_shared"], true);
    let markdown = server.get(&format!("{path}/markdown?session_id=you"));
    assert!(markdown.body.contains(&format!("[0:01]({url}#t=1)")), "{}", markdown.body);

    // Asked again, it comes from the cache, and the site is not asked again.
    let asked = site.requests();
    let again = self::story(&server, &json!({"videos": [url]}));
    let complete = &again.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    assert_eq!(complete["source"], "cache");
    assert_eq!(site.requests(), asked);
    // Made anew, it is.
    let id = complete["summary_id"].as_str().unwrap();
    let mut stream = watch(&server);
    let taken = server.post(&format!("/api/v1/summaries/{id}/refresh?session_id=me"), "");
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let anew = follow(&mut stream);
    let complete = &anew.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    assert_eq!(complete["source"], "generated");
    assert!(site.requests() > asked);
    // Nobody has looked for it in the cache then.
    assert!(anew.iter().all(|(_, data)| data["cache"] != "miss"), "{anew:#?}");
}

#[test]
fn a_refreshed_summary_takes_the_place_of_the_old_one() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let url = site.url("/changed.html");
    for path in ["/same.html", "/changed.html"] {
        site.captions(path, "/en.srt");
    }
    // Another video that says the same stays as it is, and so does what it says.
    story(&server, &json!({"videos": [site.url("/same.html")]}));
    let ask = || {
        let story = story(&server, &json!({"videos": [url]}));
        story.into_iter().find(|(name, _)| name == "summary_complete").unwrap().1
    };
    let id = ask()["summary_id"].as_str().unwrap().to_owned();
    site.captions("/changed.html", "/en.vtt");
    let mut stream = watch(&server);
    let taken = server.post(&format!("/api/v1/summaries/{id}/refresh?session_id=me"), "");
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    follow(&mut stream);
    let check = || {
        let list = server.get("/api/v1/summaries?session_id=me").json();
        assert_eq!(list["total"], 2, "{list}");
        let found = server.get(&format!("/api/v1/summaries/{id}?session_id=me")).json();
        let said = &found["sentences"][0]["text"];
        assert_eq!(said, "Dr. Lee says that the harbour needs a new lamp.", "{found}");
    };
    check();
    // Nor does it come back when the video is asked for as it was at first, without a language.
    assert_eq!(ask()["source"], "cache");
    check();
}

#[test]
fn a_video_that_has_another_address_is_made_anew_in_its_place() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    site.redirect("/short", &site.url("/talk.html"));
    let story = story(&server, &json!({"videos": [site.url("/short")]}));
    let complete = &story.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    assert_eq!(complete["url"], json!(site.url("/talk.html")));
    let mut stream = watch(&server);
    let id = complete["summary_id"].as_str().unwrap();
    let taken = server.post(&format!("/api/v1/summaries/{id}/refresh?session_id=me"), "");
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    assert_eq!(follow(&mut stream).last().unwrap().1["completed"], 1);
    assert_eq!(server.get("/api/v1/summaries").json()["total"], 1);
}

#[test]
fn captions_come_in_the_language_that_is_wanted() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let url = site.url("/talk.html");
    let story = story(&server, &json!({"videos": [url], "language": "de"}));
    let complete = &story.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    let path = format!("/api/v1/summaries/{}", complete["summary_id"].as_str().unwrap());
    let summary = server.get(&path).json();
    assert_eq!(summary["sentences"][0]["text"], "Der Hafen braucht eine neue Lampe.");
    let request = json!({"videos": [url], "language": "fr"});
    let failed = self::story(&server, &request).into_iter().find(|(_, d)| d["status"] == "failed");
    let error = failed.unwrap().1["error"].clone();
    assert_eq!(error, "The video has no captions in \"fr\"; there are: de, en.");
}

#[test]
fn captions_may_be_of_the_other_form() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    site.captions("/srt.html", "/en.srt");
    let story = story(&server, &json!({"videos": [site.url("/srt.html")]}));
    let complete = &story.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    let path = format!("/api/v1/summaries/{}", complete["summary_id"].as_str().unwrap());
    let said = &server.get(&path).json()["sentences"][0];
    assert_eq!((&said["text"], &said["start_seconds"]), (&json!("The lamp burns."), &json!(2.25)));
}

#[test]
fn a_site_that_says_nothing_is_waited_for_only_so_long() {
    let Some(server) = server(&["--video-timeout-seconds", "5"]) else { return };
    let site = Site::start();
    let taken = submit(&server, &json!({"playlist": site.url("/stuck.xml")}));
    assert_eq!((taken.head.status, &taken.json()["code"]), (504, &json!("video_timeout")));
    let detail = "There was no answer within 5 seconds (video_timeout_seconds).";
    assert_eq!(taken.json()["detail"], detail);
    // Nobody is left who asks.
    site.await_hang_up();
}

#[test]
fn what_goes_wrong_is_said_in_words_that_help() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let check = |path: &str, expected: &str| {
        let error = failure(&server, &site.url(path));
        assert!(error.contains(expected), "{path}: {error}");
    };
    check("/silent.html", "has no captions");
    check("/none.html", "not available");
    check("/text.html", "No video was found");
}

#[test]
fn nothing_is_asked_that_must_not_be_asked() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let inside = Site::start();
    let refused = |path: &str| failure(&server, &site.url(path));
    // By another name for this machine, behind a redirect and behind the address of captions.
    let elsewhere = format!("http://localhost:{}/talk.html", inside.port());
    site.redirect("/moved", &elsewhere);
    assert!(refused("/moved").contains("localhost is not among those"), "{}", refused("/moved"));
    site.captions("/lured.html", &format!("http://localhost:{}/en.vtt", inside.port()));
    assert!(refused("/lured.html").contains("localhost is not among those"));
    assert_eq!(inside.requests(), 0);
    // Nor by what is not HTTP.
    let ftp = TcpListener::bind("127.0.0.1:0").unwrap();
    ftp.set_nonblocking(true).unwrap();
    let captions = format!("ftp://127.0.0.1:{}/en.vtt", ftp.local_addr().unwrap().port());
    site.captions("/ftp.html", &captions);
    failure(&server, &site.url("/ftp.html"));
    assert_eq!(ftp.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    // What is known beforehand is no batch at all.
    let taken = submit(&server, &json!({"videos": [elsewhere]}));
    assert_eq!((taken.head.status, &taken.json()["code"]), (422, &json!("video_forbidden")));
    assert_eq!(taken.json()["field"], "videos[0]");
}

#[test]
fn addresses_of_this_machine_are_not_asked_unless_that_is_wanted() {
    let Some(yt_dlp) = yt_dlp() else { return };
    let server = Server::start(&["--yt-dlp", yt_dlp.to_str().unwrap(), "--video-hosts", "*"]);
    let site = Site::start();
    let by_number = submit(&server, &json!({"videos": [site.url("/talk.html")]}));
    assert_eq!(
        (by_number.head.status, &by_number.json()["code"]),
        (422, &json!("video_forbidden"))
    );
    let by_name = format!("http://localhost:{}/talk.html", site.port());
    let error = failure(&server, &by_name);
    assert_eq!(
        error,
        "the host localhost is not on the public internet (fetch_private_addresses)."
    );
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_playlist_becomes_a_batch_of_its_videos() {
    let Some(server) = server(&["--max-playlist-videos", "2"]) else { return };
    let site = Site::start();
    let mut stream = watch(&server);
    let taken = submit(&server, &json!({"playlist": site.url("/feed.xml")}));
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let accepted = taken.json();
    assert_eq!(accepted["total"], 2, "the first two of three");
    assert_eq!(accepted["items"][0]["title"], "Lamps");
    assert_eq!(accepted["items"][0]["playlist"], "Talks of the harbour");
    let story = follow(&mut stream);
    let last = &story.last().unwrap().1;
    assert_eq!((&last["completed"], &last["failed"]), (&json!(1), &json!(1)), "{story:#?}");
    let listed = server.get("/api/v1/summaries?playlist=Talks%20of%20the%20harbour").json();
    assert_eq!((&listed["total"], &listed["playlists"][0]["count"]), (&json!(1), &json!(1)));
    let batch = server.get(taken.head.header("location").unwrap()).json();
    assert_eq!((&batch["title"], &batch["percent"]), (&json!("Talks of the harbour"), &json!(100)));
    // The one that failed can be tried again.
    let failed = batch["items"].as_array().unwrap().iter().find(|item| item["status"] == "failed");
    let (id, item) = (batch["batch_id"].as_str().unwrap(), failed.unwrap()["id"].as_str().unwrap());
    let path = format!("/api/v1/summaries/batches/{id}/items/{item}/retry?session_id=me");
    assert_eq!(server.post(&path, "").json()["total"], 1);

    let few = self::server(&["--max-summary-items", "2"]).unwrap();
    let many = submit(&few, &json!({"playlist": site.url("/feed.xml")}));
    assert_eq!((many.head.status, &many.json()["field"]), (422, &json!("playlist")));
    let none = submit(&server, &json!({"playlist": site.url("/talk.html")}));
    assert_eq!((none.head.status, &none.json()["code"]), (422, &json!("no_playlist")));
    let gone = submit(&server, &json!({"playlist": site.url("/gone.xml")}));
    assert_eq!((gone.head.status, &gone.json()["code"]), (422, &json!("video_removed")));
    assert_eq!(gone.json()["field"], "playlist");
    let busy = submit(&server, &json!({"playlist": site.url("/busy.xml")}));
    assert_eq!((busy.head.status, &busy.json()["code"]), (503, &json!("rate_limited")));
}

#[test]
fn a_failed_job_tried_again_is_told_to_who_had_asked() {
    let Some(server) = server(&[]) else { return };
    let site = Site::start();
    let url = site.url("/later.html");
    let transcript = json!({"title": "No", "vtt": "no captions"});
    let first = story(&server, &json!({"videos": [url], "transcripts": [transcript]}));
    assert_eq!(first.last().unwrap().1["failed"], 2);
    let failed: Vec<_> = first.iter().filter(|(_, data)| data["status"] == "failed").collect();
    let job_of = |title: &str| {
        let of = failed.iter().find(|(_, data)| data["current_video"]["title"] == title);
        of.unwrap().1["current_video"]["item_id"].as_str().unwrap().to_owned()
    };
    site.captions("/later.html", "/en.vtt");
    let mut stream = watch(&server);
    let retry = |job: &str| server.post(&format!("/api/v1/jobs/{job}/retry"), "");
    let job = job_of(&url);
    let again = retry(&job);
    assert_eq!(again.head.status, 202, "{}", again.body);
    let story = follow(&mut stream);
    assert_eq!(story.last().unwrap().1["completed"], 1, "{story:#?}");
    let complete = &story.iter().find(|(name, _)| name == "summary_complete").unwrap().1;
    assert_eq!(complete["summary_id"], again.json()["jobId"]);
    let twice = retry(&job);
    assert_eq!((twice.head.status, &twice.json()["code"]), (409, &json!("already_retried")));
    // What was sent along is kept only until its job has ended.
    let sent = retry(&job_of("No"));
    assert_eq!((sent.head.status, &sent.json()["code"]), (409, &json!("not_again")));
}

#[test]
fn what_is_tried_again_may_be_taken_away_or_forgotten() {
    let server = Server::start(&["--yt-dlp", "/nowhere/yt-dlp", "--kept-batch-items", "2"]);
    let fail = |video: &str| {
        let story = story(&server, &json!({"videos": [video]}));
        let failed = story.iter().find(|(_, data)| data["status"] == "failed").unwrap();
        failed.1["current_video"]["item_id"].as_str().unwrap().to_owned()
    };
    let retry = |job: &str| server.post(&format!("/api/v1/jobs/{job}/retry"), "");
    let first = fail("dQw4w9WgXcQ");
    let mut stream = watch(&server);
    let again = retry(&first).json()["jobId"].as_str().unwrap().to_owned();
    follow(&mut stream);
    let request =
        format!("DELETE /api/v1/jobs/{again} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    assert_eq!(server.send(&request).head.status, 204);
    let once_more = retry(&first);
    assert_eq!((once_more.head.status, &once_more.json()["jobId"]), (202, &json!(again)));
    follow(&mut stream);
    fail("aaaaaaaaaaa");
    fail("bbbbbbbbbbb");
    let forgotten = retry(&again);
    assert_eq!((forgotten.head.status, &forgotten.json()["code"]), (409, &json!("not_again")));
    // What somebody else has put in the queue is not taken for one of ours.
    let data = json!({"queueName": "summarize", "jobName": "summary", "data": {"vtt": "x"}});
    let theirs = server.post("/api/v1/queue/add", &data.to_string()).json();
    let job = theirs["jobId"].as_str().unwrap();
    let path = format!("/api/v1/jobs/{job}");
    while server.get(&path).json()["status"] != "failed" {
        std::thread::yield_now();
    }
    assert_eq!(retry(job).head.status, 202);
}

#[test]
fn without_yt_dlp_that_is_what_is_said() {
    let server = Server::start(&["--yt-dlp", "/nowhere/yt-dlp"]);
    let taken =
        submit(&server, &json!({"playlist": "https://www.youtube.com/playlist?list=PL1234"}));
    assert_eq!((taken.head.status, &taken.json()["code"]), (503, &json!("yt_dlp_missing")));
    assert_eq!(
        failure(&server, "dQw4w9WgXcQ"),
        "yt-dlp is not installed here, or not found (the setting yt_dlp says where it is)."
    );
    let old = Path::new(env!("CARGO_TARGET_TMPDIR")).join("old-yt-dlp");
    fs::write(&old, "#!/bin/sh\necho 2023.12.30\n").unwrap();
    fs::set_permissions(&old, Permissions::from_mode(0o755)).unwrap();
    let old = Server::start(&["--yt-dlp", old.to_str().unwrap()]);
    assert_eq!(
        failure(&old, "dQw4w9WgXcQ"),
        "yt-dlp is too old here (version \"2023.12.30\"); it must be from 2024 or later."
    );
    let off = Server::start(&["--yt-dlp", ""]);
    let taken = submit(&off, &json!({"videos": ["dQw4w9WgXcQ"]}));
    assert_eq!((taken.head.status, &taken.json()["code"]), (422, &json!("not_available")));
    assert_eq!(off.get("/api/v1/summaries/options").json()["videos"], false);
}
