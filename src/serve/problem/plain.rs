//! What is wrong with a request's JSON, in words for people who do not know what we are written in.
//!
//! The parser's sentences are of a few forms, with the names of our types in them. What is of another form
//! (a check of our own) is left as it is.

/// The parser's sentence in plain words.
pub(super) fn plain(error: &str) -> String {
    let place = error.rfind(" at line ").unwrap_or(error.len());
    let (sentence, place) = error.split_at(place);
    let forms: [fn(&str) -> Option<String>; 6] =
        [missing, twice, unknown_field, unknown_word, wrong_kind, wrong_length];
    let plain = forms.iter().find_map(|form| form(sentence));
    plain.map_or_else(|| error.to_owned(), |plain| format!("{plain}{place}."))
}

/// The same of text that is no JSON.
pub(super) fn malformed(error: &str) -> String {
    error
        .replace("EOF while parsing a value", "it ends where a value is expected,")
        .replace("EOF while parsing", "it ends inside of")
}

fn missing(sentence: &str) -> Option<String> {
    let name = sentence.strip_prefix("missing field ")?;
    Some(format!("The field {name} is missing"))
}

fn twice(sentence: &str) -> Option<String> {
    let name = sentence.strip_prefix("duplicate field ")?;
    Some(format!("The field {name} is there more than once"))
}

fn unknown_field(sentence: &str) -> Option<String> {
    let (name, known) = sentence.strip_prefix("unknown field ")?.split_once(", expected ")?;
    let known = known.trim_start_matches("one of ");
    Some(format!("There is no field {name}; there are: {known}"))
}

fn unknown_word(sentence: &str) -> Option<String> {
    let (word, known) = sentence.strip_prefix("unknown variant ")?.split_once(", expected ")?;
    let known = known.trim_start_matches("one of ");
    Some(format!("It cannot be {word}, only one of these: {known}"))
}

fn wrong_kind(sentence: &str) -> Option<String> {
    let kinds = ["invalid type: ", "invalid value: "];
    let rest = kinds.iter().find_map(|form| sentence.strip_prefix(form))?;
    // What was found may be a text with anything in it; what was expected has no such words.
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some(format!("It must be {}, not {}", wanted(expected), given(found)))
}

fn wrong_length(sentence: &str) -> Option<String> {
    let (_, expected) = sentence.strip_prefix("invalid length ")?.split_once(", expected ")?;
    is_object(expected).then(|| "It must be an object, not a list".to_owned())
}

fn is_object(expected: &str) -> bool {
    expected == "a map"
        || expected == "map"
        || expected.starts_with("struct ")
        || expected.contains(" enum ")
}

fn wanted(expected: &str) -> String {
    let plain = match expected {
        _ if is_object(expected) => "an object",
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number that is not negative",
        other => other,
    };
    plain.to_owned()
}

fn given(found: &str) -> String {
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => {
            let kinds = ["integer ", "floating point ", "boolean "];
            let bare = kinds.iter().find_map(|kind| found.strip_prefix(kind));
            let text = || found.strip_prefix("string ").map(|text| format!("the text {text}"));
            bare.map(|bare| bare.replace('`', "")).or_else(text).unwrap_or_else(|| found.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read is looked at")]
    struct Order {
        name: String,
        count: u8,
        size: Option<u64>,
        price: Option<f64>,
        is_gift: Option<bool>,
        items: Option<Vec<Order>>,
        how: Option<How>,
        then: Option<Then>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum How {
        Fast,
        Slow,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only what cannot be read is looked at")]
    enum Then {
        Wait { ms: u64 },
    }

    fn check(json: &str, expected: &str) {
        let error = serde_json::from_str::<Order>(json).unwrap_err().to_string();
        assert_eq!(plain(&error), expected, "{error}");
    }

    #[test]
    fn every_form_is_put_plainly() {
        check("7", "It must be an object, not 7 at line 1 column 1.");
        check("[]", "It must be an object, not a list at line 1 column 2.");
        check("{}", "The field `name` is missing at line 1 column 2.");
        check(
            r#"{"name":"a","name":"b"}"#,
            "The field `name` is there more than once at line 1 column 18.",
        );
        check(r#"{"name":null}"#, "It must be a text, not null at line 1 column 12.");
        check(r#"{"name":true}"#, "It must be a text, not true at line 1 column 12.");
        check(r#"{"name":{}}"#, "It must be a text, not an object at line 1 column 8.");
        check(
            r#"{"count":256}"#,
            "It must be a whole number from 0 to 255, not 256 at line 1 column 12.",
        );
        check(
            r#"{"size":-1}"#,
            "It must be a whole number that is not negative, not -1 at line 1 column 10.",
        );
        check(
            r#"{"size":"1, expected u8"}"#,
            "It must be a whole number that is not negative, not the text \"1, expected u8\" at line 1 \
             column 24.",
        );
        check(r#"{"price":[]}"#, "It must be a number, not a list at line 1 column 9.");
        check(r#"{"is_gift":1.5}"#, "It must be true or false, not 1.5 at line 1 column 14.");
        check(r#"{"items":{}}"#, "It must be a list, not an object at line 1 column 9.");
        check(
            r#"{"how":"soon"}"#,
            "It cannot be `soon`, only one of these: `fast` or `slow` at line 1 column 13.",
        );
        check(r#"{"then":{}}"#, "The field `type` is missing at line 1 column 10.");
        check(
            r#"{"other":1}"#,
            "There is no field `other`; there are: `name`, `count`, `size`, `price`, `is_gift`, `items`, \
             `how`, `then` at line 1 column 8.",
        );
    }

    #[test]
    fn a_check_of_our_own_says_what_it_says() {
        assert_eq!(plain("a fault lasts a second"), "a fault lasts a second");
    }

    #[test]
    fn what_ends_too_early_is_said_to() {
        let check = |json: &str, expected: &str| {
            let error = serde_json::from_str::<serde_json::Value>(json).unwrap_err().to_string();
            assert_eq!(malformed(&error), expected);
        };
        check("", "it ends where a value is expected, at line 1 column 0");
        check("{", "it ends inside of an object at line 1 column 1");
        check("[1, ", "it ends where a value is expected, at line 1 column 4");
    }
}
