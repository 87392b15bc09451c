//! `GET /openapi.json`: every path as OpenAPI 3.1 describes it.
//!
//! The source is `docs/openapi/`: a head with what all share, and for each family of paths a part with its
//! own schemas. What the document says is compared with the table of routes here, and with the server's
//! answers by `scripts/check-openapi`.

use serde_json::Value;

use crate::serve::assets::Asset;
use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// The files under `docs/openapi/`.
macro_rules! parts {
    ($($name:literal),* $(,)?) => {
        &[$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi/", $name))),*]
    };
}

/// The head first, and then the parts in the order in which the document has them.
static PARTS: &[&str] = parts![
    "head.json",
    "events.json",
    "jobs.json",
    "queues.json",
    "batches.json",
    "subscriptions.json",
    "summaries.json",
    "operation.json",
];

/// Answers with the document.
pub fn openapi(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(call.app.pages.openapi.respond(call.request).into())
}

/// The document, ready to be sent.
pub(super) fn asset() -> Asset {
    Asset::new("application/json", document().to_string().into_bytes())
}

fn document() -> Value {
    let mut document = Value::Null;
    for part in PARTS {
        // A test reads them all.
        merge(&mut document, serde_json::from_str(part).unwrap_or_default());
    }
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document
}

/// Adds a part's members to those that are there.
fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::routes;
    use std::collections::BTreeSet;

    /// The members of an object by name.
    fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    /// Every object inside of a value, and itself.
    fn objects<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        if value.is_object() {
            found.push(value);
        }
        members(value).for_each(|(_, inner)| objects(inner, found));
        value.as_array().into_iter().flatten().for_each(|inner| objects(inner, found));
    }

    fn refs(document: &Value) -> BTreeSet<&str> {
        let mut found = Vec::new();
        objects(document, &mut found);
        found.iter().filter_map(|object| object["$ref"].as_str()).collect()
    }

    /// `GET /a/{}` for each operation.
    fn documented(document: &Value) -> Vec<String> {
        let pattern = |path: &str| {
            let segments = path.split('/');
            let segment = |name| if str::starts_with(name, '{') { "{}" } else { name };
            segments.map(segment).collect::<Vec<_>>().join("/")
        };
        let operations = members(&document["paths"]).flat_map(|(path, item)| {
            let methods = members(item).filter(|(name, _)| *name != "parameters");
            methods.map(move |(name, _)| format!("{} {}", name.to_uppercase(), pattern(path)))
        });
        operations.collect()
    }

    #[test]
    fn each_part_is_json_and_says_nothing_that_another_says() {
        let parts: Vec<Value> =
            PARTS.iter().map(|part| serde_json::from_str(part).unwrap()).collect();
        let whole = document();
        for path in ["/paths", "/components/schemas", "/components/responses"] {
            let count = |value: &Value| value.pointer(path).map_or(0, |all| members(all).count());
            assert_eq!(parts.iter().map(count).sum::<usize>(), count(&whole), "{path}");
        }
        assert_eq!(whole["openapi"], "3.1.0");
        assert_eq!(whole["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = document();
        let documented = documented(&document);
        let expected: BTreeSet<_> = routes::listed().collect();
        let found: BTreeSet<_> = documented.iter().cloned().collect();
        assert_eq!(found.len(), documented.len(), "a path is there twice, by two names");
        let missing: Vec<_> = expected.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty(), "not in docs/openapi/: {missing:?}");
        assert!(unknown.is_empty(), "no routes: {unknown:?}");
    }

    #[test]
    fn what_is_referred_to_is_there_and_what_is_there_is_referred_to() {
        let document = document();
        let refs = refs(&document);
        for reference in &refs {
            let target = reference.strip_prefix('#').and_then(|path| document.pointer(path));
            assert!(target.is_some(), "{reference} leads nowhere");
        }
        for (kind, components) in members(&document["components"]) {
            for (name, _) in members(components) {
                let reference = format!("#/components/{kind}/{name}");
                assert!(refs.contains(reference.as_str()), "nobody refers to {reference}");
            }
        }
    }

    #[test]
    fn an_operation_has_a_name_of_its_own_and_each_parameter_of_its_path() {
        let document = document();
        let mut names = BTreeSet::new();
        for (path, item) in members(&document["paths"]) {
            let name = |parameter: &Value| -> String {
                let reference = parameter["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
                let parameter = reference.map_or(parameter, |at| document.pointer(at).unwrap());
                parameter["name"].as_str().unwrap().to_owned()
            };
            let in_path: Vec<_> =
                item["parameters"].as_array().into_iter().flatten().map(name).collect();
            let segments = path.split('/').filter_map(|name| name.strip_prefix('{'));
            let expected: Vec<_> = segments.map(|name| name.trim_end_matches('}')).collect();
            assert_eq!(in_path, expected, "{path}");
            for (method, operation) in members(item).filter(|(name, _)| *name != "parameters") {
                let id = operation["operationId"].as_str().unwrap();
                assert!(names.insert(id), "{method} {path}: there are two of {id}");
            }
        }
    }
}
