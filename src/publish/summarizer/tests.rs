//! The whole way of a request, with an outlet that collects the events and an engine that can be held up.

mod pauses;
mod requests;
mod restart;

use std::path::Path;

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};

use super::engine::{Engine, EngineError, KeySentence, Summary, Unwritten, Usage, Watch, Written};
use super::request::SummaryRequest;
use super::talk::Talk;
use super::view::{BatchStatus, ItemStatus};
use super::*;
use crate::clock::ManualClock;
use crate::event::NewEvent;
use crate::event::topic::Topic;
use crate::hub::{self, Hub};
use crate::publish::processors::summarize::Summarize;
use crate::publish::queues::config::{ProcessorChoice, QueueConfig};
use crate::publish::queues::processor::Processor;
use crate::publish::queues::{self, Ground, Queues};
use crate::publish::{self, jobs};
use crate::store;
use crate::store::records::Records;

/// Nothing here takes long; a test that waits for this much has failed.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Says of each talk that it is there, when it is let.
#[derive(Debug)]
struct SlowEngine {
    begun: Sender<String>,
    /// Each message lets one talk be done; closed, all are.
    gate: Receiver<()>,
}

impl Engine for SlowEngine {
    fn model(&self) -> &'static str {
        "slow"
    }

    fn summarize(&self, talk: &Talk, watch: &mut Watch<'_>) -> Result<Written, Unwritten> {
        let _ = self.begun.send(talk.title.clone());
        let deadline = Instant::now() + TOO_LONG;
        while self
            .gate
            .recv_timeout(Duration::from_millis(1))
            .is_err_and(|error| error.is_timeout())
        {
            if watch(50).is_break() || Instant::now() > deadline {
                return Err(EngineError::Stopped.into());
            }
        }
        if talk.title.contains("unlucky") {
            let message = "it did not work".to_owned();
            let usage = Usage { requests: 1, prompt_tokens: 3, ..Usage::default() };
            let error = EngineError::Failed { message, is_retryable: false, retry_after: None };
            return Err(Unwritten { error, usage });
        }
        if talk.title.contains("haste") {
            let message = "not now".to_owned();
            let retry_after = Some(Duration::from_secs(600));
            return Err(EngineError::Failed { message, is_retryable: true, retry_after }.into());
        }
        let text = format!("{} was spoken of.", talk.title);
        let said = KeySentence { text, start: None, index: None, chapter: None };
        let summary = Summary { sentences: vec![said], ..Summary::default() };
        let usage = Usage { requests: 1, prompt_tokens: 10, ..Usage::default() };
        Ok(Written { summary, usage })
    }
}

/// A server's summaries, in memory or in a folder.
struct Bench {
    summarizer: Summarizer,
    queues: Queues,
    batches: Batches,
    jobs: Jobs,
    events: Receiver<NewEvent>,
    begun: Receiver<String>,
    gate: Option<Sender<()>>,
}

impl Bench {
    /// With the engine that is built in.
    fn new(limits: &Limits) -> Self {
        Self::open(None, limits, library::Limits::default(), false)
    }

    /// With one that waits to be let, one talk at a time.
    fn slow(limits: &Limits) -> Self {
        Self::open(None, &Limits { workers: 1, ..limits.clone() }, library::Limits::default(), true)
    }

