//! The sections `[queue.NAME]` of the settings file: what was typed there, and what it means.
//!
//! They exist in the file only: a flag or a variable has one value, and there are many queues. Relative
//! paths are relative to the file's directory, so that a file works from wherever it is read.

mod keys;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use self::keys::{COMMAND, ENVIRONMENT, OF_ALL, OF_COMMANDS, PROCESSOR};
use super::mistake::{Mistake, nearest_of};
use super::report;
use super::setting::Key;
use super::table;
use super::typed::{Entry, Origin, Raw};
use crate::event::topic::Identifier;
use crate::publish::queues::config::{
    CommandConfig, CommandLimits, Environment, JOB_VARIABLES, ProcessorChoice, QueueConfig,
};

/// The key under which the sections stand.
pub(super) const SECTION: &str = "queue";

/// A section, with where each of its values came from.
#[derive(Debug)]
pub(super) struct Queue {
    draft: Draft,
    origin: Origin,
    origins: BTreeMap<&'static str, Origin>,
}

/// What becomes of a section: the fields that its keys go to.
#[derive(Debug, Clone)]
struct Draft {
    config: QueueConfig,
    command: Vec<String>,
    processor: String,
    working_directory: PathBuf,
    environment: Environment,
    limits: CommandLimits,
}

impl Draft {
    fn named(name: Identifier) -> Self {
        Self {
            config: QueueConfig::named(name),
            command: Vec::new(),
            processor: String::new(),
            working_directory: PathBuf::new(),
            environment: Environment::default(),
            limits: CommandLimits::default(),
        }
    }
}

