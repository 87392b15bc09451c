//! Résumés as jobs: a document becomes what it says of a person.
//!
//! It is read by rules, not by a model: headings, dates and names of skills in several languages. So the
//! same document always gives the same result, nothing leaves the server, and what was not found is null
//! or empty rather than guessed.

// Text and how it stands.
mod document;
mod pdf;

// What the text says.
mod contacts;
mod dates;
mod entries;
mod headings;
mod languages;
mod person;
mod profile;
mod sections;
mod skills;
mod vocabulary;

mod order;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value};

use self::document::{Kind, Paper, Unreadable};
use self::order::{Order, Source};
use self::pdf::{Bounds, Reader};
use self::profile::Parts;
use crate::publish::fetch::{FetchError, Fetcher};
use crate::publish::queues::processor::{Desk, Failure, Processor, Progress, Task};

/// What a résumé may be and cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The size of one document, in bytes; 0 is no limit. Of one that is fetched, the fetcher's limit
    /// holds, too.
    pub max_bytes: usize,
    /// The pages of one PDF file; 0 is no limit.
    pub max_pages: usize,
    /// How long reading one PDF file may take; zero is no limit.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 10 << 20, max_pages: 50, timeout: Duration::from_secs(20) }
    }
}

/// Analyzes résumés.
///
/// A job's data has `resumeId`, `candidateId` and the document: `fileUrl`, `fileBase64` or `text`, with
/// `fileName` and `mimeType` where its content does not say what it is.
#[derive(Debug)]
pub struct ResumeAnalysis {
    limits: Limits,
    fetcher: Fetcher,
    reader: Reader,
}

/// A document before it is read.
struct Document {
    bytes: Vec<u8>,
    mime_type: String,
}

impl ResumeAnalysis {
    /// Analyzes within these limits what this fetcher may fetch.
    pub fn new(limits: Limits, fetcher: Fetcher) -> Self {
        Self { limits, fetcher, reader: Reader::default() }
    }

    fn fetch(
        &self,
        order: &Order,
        source: Source<'_>,
        desk: &dyn Desk,
    ) -> Result<Document, Failure> {
        let mime_type = order.mime_type.clone().unwrap_or_default();
        let document = match source {
            Source::Text(text) => Document { bytes: text.into(), mime_type: "text/plain".into() },
            Source::Base64(text) => Document { bytes: order::decode(text)?, mime_type },
            Source::Url(url) => {
                let fetched = self.fetcher.fetch(url, &|| desk.is_cancelled())?;
                let mime_type =
                    fetched.content_type.filter(|kind| kind != "application/octet-stream");
                let mime_type = mime_type.or_else(|| order.mime_type.clone()).unwrap_or_default();
                Document { bytes: fetched.bytes, mime_type }
            }
        };
        let (bytes, max) = (document.bytes.len(), self.limits.max_bytes);
        if max != 0 && bytes > max {
            return Err(Unreadable::Size { bytes, max }.into());
        }
        Ok(document)
    }

    fn read(
        &self,
        document: Document,
        file_name: &str,
        desk: &dyn Desk,
    ) -> Result<Paper, Unreadable> {
        let Document { bytes, mime_type } = document;
        match Kind::of(&bytes, &mime_type, file_name)? {
            Kind::Pdf => {
                let Limits { max_pages, timeout, .. } = self.limits;
                self.reader.read(bytes, Bounds { max_pages, timeout }, &|| desk.is_cancelled())
            }
            Kind::Text => {
                let paper = Paper::of_text(&document::decoded(&bytes));
                if paper.has_text() { Ok(paper) } else { Err(Unreadable::Empty) }
            }
        }
    }
}

impl Processor for ResumeAnalysis {
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure> {
        let order = Order::of(&task.data)?;
        let ids = order.ids();
        let tell = Teller { desk, ids: &ids };
        tell.stage(0.0, "initializing", "Starting the analysis of the résumé")?;
        let source = order.source()?;
        tell.stage(5.0, "fetching", "Getting the document")?;
        let document = self.fetch(&order, source, desk)?;
        tell.stage(30.0, "parsing", "Reading the document's text")?;
        let file_name = order.file_name.as_deref().unwrap_or_default();
        let paper = self.read(document, file_name, desk)?;
        tell.stage(
            60.0,
            "extracting",
            &format!("Dividing {} lines into sections", paper.lines.len()),
        )?;
        let parts = Parts::of(&paper);
        tell.stage(75.0, "analyzing", &format!("Looking through {} sections", parts.headings()))?;
        let profile = serde_json::to_value(parts.analyzed());
        let profile = profile.map_err(|error| Failure::for_good(error.to_string()))?;
        tell.stage(95.0, "storing", "Handing over the result")?;
        let Value::Object(profile) = profile else { return Ok(profile) };
        Ok(Value::Object(ids.into_iter().chain(profile).collect()))
    }
}

/// Tells watchers how far it is, and whose résumé it is.
struct Teller<'a> {
    desk: &'a dyn Desk,
    ids: &'a Map<String, Value>,
}

impl Teller<'_> {
    /// Begins a stage, unless nobody wants the result any more.
    fn stage(&self, percent: f64, stage: &str, message: &str) -> Result<(), Failure> {
        if self.desk.is_cancelled() {
            return Err(Unreadable::Cancelled.into());
        }
        self.desk.report(Progress {
            percent: Some(percent),
            stage: Some(stage.to_owned()),
            message: Some(message.to_owned()),
            data: Some(Value::Object(self.ids.clone())),
        });
        Ok(())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::new(error.to_string(), error.is_retryable())
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::new(error.to_string(), error.is_retryable())
    }
}
