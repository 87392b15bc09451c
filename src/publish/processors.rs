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
use self::resume::ResumeAnalysis;
use self::summarize::Summarize;
use super::fetch::{self, Fetcher};
use super::queues::config::{BUILT_IN, ProcessorChoice, QueueConfig};
use super::queues::processor::Processor;
use super::summarizer;
use crate::clock::Clock;
use crate::event::topic::Identifier;

/// What processors are made with.
#[derive(Debug, Clone)]
pub struct Kit {
    /// For summaries.
    pub summaries: summarizer::Tools,
    /// For résumés.
    pub resumes: resume::Limits,
    /// For documents that are named by address.
    pub fetch: fetch::Limits,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// The queues of the settings, and those of the built-in processors that the settings say nothing of.
pub fn with_built_in(
    mut configs: Vec<QueueConfig>,
    summaries: &summarizer::Limits,
) -> Vec<QueueConfig> {
    for word in BUILT_IN {
        if configs.iter().all(|config| config.name.as_str() != word)
            && let Ok(name) = word.parse()
        {
            let processor = ProcessorChoice::BuiltIn(word.to_owned());
            let mut config = QueueConfig { processor, ..QueueConfig::named(name) };
            if word == summarizer::QUEUE {
                config.concurrency = summaries.workers.max(1);
                config.max_waiting_jobs = summaries.queue_items;
            }
            configs.push(config);
        }
    }
    configs
}

impl Kit {
    /// The processor of each queue that is worked on in this process.
    pub fn processors(&self, configs: &[QueueConfig]) -> HashMap<Identifier, Arc<dyn Processor>> {
        let made =
            configs.iter().filter_map(|config| Some((config.name.clone(), self.of(config)?)));
        made.collect()
    }

    fn of(&self, config: &QueueConfig) -> Option<Arc<dyn Processor>> {
        match &config.processor {
            ProcessorChoice::Outside => None,
            ProcessorChoice::Command(command) => {
                let clock = self.clock.clone();
                Some(Arc::new(Command::new(command.clone(), config.timeout, clock)))
            }
            ProcessorChoice::BuiltIn(word) => self.built_in(word),
        }
    }

    fn built_in(&self, word: &str) -> Option<Arc<dyn Processor>> {
        match word {
            summarizer::QUEUE => Some(Arc::new(Summarize::new(&self.summaries))),
            "resume-analysis" => {
                let fetcher = Fetcher::new(self.fetch.clone(), self.clock.clone());
                Some(Arc::new(ResumeAnalysis::new(self.resumes.clone(), fetcher)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
pub(in crate::publish) mod tests;
