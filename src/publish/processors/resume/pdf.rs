//! A PDF's text, line by line, as a person would read it.
//!
//! The file's structure (objects, filters, encryption, repairing what is broken) is `lopdf`'s work; what
//! stands on a page, and in which columns, is found out here. A crafted file must not cost the server
//! more than this job, so each file is read on a thread of its own: a panic there ends the thread, and
//! what takes too long is told to stop. What does not stop even then is left to itself; if several are,
//! no more are begun.

mod cmap;
mod font;
mod layout;
mod lexer;
mod page;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};
use lopdf::{Dictionary, Document, Error, LoadOptions, Object, ObjectId};
use parking_lot::Mutex;

use self::page::Painter;
use super::document::{Paper, Unreadable};

/// What one stream may be when it is unpacked. A page's text takes some kilobytes.
const MAX_STREAM_BYTES: usize = 8 << 20;

/// Links on a page beyond that are not read.
const MAX_LINKS: usize = 1_000;

/// How often the one who waits looks whether anybody still does.
const LOOK: Duration = Duration::from_millis(50);

/// How long a reader that is told to stop may take until it is left to itself.
const GRACE: Duration = Duration::from_secs(2);

/// Readers that were left to themselves and still run; with more, no PDF is read.
const MAX_LOST: usize = 4;

/// A résumé is read in a corner of this; the parser's recursion is bounded.
const STACK_BYTES: usize = 8 << 20;

/// Reads PDF files.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Threads that were left to themselves; each lets go of its channel when it ends.
    lost: Mutex<Vec<Receiver<()>>>,
}

/// What a PDF may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// 0 is no limit.
    pub(super) max_pages: usize,
    /// Zero is no limit.
    pub(super) timeout: Duration,
}

/// Somebody told the reader to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interrupted;

/// Lets a reader see whether to stop.
#[derive(Debug, Default)]
struct Watch {
    stop: Arc<AtomicBool>,
    looks: Cell<u32>,
}

/// Looking at what others write to costs something; it is done once in so many steps.
const STEPS_PER_LOOK: u32 = 64;

impl Watch {
    fn look(&self) -> Result<(), Interrupted> {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        let stops = looks.is_multiple_of(STEPS_PER_LOOK) && self.stop.load(Ordering::Relaxed);
        if stops { Err(Interrupted) } else { Ok(()) }
    }
}

impl Reader {
    /// Reads a file; looks at `is_cancelled` meanwhile.
    pub(super) fn read(
        &self,
        bytes: Vec<u8>,
        bounds: Bounds,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Paper, Unreadable> {
        if self.lost_readers() >= MAX_LOST {
            return Err(Unreadable::Busy);
        }
        let watch = Watch::default();
        let stop = watch.stop.clone();
        let (tell, told) = bounded(1);
        let (running, ended) = bounded::<()>(0);
        let work = move || {
            // Nobody listens to one that was left to itself.
            let _ = tell.send(read(&bytes, bounds.max_pages, &watch));
            drop(running);
        };
        let thread = std::thread::Builder::new().name("resume-pdf".into()).stack_size(STACK_BYTES);
        thread.spawn(work).map_err(|error| Unreadable::Thread(error.to_string()))?;
        let outcome = wait(&told, bounds.timeout, is_cancelled);
        if matches!(outcome, Err(Unreadable::Slow(_) | Unreadable::Cancelled)) {
            stop.store(true, Ordering::Relaxed);
            if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                self.lost.lock().push(ended);
            }
        }
        outcome
    }

    fn lost_readers(&self) -> usize {
        let mut lost = self.lost.lock();
        lost.retain(|ended| ended.try_recv() == Err(TryRecvError::Empty));
        lost.len()
    }
}

/// Waits for what the reader tells. That may take real time only: a reader has no clock.
fn wait(
    told: &Receiver<Result<Paper, Unreadable>>,
    timeout: Duration,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Paper, Unreadable> {
    let deadline = (!timeout.is_zero()).then(|| Instant::now() + timeout);
    loop {
        match told.recv_timeout(LOOK) {
            Ok(outcome) => return outcome,
            // It let go without a word: a panic, which is in the log.
            Err(RecvTimeoutError::Disconnected) => return Err(Unreadable::Crashed),
            Err(RecvTimeoutError::Timeout) if is_cancelled() => return Err(Unreadable::Cancelled),
            Err(RecvTimeoutError::Timeout) => {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Err(Unreadable::Slow(timeout));
                }
            }
        }
    }
}

fn read(bytes: &[u8], max_pages: usize, watch: &Watch) -> Result<Paper, Unreadable> {
    // Whatever stands before it, as some mail programs put there, is passed over by the parser, too.
    let head = &bytes[..bytes.len().min(1_024)];
    if !head.windows(5).any(|part| part == b"%PDF-") {
        return Err(Unreadable::NoPdf);
    }
    let document = load(bytes)?;
    let pages: Vec<_> = document.get_pages().into_values().collect();
    if pages.is_empty() {
        return Err(Unreadable::Broken("it has no pages".into()));
    }
    if max_pages != 0 && pages.len() > max_pages {
        return Err(Unreadable::Pages { found: pages.len(), max: max_pages });
    }
    let mut painter = Painter::new(&document, watch);
    let mut paper = Paper { pages: Some(pages.len()), ..Paper::default() };
    let (mut unreadable, mut images) = (0, 0);
    for id in &pages {
        let page = painter.paint(*id).map_err(|Interrupted| Unreadable::Cancelled)?;
        unreadable += page.unreadable;
        images += page.images;
        paper.lines.extend(layout::lines(page.marks));
        paper.links.extend(links(&document, *id));
    }
    if paper.has_text() {
        Ok(paper)
    } else {
        Err(Unreadable::NoText { pages: pages.len(), images, unreadable })
    }
}

fn load(bytes: &[u8]) -> Result<Document, Unreadable> {
    // A document may be locked only against changes; the empty password opens it, and is tried here.
    let options =
        LoadOptions { max_decompressed_size: Some(MAX_STREAM_BYTES), ..LoadOptions::default() };
    match Document::load_mem_with_options(bytes, options) {
        Ok(document) if document.is_encrypted() => Err(Unreadable::Encrypted),
        Ok(document) => Ok(document),
        Err(Error::InvalidPassword | Error::Decryption(_)) => Err(Unreadable::Encrypted),
        Err(error) => Err(Unreadable::Broken(error.to_string())),
    }
}

/// Where a page's links lead; what they are written as may be an icon.
fn links(document: &Document, page: ObjectId) -> Vec<String> {
    let annotations = document.get_page_annotations(page).unwrap_or_default();
    let link = |annotation: &Dictionary| {
        let action = annotation.get_deref(b"A", document).and_then(Object::as_dict).ok()?;
        let address = action.get_deref(b"URI", document).and_then(Object::as_str).ok()?;
        std::str::from_utf8(address).ok().map(str::to_owned)
    };
    annotations.into_iter().take(MAX_LINKS).filter_map(link).collect()
}

fn number(object: &Object) -> Option<f64> {
    match object {
        Object::Integer(number) => Some(*number as f64),
        Object::Real(number) => Some(f64::from(*number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
