//! `tidings summarize`: talks to a server, its progress on the terminal, and the summaries it makes.
//!
//! The stream is followed before anything is submitted, so that no progress is missed; after a break, and
//! when nothing was heard for a while, the batch is asked for itself.

// What a summary looks like.
mod page;

// What happens meanwhile, for people.
mod progress;

// The server's side: requests and what is answered.
mod server;

// What is to be summarized: files, addresses, ids.
mod sources;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::progress::Display;
use self::server::{Batch, Complete, NoAnswer, Progress, Server};
use super::Failure;
use super::follower::{Follower, News};
use super::http::Address;
use super::terminal::{Paint, print, shown_json};
use crate::event::parser::ReceivedEvent;
use crate::shutdown::Shutdown;

/// What to summarize, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The server.
    pub server: Address,
    /// Files, addresses and ids, as they were typed; `-` is standard input.
    pub sources: Vec<String>,
    /// A playlist's address.
    pub playlist: Option<String>,
    /// What makes the summaries; the server's default if absent.
    pub model: Option<String>,
    /// The language that captions are wanted in.
    pub language: Option<String>,
    /// Makes everything anew.
    pub refresh: bool,
    /// How summaries are printed.
    pub form: Form,
    /// Whether a terminal is to show colours.
    pub colours: bool,
}

/// How summaries are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// Documents to keep.
    Markdown,
    /// One object to a line, for programs; then nothing is shown meanwhile.
    Json,
}

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// After so long without a word the batch is asked for.
const QUIET: Duration = Duration::from_secs(10);

