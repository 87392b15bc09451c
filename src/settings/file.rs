//! The settings file: TOML, one key for each setting, and a section for each queue.

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::mistake::{Mistake, nearest, nearest_of};
use super::queues;
use super::table;
use super::typed::{Entry, Given, Origin, Raw};

/// What stands in the file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The settings, in the order of their lines.
    pub(super) given: Vec<Result<Given, Mistake>>,
    /// What stands under `queue`, if anything does.
    pub(super) queues: Option<Entry>,
}

impl Contents {
    /// What stands in a file that is nothing but a mistake.
    fn mistaken(mistake: Mistake) -> Self {
        Self { given: vec![Err(mistake)], queues: None }
    }

    /// Nothing but the reason why it cannot be read.
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::mistaken(Mistake::Unreadable { path: path.to_owned(), source })
    }
}

/// Takes the file's text apart.
pub(super) fn contents(path: &Path, text: &str) -> Contents {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(e) => {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            let what = e.message().to_owned();
            return Contents::mistaken(Mistake::Syntax { origin: origin(path, line), what });
        }
    };
    let (queues, settings): (Vec<_>, Vec<_>) =
        entries(&table, &|offset| origin(path, line_of(text, offset)))
            .into_iter()
            .partition(|entry| entry.key == queues::SECTION);
    Contents { given: settings.into_iter().map(given).collect(), queues: queues.into_iter().next() }
}

fn given(entry: Entry) -> Result<Given, Mistake> {
    let Entry { key, raw, origin } = entry;
    match table::find(&key) {
        Some(setting) => Ok(Given { setting, raw, origin }),
        None => Err(unknown(key, origin)),
    }
}

/// A table's keys in the order of their lines, each with its origin, which follows from its offset.
fn entries(table: &DeTable<'_>, origin_at: &dyn Fn(usize) -> Origin) -> Vec<Entry> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        raw: raw(value.get_ref(), origin_at),
        origin: origin_at(key.span().start),
    };
    entries.into_iter().map(entry).collect()
}

fn origin(path: &Path, line: usize) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn unknown(name: String, origin: Origin) -> Mistake {
    let section = format!("[{}.NAME]", queues::SECTION);
    let suggestion = if nearest_of(&name, [queues::SECTION]).is_some() {
        Some(section)
    } else {
        nearest(&name).map(|setting| setting.name.to_owned())
    };
    Mistake::Unknown { origin, name, suggestion }
}

fn raw(value: &DeValue<'_>, origin_at: &dyn Fn(usize) -> Origin) -> Raw {
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
        DeValue::Table(table) => Raw::Table(entries(table, origin_at)),
        other => Raw::Other(other.type_str()),
    }
}
