//! Models that want their questions put in another way; what they say is OpenAI's.

use super::*;

const LIMIT: &str = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#;
const TEMPERATURE: &str = r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#;

fn refusal(body: &str) -> String {
    answer("400 Bad Request", "", body)
}

/// The limit of each question, by both its names, and the temperature.
fn forms(model: &Model) -> Vec<[Option<f64>; 3]> {
    let names = ["max_tokens", "max_completion_tokens", "temperature"];
    model.asked().iter().map(|(_, body)| names.map(|name| body[name].as_f64())).collect()
}

const OLD: [Option<f64>; 3] = [Some(1_500.0), None, Some(0.2)];
const WITH_LIMIT: [Option<f64>; 3] = [None, Some(1_500.0), Some(0.2)];
const WITH_BOTH: [Option<f64>; 3] = [None, Some(1_500.0), None];

#[test]
fn what_a_model_does_not_take_is_left_out_from_then_on() {
    let model = Model::answering(vec![refusal(LIMIT), refusal(TEMPERATURE)]);
    // However few tries there are: these are none.
    let chat = chat(Limits { attempts: 1, ..model.limits() });
    let ask = || chat.summarize(&talk(3), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(ask().summary.overview.as_deref(), Some("Done."));
    assert_eq!(forms(&model), [OLD, WITH_LIMIT, WITH_BOTH]);
    ask();
    assert_eq!(forms(&model)[3..], [WITH_BOTH]);
}

#[test]
fn a_model_that_takes_neither_form_is_not_asked_for_ever() {
    let model = Model::answering(vec![refusal(LIMIT); 9]);
    let chat = chat(model.limits());
    let ask = || chat.summarize(&talk(3), &mut |_| ControlFlow::Continue(())).unwrap_err();
    let message = ask().to_string();
    assert!(
        message.starts_with("The model's server refuses the question (400): Unsupp"),
        "{message}"
    );
    assert_eq!(forms(&model), [OLD, WITH_LIMIT]);
    // What did not help is not remembered.
    ask();
    assert_eq!(forms(&model)[2..], [OLD, WITH_LIMIT]);
}
