//! The server's side: requests in a session of their own, and what is answered.

use std::io::Read;
use std::thread;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use ureq::{Agent, Body};
use uuid::Uuid;

use super::{LOOK, stopped};
use crate::client::follower::Follower;
use crate::client::http::{self as requests, Address};
use crate::client::{Failure, failed};
use crate::shutdown::Shutdown;

/// A server, and the session that talks are summarized for.
pub(super) struct Server {
    address: Address,
    session: String,
    agent: Agent,
}

/// A batch, as it is accepted and as it is told of.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub batch_id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub percent: f64,
    pub eta_seconds: Option<u64>,
    pub items: Vec<Item>,
}

/// One talk of it.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub id: String,
    pub title: String,
    pub status: String,
    pub error: Option<String>,
}

/// `summary_progress`.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    pub batch_id: String,
    pub status: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub percent: f64,
    pub eta_seconds: Option<u64>,
    pub current_video: Option<Video>,
    pub stage: Option<String>,
    pub item_percent: Option<f64>,
    pub error: Option<String>,
}

/// The talk that it is about.
#[derive(Debug, Deserialize)]
pub(super) struct Video {
    pub item_id: String,
    pub title: String,
}

/// `summary_complete`.
#[derive(Debug, Deserialize)]
pub(super) struct Complete {
    pub batch_id: String,
    pub summary_id: String,
    pub title: String,
}

/// Why there is no answer.
pub(super) struct NoAnswer {
    pub failure: Failure,
    /// Asking again would be of no use.
    pub is_for_good: bool,
}

/// How long the server may be silent. A playlist is looked up before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

impl Server {
    pub fn new(address: &Address) -> Self {
        let session = format!("cli-{}", Uuid::new_v4());
        Self { address: address.clone(), session, agent: requests::agent(ANSWER_TIMEOUT) }
    }

    /// The session's stream.
    pub fn follow(&self) -> Follower {
        let types = ["summary_progress", "summary_complete"].map(str::to_owned);
        Follower::at(self.url_of("/events", &[("subscribe", &types.join(","))]))
    }

    /// Asks for summaries. Whoever stops meanwhile hangs up, and the server sees it.
    pub fn submit(&self, request: Vec<u8>, stop: &Shutdown) -> Result<Batch, Failure> {
        let url = self.url("");
        let (tell, told) = crossbeam_channel::bounded(1);
        let (agent, to) = (self.agent.clone(), url.clone());
        let ask = move || {
            let answer = agent.post(&to).content_type("application/json").send(&request[..]);
            // Nobody waits for it any more if it was stopped.
            let _ = tell.send(answer);
        };
        let asking = thread::Builder::new().name("submission".to_owned()).spawn(ask);
        asking.map_err(|error| failed(&url, error.to_string()))?;
        loop {
            match told.recv_timeout(LOOK) {
                Ok(answer) => {
                    let response = answer.map_err(|error| failed(&url, error.to_string()))?;
                    return match response.status() {
                        StatusCode::ACCEPTED => requests::json(&url, response),
                        _ => Err(failed(&url, requests::refusal(response))),
                    };
                }
                Err(RecvTimeoutError::Timeout) if stop.is_triggered() => return Err(stopped()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed(&url, "nobody asks any more".to_owned()));
                }
            }
        }
    }

    /// How far a batch is.
    pub fn batch(&self, id: &str) -> Result<Batch, NoAnswer> {
        let url = self.url(&format!("/batches/{id}"));
        requests::json(&url, self.get(&url)?).map_err(for_now)
    }

    /// Cancels a batch; none if it has ended already.
    pub fn cancel(&self, id: &str) -> Result<Option<Batch>, Failure> {
        let url = self.url(&format!("/batches/{id}"));
        let answer = self.agent.delete(&url).call();
        let response = answer.map_err(|error| failed(&url, error.to_string()))?;
        match response.status() {
            StatusCode::OK => requests::json(&url, response).map(Some),
            StatusCode::CONFLICT => Ok(None),
            _ => Err(failed(&url, requests::refusal(response))),
        }
    }

    /// A summary.
    pub fn summary(&self, id: &str) -> Result<Value, NoAnswer> {
        let url = self.url(&format!("/{id}"));
        requests::json(&url, self.get(&url)?).map_err(for_now)
    }

    /// A summary as a document.
    pub fn markdown(&self, id: &str) -> Result<String, NoAnswer> {
        let url = self.url(&format!("/{id}/markdown"));
        let body = self.get(&url)?.into_body().into_reader();
        let mut text = String::new();
        let read = body.take(MAX_DOCUMENT_BYTES).read_to_string(&mut text);
        read.map_err(|error| for_now(failed(&url, error.to_string())))?;
        Ok(text)
    }

    fn get(&self, url: &str) -> Result<Response<Body>, NoAnswer> {
        let answer = self.agent.get(url).call();
        let response = answer.map_err(|error| for_now(failed(url, error.to_string())))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let failure = failed(url, requests::refusal(response));
        Err(NoAnswer { failure, is_for_good: !requests::is_for_now(status) })
    }

    fn url(&self, below: &str) -> String {
        self.url_of(&format!("/api/v1/summaries{below}"), &[])
    }

    fn url_of(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        self.address.at(path, &[parameters, &[("session_id", &self.session)]].concat())
    }
}

fn for_now(failure: Failure) -> NoAnswer {
    NoAnswer { failure, is_for_good: false }
}
