//! What one request became: its items, each of which is a job, and how they are to be made.
//!
//! How far they are is not here: the jobs say it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::library::UploadId;
use super::videos::VideoRef;
use crate::event::topic::Identifier;

/// What one request became.
#[derive(Debug)]
pub(super) struct Submission {
    /// The batch of its jobs.
    pub id: Identifier,
    /// Who asked.
    pub session: Identifier,
    pub what: What,
    /// Its last event was published.
    is_closed: AtomicBool,
}

/// The same without a name: what is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct What {
    pub created_ms: u64,
    pub manner: Manner,
    pub items: Vec<Item>,
}

/// How the summaries of one request are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manner {
    /// By which engine; the default one if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The language that captions are wanted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Anew, whatever is known already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
}

/// What becomes one summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// The job, and the summary once there is one.
    pub id: Identifier,
    /// What to call it until something better is known.
    pub title: String,
    pub source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<String>,
}

/// Where what was said comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// A video's captions.
    Video(VideoRef),
    /// It was sent along.
    Upload(UploadId),
}

/// An item of a submission.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub submission: Arc<Submission>,
    pub index: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    session: Identifier,
    #[serde(flatten)]
    what: What,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_closed: bool,
}

impl Submission {
    pub fn new(id: Identifier, session: Identifier, what: What) -> Self {
        Self { id, session, what, is_closed: AtomicBool::new(false) }
    }

    /// It as it is written down.
    pub fn write(&self) -> String {
        let stored = Stored {
            session: self.session.clone(),
            what: self.what.clone(),
            is_closed: self.is_closed(),
        };
        // Strings and numbers can always be written.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// It as it was written down.
    pub fn read(id: Identifier, text: &str) -> serde_json::Result<Self> {
        let Stored { session, what, is_closed } = serde_json::from_str(text)?;
        Ok(Self { id, session, what, is_closed: AtomicBool::new(is_closed) })
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Notes that its last event was published.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// What was sent along for it.
    pub fn uploads(&self) -> impl Iterator<Item = (&Identifier, &UploadId)> {
        self.what.items.iter().filter_map(|item| match &item.source {
            Source::Upload(upload) => Some((&item.id, upload)),
            Source::Video(_) => None,
        })
    }
}

impl Item {
    /// The video's address, if it is one.
    pub fn url(&self) -> Option<&str> {
        match &self.source {
            Source::Video(video) => Some(video.url()),
            Source::Upload(_) => None,
        }
    }
}

impl Part {
    /// The item itself.
    pub fn item(&self) -> &Item {
        &self.submission.what.items[self.index]
    }
}
