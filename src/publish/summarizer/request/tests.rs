//! What is wrong with a request, and in which words it is said.

use super::*;
use crate::publish::summarizer::{Tools, library};

fn plan(json: &str) -> Result<Plan, InvalidRequest> {
    let limits =
        Limits { max_items: 3, max_transcripts: 2, max_transcript_bytes: 100, ..Limits::default() };
    let library = library::Limits { max_upload_bytes: 150, ..library::Limits::default() };
    let tools = Tools::with_videos(&limits, library);
    serde_json::from_str::<SummaryRequest>(json).unwrap().check(&tools.workshop())
}

fn check_title(item: &str, expected: &str) {
    let plan = plan(&format!(r#"{{"transcripts":[{item}]}}"#)).unwrap();
    assert_eq!(plan.transcripts[0].title, expected);
}

fn check_error(json: &str, field: &str, message: &str) {
    let error = plan(json).unwrap_err();
    assert_eq!((error.field().as_str(), error.to_string().as_str()), (field, message));
}

#[test]
fn a_title_is_what_was_said_or_the_file_or_the_first_words() {
    check_title(r#"{"title":" My\n talk ","file_name":"x.vtt","text":"Hi"}"#, "My talk");
    check_title(r#"{"title":" ","file_name":"C:\\talks\\monday.en.vtt","text":"Hi"}"#, "monday.en");
    check_title(
        r#"{"text":"We the people\nof the United States, in Order"}"#,
        "We the people of the United States, in…",
    );
    check_title(
        r#"{"vtt":"WEBVTT\n\n00:01.000 --> 00:02.000\n<b>Hello</b> there"}"#,
        "Hello there",
    );
    check_title(r#"{"vtt":"no captions"}"#, "Transcript 1");
}

#[test]
fn a_long_title_is_cut() {
    let long = "ä".repeat(300);
    let title = title(Some(&long)).unwrap();
    assert_eq!((title.chars().count(), title.ends_with("ä…")), (200, true));
}

#[test]
fn an_error_names_the_field_and_what_would_be_right() {
    check_error("{}", "transcripts", "send at least one of videos, playlist and transcripts");
    check_error(
        r#"{"videos":["dQw4w9WgXcQ","nonsense"]}"#,
        "videos[1]",
        "videos[1]: \"nonsense\" is neither the address of a video nor a YouTube id (11 of A-Z a-z \
         0-9 _ -)",
    );
    check_error(
        r#"{"videos":["https://example.com/v"]}"#,
        "videos[0]",
        "videos[0]: the host example.com is not among those that may be asked (video_hosts).",
    );
    check_error(
        r#"{"playlist":"youtu.be/dQw4w9WgXcQ"}"#,
        "playlist",
        "playlist: \"youtu.be/dQw4w9WgXcQ\" is not the address of a playlist; a video belongs into \
         `videos`",
    );
    check_error(
        r#"{"videos":["aaaaaaaaaaa","bbbbbbbbbbb","ccccccccccc","ddddddddddd"]}"#,
        "videos",
        "4 talks are too many, send at most 3",
    );
    check_error(
        r#"{"language":"english","videos":["dQw4w9WgXcQ"]}"#,
        "language",
        r#"language: "english" is no language; a language looks like en or pt-BR"#,
    );
    check_error(
        r#"{"model":"gpt-4o","transcripts":[{"text":"Hi"}]}"#,
        "model",
        r#"model: there is no "gpt-4o"; available: extractive"#,
    );
    for both in [r#"{"title":"x"}"#, r#"{"text":"a","vtt":"b"}"#] {
        check_error(
            &format!(r#"{{"transcripts":[{{"text":"Hi"}},{both}]}}"#),
            "transcripts[1]",
            "transcripts[1]: send exactly one of text, vtt and srt",
        );
    }
    check_error(
        r#"{"transcripts":[{"srt":" \n"}]}"#,
        "transcripts[0].srt",
        "transcripts[0].srt: there is nothing in it",
    );
}

#[test]
fn sizes_have_limits() {
    let item = |bytes: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
    let request = |items: &[String]| format!(r#"{{"transcripts":[{}]}}"#, items.join(","));
    assert!(plan(&request(&[item(100), item(50)])).is_ok());
    check_error(
        &request(&[item(1), item(101)]),
        "transcripts[1].text",
        "transcripts[1].text: 101 bytes are too many, the limit is 100",
    );
    check_error(
        &request(&[item(100), item(51)]),
        "transcripts",
        "transcripts: 151 bytes in all are too many, the limit is 150",
    );
    check_error(
        &request(&[item(1), item(1), item(1)]),
        "transcripts",
        "transcripts: 3 are too many, send at most 2",
    );
}

#[test]
fn a_misspelt_field_is_no_request() {
    assert!(serde_json::from_str::<SummaryRequest>(r#"{"transcript":[]}"#).is_err());
    assert!(serde_json::from_str::<SummaryRequest>(r#"{"transcripts":[{"txt":""}]}"#).is_err());
}
