//! What was sent along and waits for its job, so that jobs stay small and a restart loses nothing.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Library, LibraryError};
use crate::publish::jobs::hexadecimal;
use crate::publish::summarizer::transcript::Format;

/// Names what was sent along: the same text in the same form has the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UploadId(String);

impl UploadId {
    fn of(format: Format, body: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(format.as_str());
        hash.update([0]);
        hash.update(body);
        Self(hexadecimal(&hash.finalize()))
    }
}

impl Library {
    /// Takes what was sent along, all or nothing; each is kept until it was released as often as it was put.
    pub fn put_uploads(&self, sent: &[(Format, String)]) -> Result<Vec<UploadId>, LibraryError> {
        if sent.is_empty() {
            return Ok(Vec::new());
        }
        let max_bytes = self.0.limits.max_upload_bytes as u64;
        self.0.connections.write(|transaction| {
            let ids = sent.iter().map(|(format, body)| put(transaction, *format, body));
            let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
            let waiting_bytes = bytes(transaction)?;
            if max_bytes != 0 && waiting_bytes > max_bytes {
                return Err(LibraryError::Full { waiting_bytes });
            }
            Ok(ids)
        })
    }

    /// What was sent along under this name.
    pub fn upload(&self, id: &UploadId) -> Result<Option<(Format, String)>, LibraryError> {
        let found = self.0.connections.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT format, body FROM upload WHERE id = ?1")?;
            let row = query
                .query_row([&id.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
            row.optional()
        })?;
        Ok(found.and_then(|(format, body)| Some((Format::from_word(&format)?, body))))
    }

    /// One of those who put it does not need it any more.
    pub fn release_upload(&self, id: &UploadId) -> Result<(), LibraryError> {
        self.0.connections.write(|transaction| {
            transaction.execute("UPDATE upload SET uses = uses - 1 WHERE id = ?1", [&id.0])?;
            transaction.execute("DELETE FROM upload WHERE id = ?1 AND uses <= 0", [&id.0])?;
            Ok(())
        })
    }

    /// Keeps only these, each for as many as are named: what an earlier process did not come to release goes.
    pub fn retain_uploads(&self, wanted: &[UploadId]) -> Result<(), LibraryError> {
        self.0.connections.write(|transaction| {
            let mut query = transaction.prepare("SELECT id FROM upload")?;
            let known: Vec<String> =
                query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let distinct: HashSet<&str> = wanted.iter().map(|id| id.0.as_str()).collect();
            for id in known {
                if distinct.contains(id.as_str()) {
                    let uses = wanted.iter().filter(|wanted| wanted.0 == id).count() as i64;
                    let set = "UPDATE upload SET uses = ?2 WHERE id = ?1";
                    transaction.execute(set, params![id, uses])?;
                } else {
                    transaction.execute("DELETE FROM upload WHERE id = ?1", [&id])?;
                }
            }
            Ok(())
        })
    }
}

fn put(transaction: &Transaction<'_>, format: Format, body: &str) -> rusqlite::Result<UploadId> {
    let id = UploadId::of(format, body);
    let mut put = transaction.prepare_cached(
        "INSERT INTO upload (id, format, body, bytes, uses) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT (id) DO UPDATE SET uses = uses + 1",
    )?;
    put.execute(params![id.0, format.as_str(), body, body.len() as i64])?;
    Ok(id)
}

/// How many bytes wait.
pub(super) fn bytes(connection: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let sum = "SELECT coalesce(sum(bytes), 0) FROM upload";
    connection.query_row(sum, [], |row| row.get::<_, i64>(0)).map(|bytes| bytes as u64)
}