/// What the sections mean for commands that are started with `inherited` in their environment, and
/// all that is wrong with them.
pub(super) fn read(
    sections: Entry,
    directory: &Path,
    inherited: &Environment,
) -> (Vec<Queue>, Vec<Mistake>) {
    let Raw::Table(sections) = sections.raw else {
        let expected = "a section for each queue, such as [queue.emails]";
        return (Vec::new(), vec![wrong(&sections, SECTION.into(), expected.into())]);
    };
    let (mut queues, mut mistakes) = (Vec::new(), Vec::new());
    for section in sections {
        match Queue::begin(&section, inherited) {
            Ok((mut queue, entries)) => {
                let earlier = mistakes.len();
                mistakes.extend(entries.into_iter().filter_map(|entry| queue.put(entry).err()));
                queue.settle(directory);
                if mistakes.len() == earlier {
                    mistakes.extend(queue.contradictions());
                }
                queues.push(queue);
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    (queues, mistakes)
}

impl Queue {
    fn begin(section: &Entry, inherited: &Environment) -> Result<(Self, Vec<Entry>), Mistake> {
        let Raw::Table(entries) = &section.raw else {
            let name = format!("{SECTION}.{}", section.key);
            return Err(wrong(section, name, format!("a section, [{SECTION}.{}]", section.key)));
        };
        let name: Identifier = section.key.parse().map_err(|_| Mistake::Value {
            origin: section.origin.clone(),
            name: "a queue's name".into(),
            expected: "1 to 128 of A-Z a-z 0-9 _ . : @ -".into(),
            found: format!("{:?}", section.key),
        })?;
        let draft = Draft { environment: inherited.clone(), ..Draft::named(name) };
        let origin = section.origin.clone();
        Ok((Self { draft, origin, origins: BTreeMap::new() }, entries.clone()))
    }

    /// Puts one key's value into its field.
    fn put(&mut self, entry: Entry) -> Result<(), Mistake> {
        let known = self.put_known(&entry)?;
        self.origins.insert(known, entry.origin);
        Ok(())
    }

    fn put_known(&mut self, entry: &Entry) -> Result<&'static str, Mistake> {
        if entry.key == ENVIRONMENT {
            self.put_environment(entry)?;
            return Ok(ENVIRONMENT);
        }
        let key = keys().find(|key| key.name == entry.key);
        let key = key.ok_or_else(|| self.unknown(entry))?;
        let put = key.place.put(&entry.raw, &mut self.draft);
        put.map_err(|expected| wrong(entry, self.path(key.name), expected))?;
        Ok(key.name)
    }

    fn put_environment(&mut self, entry: &Entry) -> Result<(), Mistake> {
        let Raw::Table(variables) = &entry.raw else {
            let expected = "a table of texts, such as { LANG = \"C.UTF-8\" }".into();
            return Err(wrong(entry, self.path(ENVIRONMENT), expected));
        };
        for variable in variables {
            self.put_variable(variable)?;
        }
        Ok(())
    }

    fn put_variable(&mut self, variable: &Entry) -> Result<(), Mistake> {
        let name = self.path(&format!("{ENVIRONMENT}.{}", variable.key));
        let what = |what: String| {
            let what = format!("{name}: {what}");
            Mistake::Section { origin: variable.origin.clone(), what }
        };
        if JOB_VARIABLES.contains(&variable.key.as_str()) {
            return Err(what("says which job it is and is set for each".into()));
        }
        let Raw::Text(value) = &variable.raw else {
            return Err(wrong(variable, name, "a text".into()));
        };
        let set = self.draft.environment.set(&variable.key, value);
        set.map_err(|invalid| what(invalid.to_string()))
    }

    /// Makes a path that is relative to the file's directory one that is relative to nothing.
    fn settle(&mut self, directory: &Path) {
        let typed = &self.draft.working_directory;
        let is_said = !typed.as_os_str().is_empty();
        self.draft.working_directory =
            if is_said { directory.join(typed) } else { directory.to_owned() };
    }

    /// What is right key by key and not together.
    fn contradictions(&self) -> Vec<Mistake> {
        let given = |name: &str| self.origins.get(name);
        let mut found = Vec::new();
        let mut section = |origin: &Origin, what: String| {
            found.push(Mistake::Section { origin: origin.clone(), what });
        };
        if let (Some(origin), true) = (given(PROCESSOR.name), self.has_command()) {
            let name = &self.draft.config.name;
            section(origin, format!("{SECTION}.{name} has a command and a processor; take one"));
        }
        let of_commands = OF_COMMANDS.iter().map(|key| key.name).chain([ENVIRONMENT]);
        for (name, origin) in of_commands.filter_map(|name| Some((name, given(name)?))) {
            if !self.has_command() {
                section(origin, format!("{} says nothing without a command", self.path(name)));
            }
        }
        if let (Some(origin), None) = (given("rate_limit_seconds"), given("rate_limit_jobs")) {
            let name = self.path("rate_limit_seconds");
            section(origin, format!("{name} says nothing without rate_limit_jobs"));
        }
        found
    }

    fn has_command(&self) -> bool {
        !self.draft.command.is_empty()
    }

    fn unknown(&self, entry: &Entry) -> Mistake {
        let names = keys().map(|key| key.name).chain([ENVIRONMENT]);
        let suggestion = if table::find(&entry.key).is_some() {
            // In TOML everything below a section's head belongs to it.
            Some(format!("{}, above the first section", entry.key))
        } else {
            nearest_of(&entry.key, names).map(str::to_owned)
        };
        let name = self.path(&entry.key);
        Mistake::Unknown { origin: entry.origin.clone(), name, suggestion }
    }

    /// A key as it would stand outside of its section.
    fn path(&self, key: &str) -> String {
        format!("{SECTION}.{}.{key}", self.draft.config.name)
    }

    /// What is in force.
    pub(super) fn config(&self) -> QueueConfig {
        let draft = self.draft.clone();
        let mut words = draft.command.into_iter();
        let processor = match words.next() {
            Some(program) => ProcessorChoice::Command(CommandConfig {
                program,
                arguments: words.collect(),
                working_directory: draft.working_directory,
                environment: draft.environment,
                limits: draft.limits,
            }),
            None if draft.processor.is_empty() => ProcessorChoice::Outside,
            None => ProcessorChoice::BuiltIn(draft.processor),
        };
        QueueConfig { processor, ..draft.config }
    }
}

/// The section as it would stand in the file, each line with where its value came from.
impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = toml_key(self.draft.config.name.as_str());
        report::line(f, &format!("[{SECTION}.{name}]"), &self.origin)?;
        let command = self.has_command();
        let processor = !self.draft.processor.is_empty();
        if !command && !processor {
            writeln!(f, "# no command and no processor: workers elsewhere take the jobs")?;
        }
        let who = [(command, &COMMAND), (processor, &PROCESSOR)];
        let who = who.into_iter().filter_map(|(is_given, key)| is_given.then_some(key));
        let of_commands = OF_COMMANDS.iter().filter(|_| command);
        for key in who.chain(OF_ALL).chain(of_commands) {
            let value = key.place.show(&self.draft);
            let origin = self.origins.get(key.name).unwrap_or(&Origin::Default);
            report::line(f, &format!("{} = {value}", key.name), origin)?;
        }
        if command {
            // The values may be secrets, and what is printed goes into reports.
            let names: Vec<_> =
                self.draft.environment.names().map(OsStr::to_string_lossy).collect();
            writeln!(f, "# environment, without its values: {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// The keys and what each does, for the help.
pub(super) fn help() -> String {
    let head = format!(
        "Queues are declared in the file only, each in a section [{SECTION}.NAME]; without a {} or a {}, \
         workers elsewhere take its jobs:",
        COMMAND.name, PROCESSOR.name
    );
    let defaults = Draft::named(Identifier::default_project());
    let lines = keys().map(|key| {
        let value = key.place.show(&defaults).replace('"', "");
        let default = if value.is_empty() || value == "[]" { "none" } else { &value };
        format!("  {}: {} [default: {default}]", key.name, key.help)
    });
    let variables = format!("  {ENVIRONMENT}: Variables for the command, {{ NAME = \"text\" }}");
    [head].into_iter().chain(lines).chain([variables]).collect::<Vec<_>>().join("\n")
}

fn keys() -> impl Iterator<Item = &'static Key<Draft>> {
    [&COMMAND, &PROCESSOR].into_iter().chain(OF_ALL).chain(OF_COMMANDS)
}

fn wrong(entry: &Entry, name: String, expected: String) -> Mistake {
    Mistake::Value { origin: entry.origin.clone(), name, expected, found: entry.raw.to_string() }
}

/// A name as a key: bare if TOML can read it so.
fn toml_key(name: &str) -> String {
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}
