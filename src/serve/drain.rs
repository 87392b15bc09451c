//! The end of a server: what is open is told and ends, and a report says how that went.
//!
//! Everyone is told at once and the process ends as soon as they are gone; what is drawn out is their
//! return ([`super::pace`]). Clients that come meanwhile wait in the kernel's queue for whoever serves
//! the listening socket next, if it was inherited.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::workers::Workers;
use super::{App, reception};
use crate::hub::EndReason;

/// What "for ever" is for a stop, in a sum with the present time.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// How long those who are cut may take to notice it, before the report is written without them.
const CUT_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the server is stopping, and what has ended since.
#[derive(Debug, Default)]
pub(super) struct Drain {
    began: OnceLock<Instant>,
    tally: Mutex<Tally>,
}

/// How what was open when the stop began has ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    /// Streams that were told to come back. They got everything before.
    told: usize,
    /// Streams that ended cleanly: those that were told, and those whose time was just over.
    ended_cleanly: usize,
    /// Streams whose client had hung up.
    gone: usize,
    /// Streams that were cut, because they were too slow or the time was over.
    cut: usize,
    /// Streams that ended with something in their queue, and how many events that was. Their clients
    /// come back with the id of what they have.
    unwritten_streams: usize,
    unwritten_events: usize,
    /// Requests that were answered.
    requests: usize,
    /// When the last stream ended, after the begin.
    longest: Duration,
    /// From here on whatever ends was cut.
    is_cutting: bool,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub reason: EndReason,
    /// Whether its last words were taken.
    pub is_clean: bool,
    /// Events that were left in its queue.
    pub unwritten: usize,
}

impl Drain {
    /// From now on the server is stopping.
    fn begin(&self) -> Instant {
        *self.began.get_or_init(Instant::now)
    }

    /// Whether the server is stopping.
    pub fn has_begun(&self) -> bool {
        self.began.get().is_some()
    }

    /// Notes that a stream has ended.
    pub fn note_stream(&self, end: End) {
        if let Some(began) = self.began.get() {
            self.tally.lock().note_stream(end, began.elapsed());
        }
    }

    /// Notes that a request was answered.
    pub fn note_request(&self) {
        self.tally.lock().requests += 1;
    }
}

impl Tally {
    fn note_stream(&mut self, end: End, after: Duration) {
        match end.reason {
            EndReason::Shutdown if end.is_clean => self.told += 1,
            EndReason::ClientGone if !self.is_cutting => self.gone += 1,
            _ if !end.is_clean => self.cut += 1,
            _ => {}
        }
        self.ended_cleanly += usize::from(end.is_clean);
        self.unwritten_streams += usize::from(end.unwritten > 0);
        self.unwritten_events += end.unwritten;
        self.longest = self.longest.max(after);
    }

    fn report(&self, took: Duration) {
        let streams = self.ended_cleanly + self.gone + self.cut;
        let took_ms = took.as_millis() as u64;
        log::info!(
            streams,
            told = self.told,
            ended_cleanly = self.ended_cleanly,
            gone = self.gone,
            cut = self.cut,
            longest_ms = self.longest.as_millis() as u64,
            unwritten_streams = self.unwritten_streams,
            unwritten_events = self.unwritten_events,
            requests = self.requests,
            took_ms;
            "stopped in {took_ms} ms: of {streams} streams {} ended cleanly and {} were cut, {} events \
             were left unwritten; {} requests were finished",
            self.ended_cleanly,
            self.cut,
            self.unwritten_events,
            self.requests
        );
    }
}

/// Ends everything that is open: streams are told and closed cleanly, requests under way are
/// answered. Returns when all are gone, or the stop timeout is over.
pub(super) fn drain(app: &Arc<App>, mut workers: Workers) {
    let limit = app.limits.stop_timeout;
    let limit = if limit.is_zero() { FOR_EVER } else { limit };
    let began = app.drain.begin();
    app.reception.send_away_idle(app.clock.now());
    app.admission.stop_reading();
    if !app.queues.stop(limit / 2) {
        log::warn!("a job did not end in time; it begins again after the next start");
    }
    // While there are streams to hear of it.
    if let Some(summarizer) = &app.summarizer
        && !summarizer.stop(limit / 4)
    {
        log::warn!("not everything that happened to summaries was told in time");
    }
    app.hub.end_all(EndReason::Shutdown);
    reception::last_call(app, &mut workers);
    drop(workers);
    if !app.admission.wait_until_empty(limit.saturating_sub(began.elapsed())) {
        cut(app);
    }
    app.hub.stop();
    let tally = *app.drain.tally.lock();
    tally.report(began.elapsed());
}

/// Cuts what did not end in time.
fn cut(app: &App) {
    log::warn!("{} connections did not end in time and are cut", app.admission.total());
    app.drain.tally.lock().is_cutting = true;
    app.hub.cut_all(EndReason::Stuck);
    // Requests may still be held up; they end with the process.
    app.admission.wait_until(CUT_PATIENCE, || app.hub.stream_count() == 0);
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::serve::conversation::{Answer, tests::with_client};
    use crate::serve::doors::events;
    use crate::serve::problem::Problem;
    use crate::serve::routes::Call;

    /// A handler that is overtaken by a stop on its way to a stream.
    pub(in crate::serve) fn stop_and_stream(call: &Call<'_>) -> Result<Answer, Problem> {
        let answer = events::stream(call);
        call.app.drain.begin();
        call.app.admission.stop_reading();
        answer
    }

    #[test]
    fn a_connection_that_a_stop_overtakes_on_its_way_to_a_stream_is_told() {
        let request =
            "GET /stop-and-stream HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n";
        with_client(|mut client| {
            client.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.contains(r#"{"type":"refused","reason":"draining""#), "{answer}");
            assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
        });
    }

    fn end(reason: EndReason, is_clean: bool, unwritten: usize) -> End {
        End { reason, is_clean, unwritten }
    }

    #[test]
    fn the_report_tells_the_told_from_the_gone_and_the_cut() {
        let mut tally = Tally::default();
        let at = Duration::from_millis;
        tally.note_stream(end(EndReason::Shutdown, true, 0), at(5));
        tally.note_stream(end(EndReason::Lifetime, true, 0), at(9));
        tally.note_stream(end(EndReason::ClientGone, false, 0), at(7));
        tally.note_stream(end(EndReason::SlowConsumer, false, 4), at(8));
        tally.note_stream(end(EndReason::Shutdown, false, 0), at(1));
        tally.is_cutting = true;
        tally.note_stream(end(EndReason::ClientGone, false, 3), at(6));
        let expected = Tally {
            told: 1,
            ended_cleanly: 2,
            gone: 1,
            cut: 3,
            unwritten_streams: 2,
            unwritten_events: 7,
            requests: 0,
            longest: at(9),
            is_cutting: true,
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn what_ends_before_the_stop_is_not_in_its_report() {
        let drain = Drain::default();
        drain.note_stream(end(EndReason::Lifetime, true, 0));
        assert_eq!(*drain.tally.lock(), Tally::default());
        drain.begin();
        drain.note_stream(end(EndReason::Lifetime, true, 0));
        assert_eq!(drain.tally.lock().ended_cleanly, 1);
    }
}