    fn open(
        folder: Option<&Path>,
        limits: &Limits,
        library: library::Limits,
        is_slow: bool,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_705_314_600_000));
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let publisher = Publisher::new(hub, None, &publish::Limits::default(), clock.clone());
        let (records, found) = match folder {
            None => (Records::in_memory().unwrap(), Vec::new()),
            Some(folder) => Records::open(folder, &store::Limits::default(), &*clock).unwrap(),
        };
        let job_limits = jobs::Limits::default();
        let jobs =
            Jobs::start(publisher.clone(), records.clone(), &found, job_limits, 0, clock.clone());
        let jobs = jobs.unwrap();
        let (begins, begun) = unbounded();
        let (gate, waits) = unbounded();
        let engine = Arc::new(SlowEngine { begun: begins, gate: waits });
        let engines = if is_slow {
            Engines::of(vec![engine])
        } else {
            Engines::built_in(textrank::Length::default())
        };
        let library = Library::open(folder, library, clock.clone()).unwrap();
        let videos = Videos::off(clock.clone());
        let tools = Tools::new(library, engines, videos, (&jobs, &found), limits, clock.clone());
        let queue: Identifier = QUEUE.parse().unwrap();
        let config = QueueConfig {
            processor: ProcessorChoice::BuiltIn(QUEUE.into()),
            concurrency: limits.workers,
            max_waiting_jobs: limits.queue_items,
            ..QueueConfig::named(queue.clone())
        };
        let processor: Arc<dyn Processor> = Arc::new(Summarize::new(&tools));
        let ground = Ground { jobs: jobs.clone(), publisher, records, clock };
        let queues = Queues::start(
            ground.clone(),
            vec![config],
            [(queue, processor)].into(),
            &found,
            queues::Limits::default(),
        );
        let queues = queues.unwrap();
        let batches = Batches::start(ground, queues.clone(), &found, batches::Limits::default());
        let batches = batches.unwrap();
        let (sender, events) = unbounded();
        let outlet = move |event| {
            // A test may have seen enough.
            let _ = sender.send(event);
            Ok(())
        };
        let summarizer = Summarizer::with_outlet(&tools, batches.clone(), Box::new(outlet));
        let summarizer = summarizer.unwrap();
        Self { summarizer, queues, batches, jobs, events, begun, gate: Some(gate) }
    }

    fn submit(&self, session: &str, request: Value) -> Result<Accepted, SubmitError> {
        let request: SummaryRequest = serde_json::from_value(request).unwrap();
        self.summarizer.submit(id(session), request, &|| false)
    }

    /// Lets the next talk be done.
    fn let_one(&self) {
        self.gate.as_ref().unwrap().send(()).unwrap();
    }

    /// Lets all be done from now on.
    fn let_all(&mut self) {
        self.gate = None;
    }

    /// Waits until a talk is being summarized; its title.
    fn begun(&self) -> String {
        self.begun.recv_timeout(TOO_LONG).expect("a talk")
    }

    fn next(&self) -> NewEvent {
        self.events.recv_timeout(TOO_LONG).expect("an event")
    }

    /// Waits for an event that has this value in this member.
    fn until(&self, member: &str, value: &str) -> NewEvent {
        loop {
            let event = self.next();
            if json_of(&event)[member] == value {
                return event;
            }
        }
    }

    /// All events up to the end of a batch, as `name status progress/total`, without repeats.
    fn story(&self) -> Vec<String> {
        let mut story: Vec<String> = Vec::new();
        loop {
            let event = self.next();
            let data = json_of(&event);
            let word = ["status", "source", "cache"].map(|member| data[member].as_str());
            let status = word.into_iter().flatten().next().unwrap_or_default();
            let progress = match event.name.as_str() {
                "summary_progress" => format!(" {}/{}", data["progress"], data["total"]),
                _ => String::new(),
            };
            let line = format!("{} {status}{progress}", event.name);
            if story.last() != Some(&line) {
                story.push(line);
            }
            if ["completed", "cancelled"].contains(&status) {
                return story;
            }
        }
    }

    /// As the server stops.
    fn stop(&self) {
        self.stop_working();
        self.close();
    }

    fn stop_working(&self) {
        assert!(self.queues.stop(TOO_LONG));
        assert!(self.summarizer.stop(TOO_LONG));
    }

    fn close(&self) {
        self.batches.stop();
        self.jobs.stop();
        self.jobs.records().close().unwrap();
    }
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

fn json_of(event: &NewEvent) -> Value {
    serde_json::from_str(event.data.as_str()).unwrap()
}

fn talk(word: &str) -> Value {
    let text = format!("The {word} is here. We like the {word} a lot. Nobody knows why it is so.");
    json!({"title": format!("On {word}"), "text": text})
}

fn talks(words: &[&str]) -> Value {
    json!({"transcripts": words.iter().map(|word| talk(word)).collect::<Vec<_>>()})
}
