//! How the program tells what it does: lines on standard error, for people or for machines.
//!
//! A log call is a sentence with fields (`log::info!(address:%; "…")`); both formats keep the fields.

use std::collections::BTreeMap;
use std::io::{self, Write};

use env_logger::Builder;
use log::Record;
use log::kv::{self, Key, Value, VisitSource};
use tidings::settings::{Log, LogFormat};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Starts logging. Once in the life of the process.
pub(crate) fn start(log: &Log) {
    let mut builder = Builder::new();
    builder.parse_filters(&log.filter);
    match log.format {
        LogFormat::Text => builder.format_timestamp_millis(),
        LogFormat::Json => builder.format(write_json),
    };
    builder.init();
}

/// One line: `time`, `level`, `target`, `message`, and the record's own fields under `fields`.
fn write_json(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let mut fields = Fields::default();
    // Fields that cannot be read are left out rather than losing the line.
    let _ = record.key_values().visit(&mut fields);
    let line = serde_json::json!({
        "time": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        "level": record.level().as_str(),
        "target": record.target(),
        "message": record.args().to_string(),
        "fields": fields.0,
    });
    writeln!(out, "{line}")
}

#[derive(Default)]
struct Fields(BTreeMap<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = if let Some(number) = value.to_u64() {
            number.into()
        } else if let Some(number) = value.to_i64() {
            number.into()
        } else if let Some(flag) = value.to_bool() {
            flag.into()
        } else {
            value.to_string().into()
        };
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_holds_the_sentence_and_the_fields() {
        let fields = [("count", Value::from(3)), ("who", Value::from("a \"b\"\n"))];
        let record = Record::builder()
            .args(format_args!("two\nlines"))
            .level(log::Level::Warn)
            .target("tidings::hub")
            .key_values(&fields)
            .build();
        let mut out = Vec::new();
        write_json(&mut out, &record).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "two\nlines");
        assert_eq!(line["fields"], serde_json::json!({"count": 3, "who": "a \"b\"\n"}));
    }
}
