//! The settings file: TOML, one key for each setting, no sections.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, nearest};
use super::table;
use super::typed::{Given, Origin, Raw};

/// What the file says, in the order of its lines.
pub(super) fn given(path: &Path, text: &str) -> Vec<Result<Given, Mistake>> {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(e) => {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            let what = e.message().to_owned();
            return vec![Err(Mistake::Syntax { origin: origin(path, line), what })];
        }
    };
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let given = entries.into_iter().map(|(key, value)| {
        let origin = origin(path, line_of(text, key.span().start));
        match table::find(key.get_ref()) {
            Some(setting) => Ok(Given { setting, raw: raw(value.get_ref()), origin }),
            None => Err(unknown(key.get_ref(), origin)),
        }
    });
    given.collect()
}

fn origin(path: &Path, line: usize) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn unknown(key: &str, origin: Origin) -> Mistake {
    let suggestion = nearest(key).map(|setting| setting.name.to_owned());
    Mistake::Unknown { origin, name: key.to_owned(), suggestion }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            Raw::Whole(u64::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map_or(Raw::Other("array"), Raw::List)
        }
        other => Raw::Other(other.type_str()),
    }
}
