//! What a server says instead of an answer, and what everyone may see of that.

use super::*;

/// The server knows the key, and says it whenever it can.
fn check(status: &str, headers: &str, body: &str, expected: &str) {
    let model = Model::answering(vec![answer(status, headers, &body.replace("KEY", KEY))]);
    let (message, is_retryable) = failure(model.limits());
    assert_eq!(message, expected);
    assert!(!is_retryable && model.asked().len() == 1, "{status}");
}

#[test]
fn what_does_not_pass_is_said_once_and_never_with_the_key() {
    let no = r#"{"error":{"message":"Incorrect API key provided: KEY.","code":"invalid_api_key"}}"#;
    let not_in = "The model's server does not let us in (openai_api_key)";
    check("401 Unauthorized", "", no, &format!("{not_in}: Incorrect API key provided: ***."));
    check("403 Forbidden", "", "Bearer KEY\n", &format!("{not_in}: Bearer ***"));
    let escaped =
        format!(r#"{{"detail":"no {}"}}"#, KEY.replace('/', r"\/").replace('+', r"\u002b"));
    check("403 Forbidden", "", &escaped, &format!(r#"{not_in}: {{"detail":"no ***"}}"#));
    check(
        "404 Not Found",
        "",
        r#"{"error":"no model for 'KEY'"}"#,
        "The model's server does not know the model or the address: no model for '***'",
    );
    check(
        "302 Found",
        "Location: http://127.0.0.1:1/KEY\r\n",
        "KEY",
        "The model's server sends us elsewhere; openai_base_url must be where it is.",
    );
    let spent = r#"{"error":{"message":"KEY has no quota","code":"insufficient_quota"}}"#;
    check(
        "429 Too Many Requests",
        "",
        spent,
        "The model's server wants to be paid first: *** has no quota",
    );
    assert_eq!(format!("{:?}", Secret::new(KEY)), "***");
}

#[test]
fn the_key_is_not_cut_so_that_nobody_knows_it_any_more() {
    let long = format!("{}KEY{}", "x ".repeat(148), "y".repeat(9_999));
    let expected =
        format!("The model's server refuses the question (400): {}***", "x ".repeat(148));
    check("400 Bad Request", "", &long, &expected);
    let long = "x".repeat(9_999);
    let expected = format!("The model's server refuses the question (400): {}", "x".repeat(300));
    check("400 Bad Request", "", &long, &expected);
}

#[test]
fn nor_is_the_key_in_what_may_pass() {
    let json = "Content-Type: application/json\r\n";
    let stream = "Content-Type: text/event-stream\r\n";
    for (status, headers, body, expected) in [
        ("500 Oops", "", "KEY\n\tKEY", "The model's server cannot answer now (500): ***  ***"),
        (
            "200 OK",
            json,
            r#"{"error":{"message":"KEY is\nbusy"}}"#,
            "The model's answer: *** is busy",
        ),
        ("200 OK", stream, "data: {\"error\":\"no KEY\"}\n\n", "The model's answer: no ***"),
        (
            "200 OK",
            json,
            r#"{"choices":"KEY"}"#,
            "The model's answer: it is no chat completion: invalid type: string \"***\", expected \
             a sequence at line 1 column 31",
        ),
    ] {
        let model = Model::answering(vec![answer(
            status,
            &headers.replace("KEY", KEY),
            &body.replace("KEY", KEY),
        )]);
        let (message, is_retryable) = failure(Limits { attempts: 1, ..model.limits() });
        assert_eq!(message, expected);
        assert!(is_retryable, "{message}");
    }
}
