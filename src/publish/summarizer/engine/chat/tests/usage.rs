//! What a server says that an answer took.

use super::*;

/// An answer with this count of tokens.
fn counted(usage: &str) -> String {
    let body =
        format!(r#"{{"choices":[{{"message":{{"content":"OVERVIEW: X."}}}}],"usage":{usage}}}"#);
    answer("200 OK", "Content-Type: application/json\r\n", &body)
}

#[test]
fn an_absurd_count_is_capped_and_its_sums_hold() {
    let most = r#"{"prompt_tokens":9223372036854775807,"completion_tokens":18446744073709551615}"#;
    let model = Model::answering(vec![counted(most); 9]);
    let limits = Limits {
        context_tokens: 2_600,
        max_answer_tokens: 500,
        prompt_price_micros: usize::MAX,
        answer_price_micros: usize::MAX,
        ..model.limits()
    };
    let Written { usage, .. } = summarize(limits, &talk(400)).unwrap();
    assert!(usage.requests > 2, "{usage:?}");
    let tokens = usage.requests * 1_000_000_000;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (tokens, tokens));
    // As much as the library's database can hold.
    assert!(i64::try_from(usage.cost_micros).is_ok(), "{usage:?}");
}

#[test]
fn a_server_that_does_not_count_is_counted_for() {
    for usage in ["null", r#"{"prompt_tokens":null}"#] {
        let model = Model::answering(vec![counted(usage)]);
        let written = summarize(model.limits(), &talk(3)).unwrap();
        assert!(written.usage.prompt_tokens > 100, "{usage}: {:?}", written.usage);
    }
}