/// Summarizes everything and prints what came of it, in the order in which it was asked for. Fails if
/// something could not be summarized, or if told to stop: then what is not done is cancelled.
pub fn summarize(options: &Options, stop: &Shutdown) -> Result<(), Failure> {
    let request = sources::request(options)?;
    let server = Server::new(&options.server);
    let mut follower = server.follow();
    await_stream(&mut follower, stop)?;
    let batch = server.submit(request, stop)?;
    let display = Display::new(options.form == Form::Json, batch.items.len());
    let mut work = Work::new(options, &server, &display, batch);
    let outcome = work.watch(&mut follower, stop);
    display.close();
    match work.print() {
        // Whoever read the output has seen enough and hung up.
        Err(Failure::File { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    outcome?;
    work.judge()
}

/// Waits until there is a stream; whatever keeps it from being one would keep everything else too.
fn await_stream(follower: &mut Follower, stop: &Shutdown) -> Result<(), Failure> {
    loop {
        match follower.next(LOOK)? {
            Some(News::Opened) => return Ok(()),
            Some(News::Lost { why, .. }) => {
                return Err(super::failed(follower.url(), why));
            }
            Some(News::Over) => {
                return Err(super::failed(follower.url(), "there is no stream".to_owned()));
            }
            _ if stop.is_triggered() => return Err(stopped()),
            _ => {}
        }
    }
}

fn stopped() -> Failure {
    Failure::Input("stopped before anything was asked for".to_owned())
}

/// A batch that is being done.
struct Work<'a> {
    options: &'a Options,
    server: &'a Server,
    display: &'a Display,
    batch_id: String,
    talks: Vec<Talk>,
    is_cancelled: bool,
}

/// One thing to summarize.
#[derive(Debug)]
struct Talk {
    id: String,
    title: String,
    end: Option<End>,
}

/// What became of it.
#[derive(Debug)]
enum End {
    /// As it is to be printed.
    Summary(String),
    Failed(String),
    Cancelled,
}

impl<'a> Work<'a> {
    fn new(options: &'a Options, server: &'a Server, display: &'a Display, batch: Batch) -> Self {
        let talk = |item: server::Item| Talk { id: item.id, title: item.title, end: None };
        let talks = batch.items.into_iter().map(talk).collect();
        Self { options, server, display, batch_id: batch.batch_id, talks, is_cancelled: false }
    }

    /// Hears how it goes until everything has ended.
    fn watch(&mut self, follower: &mut Follower, stop: &Shutdown) -> Result<(), Failure> {
        let mut heard = Instant::now();
        while self.talks.iter().any(|talk| talk.end.is_none()) {
            if stop.is_triggered() {
                return self.cancel();
            }
            let must_ask = match follower.next(LOOK)? {
                Some(News::Event(event)) if event.name == "gap" => true,
                Some(News::Event(event)) => {
                    if self.hear(&event) {
                        heard = Instant::now();
                    }
                    false
                }
                // Once more: something may have been missed.
                Some(News::Opened) => true,
                Some(News::Lost { why, retry_in, .. }) => {
                    self.display.note(&format!("{why}; connecting again in {retry_in:.1?}"));
                    false
                }
                Some(News::Over) => {
                    stop.wait_for(LOOK);
                    false
                }
                None => false,
            };
            if must_ask || heard.elapsed() > QUIET {
                heard = Instant::now();
                // While there is no answer, the stream is not there either, and is waited for.
                match self.server.batch(&self.batch_id) {
                    Ok(batch) => self.compare(batch),
                    Err(failure) if failure.is_for_good => return Err(failure.failure),
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Takes an event; whether it was about this batch.
    fn hear(&mut self, event: &ReceivedEvent) -> bool {
        match event.name.as_str() {
            "summary_progress" => match serde_json::from_str::<Progress>(&event.data) {
                Ok(progress) if progress.batch_id == self.batch_id => self.take(progress),
                _ => return false,
            },
            "summary_complete" => match serde_json::from_str::<Complete>(&event.data) {
                Ok(done) if done.batch_id == self.batch_id => {
                    self.finish(&done.summary_id, Some(done.title));
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    fn take(&mut self, progress: Progress) {
        self.display.batch(progress.percent, progress.eta_seconds);
        let Some(video) = progress.current_video else { return };
        let Some(talk) = self.talks.iter_mut().find(|talk| talk.id == video.item_id) else {
            return;
        };
        if talk.end.is_some() {
            return;
        }
        talk.title = video.title;
        if progress.status == "failed" {
            let why = progress.error.unwrap_or(progress.message);
            self.end(&video.item_id, End::Failed(why));
        } else {
            let stage = progress.stage.unwrap_or_default();
            self.display.talk(&talk.id, &talk.title, &stage, progress.item_percent);
        }
    }

    /// Fetches a summary that is there.
    fn finish(&mut self, id: &str, title: Option<String>) {
        let Some(talk) = self.talks.iter_mut().find(|talk| talk.id == id) else { return };
        if talk.end.is_some() {
            return;
        }
        talk.title = title.unwrap_or_else(|| talk.title.clone());
        let end = match self.fetch(id) {
            Ok(summary) => End::Summary(summary),
            Err(NoAnswer { failure, is_for_good: true }) => End::Failed(failure.to_string()),
            // It is there, and will be fetched when the batch is asked for again.
            Err(NoAnswer { failure, .. }) => return self.display.note(&failure.to_string()),
        };
        self.end(id, end);
    }

    /// A summary as it is to be printed.
    fn fetch(&self, id: &str) -> Result<String, NoAnswer> {
        let summary = match self.options.form {
            Form::Markdown => return self.server.markdown(id),
            Form::Text | Form::Json => self.server.summary(id)?,
        };
        if self.options.form == Form::Json {
            return Ok(shown_json(&summary.to_string()));
        }
        let paint = Paint::for_output(self.options.colours);
        page::text(summary, paint).map_err(|error| {
            let why = format!("the summary {id} cannot be read: {error}");
            let failure = super::failed(&self.options.server.to_string(), why);
            NoAnswer { failure, is_for_good: true }
        })
    }

    fn end(&mut self, id: &str, end: End) {
        let Some(talk) = self.talks.iter_mut().find(|talk| talk.id == id) else { return };
        if talk.end.is_none() {
            let failed = if let End::Failed(why) = &end { Some(why.as_str()) } else { None };
            if !matches!(end, End::Cancelled) {
                self.display.ended(&talk.id, &talk.title, failed);
            }
            talk.end = Some(end);
        }
    }

    /// Takes over what the server says itself.
    fn compare(&mut self, batch: Batch) {
        self.display.batch(batch.percent, batch.eta_seconds);
        for item in batch.items {
            match item.status.as_str() {
                "completed" => self.finish(&item.id, Some(item.title)),
                "failed" => {
                    let why = item.error.unwrap_or_else(|| "it failed".to_owned());
                    self.end(&item.id, End::Failed(why));
                }
                "cancelled" => self.end(&item.id, End::Cancelled),
                _ => {}
            }
        }
    }

    /// Cancels what has not ended.
    fn cancel(&mut self) -> Result<(), Failure> {
        self.display.note("stopping; a second signal stops at once");
        // A batch that has ended meanwhile cannot be cancelled, and need not be.
        let batch = match self.server.cancel(&self.batch_id)? {
            Some(batch) => batch,
            None => self.server.batch(&self.batch_id).map_err(|failure| failure.failure)?,
        };
        self.is_cancelled = batch.status == "cancelled";
        self.compare(batch);
        // What was just being done is told of later, to nobody.
        for talk in &mut self.talks {
            talk.end.get_or_insert(End::Cancelled);
        }
        Ok(())
    }

    /// Prints the summaries, and for programs what else has ended.
    fn print(&self) -> Result<(), Failure> {
        let mut is_first = true;
        for talk in &self.talks {
            let text = match &talk.end {
                Some(End::Summary(summary)) => summary.clone(),
                Some(End::Failed(why)) if self.options.form == Form::Json => {
                    missing(talk, "failed", Some(why))
                }
                Some(End::Cancelled) if self.options.form == Form::Json => {
                    missing(talk, "cancelled", None)
                }
                _ => continue,
            };
            let is_apart = self.options.form != Form::Json && !is_first;
            let gap = if is_apart { "\n" } else { "" };
            print(&format!("{gap}{}", text.trim_end()))?;
            is_first = false;
        }
        Ok(())
    }

    /// Whether all is well.
    fn judge(&self) -> Result<(), Failure> {
        let all = self.talks.len();
        let count = |is: fn(&End) -> bool| {
            self.talks.iter().filter(|talk| talk.end.as_ref().is_some_and(is)).count()
        };
        let failed = count(|end| matches!(end, End::Failed(_)));
        let cancelled = count(|end| matches!(end, End::Cancelled));
        if self.is_cancelled || cancelled > 0 {
            let done = all - failed - cancelled;
            return Err(Failure::Input(format!("cancelled; {done} of {all} talks are summarized")));
        }
        if failed > 0 {
            return Err(Failure::Input(format!("{failed} of {all} talks failed")));
        }
        Ok(())
    }
}

/// A talk without a summary, for programs.
fn missing(talk: &Talk, status: &str, error: Option<&str>) -> String {
    let line: Value = json!({"id": talk.id, "title": talk.title, "status": status, "error": error});
    shown_json(&line.to_string())
}
