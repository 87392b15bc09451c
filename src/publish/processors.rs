//! What does queues' jobs: the processors that are built in, and outside commands.

// Any program outside: the job on its standard input, its progress on its standard output.
pub mod command;

// What a résumé says.
pub mod resume;

// A talk's key sentences.
pub mod summarize;

use std::collections::HashMap;
use std::sync::Arc;

use self::command::Command;
use self::summarize::Summarize;
use super::queues::config::{BUILT_IN, ProcessorChoice, QueueConfig};
use super::queues::processor::Processor;
use super::summarizer;
use crate::clock::Clock;
use crate::event::topic::Identifier;

/// The queues of the settings, and those of the built-in processors that the settings say nothing of.
pub fn with_built_in(mut configs: Vec<QueueConfig>) -> Vec<QueueConfig> {
    // The other one is on its way.
    for word in BUILT_IN.into_iter().filter(|word| *word == "summarize") {
        if configs.iter().all(|config| config.name.as_str() != word)
            && let Ok(name) = word.parse()
        {
            let processor = ProcessorChoice::BuiltIn(word.to_owned());
            configs.push(QueueConfig { processor, ..QueueConfig::named(name) });
        }
    }
    configs
}

/// The processor of each queue that is worked on in this process.
pub fn of_queues(
    configs: &[QueueConfig],
    summaries: &summarizer::Limits,
    clock: &Arc<dyn Clock>,
) -> HashMap<Identifier, Arc<dyn Processor>> {
    let made = configs
        .iter()
        .filter_map(|config| Some((config.name.clone(), of(config, summaries, clock)?)));
    made.collect()
}

fn of(
    config: &QueueConfig,
    summaries: &summarizer::Limits,
    clock: &Arc<dyn Clock>,
) -> Option<Arc<dyn Processor>> {
    match &config.processor {
        ProcessorChoice::BuiltIn(word) if word == "summarize" => {
            let max_bytes = summaries.max_transcript_bytes;
            Some(Arc::new(Summarize::new(summaries.length, max_bytes)))
        }
        ProcessorChoice::Command(command) => {
            Some(Arc::new(Command::new(command.clone(), config.timeout, clock.clone())))
        }
        ProcessorChoice::BuiltIn(_) | ProcessorChoice::Outside => None,
    }
}

#[cfg(test)]
mod tests;
