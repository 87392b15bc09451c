//! The settings of summaries: how they are made and kept.

use super::super::setting::Place::{Bytes, Choice as OneOf, Count, Milliseconds, Seconds};
use super::super::setting::{Choice, Setting};
use super::{A_DAY, A_DAY_MS, GIBIBYTE, MILLION};

pub(super) static SUMMARIES: &[Setting] = &[
    Setting::new(
        "summarizer",
        OneOf(&[
            Choice { word: "on", choose: |s| s.summarizer = true, is_chosen: |s| s.summarizer },
            Choice { word: "off", choose: |s| s.summarizer = false, is_chosen: |s| !s.summarizer },
        ]),
        "Summaries of talks: the page at / and /api/v1/summaries",
    ),
    Setting::new(
        "summary_workers",
        Count(1..=256, |s| &mut s.summaries.workers),
        "Threads that summarize",
    ),
    Setting::new(
        "summary_queue_items",
        Count(0..=MILLION, |s| &mut s.summaries.queue_items),
        "Transcripts that may wait for a worker; 0 is no limit",
    ),
    Setting::new(
        "summary_queue_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.summaries.queue_bytes),
        "Bytes of transcripts that may wait for a worker; 0 is no limit",
    ),
    Setting::new(
        "max_transcripts",
        Count(0..=MILLION, |s| &mut s.summaries.max_transcripts),
        "Transcripts in one request; 0 is no limit",
    ),
    Setting::new(
        "max_transcript_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.summaries.max_transcript_bytes),
        "Size of one transcript; 0 is no limit",
    ),
    Setting::new(
        "kept_summaries",
        Count(0..=MILLION, |s| &mut s.summaries.kept_summaries),
        "Summaries that are kept, the newest; 0 is no limit",
    ),
    Setting::new(
        "kept_summary_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.summaries.kept_summary_bytes),
        "Bytes of summaries that are kept; 0 is no limit",
    ),
    Setting::new(
        "kept_batch_items",
        Count(0..=MILLION, |s| &mut s.summaries.kept_items),
        "Items of ended batches that can still be asked for; 0 is no limit",
    ),
    Setting::new(
        "summary_percent",
        Count(0..=100, |s| &mut s.summaries.length.percent),
        "Share of a talk's sentences that becomes its summary; 0 gives the fewest allowed",
    ),
    Setting::new(
        "summary_min_sentences",
        Count(1..=MILLION, |s| &mut s.summaries.length.min_sentences),
        "The fewest sentences of a summary, if the talk has as many",
    ),
    Setting::new(
        "summary_max_sentences",
        Count(0..=MILLION, |s| &mut s.summaries.length.max_sentences),
        "The most sentences of a summary; 0 is no limit",
    ),
    Setting::new(
        "summary_report_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.summaries.report_pause),
        "Pause between two reports on a talk that takes long; 0 reports every step",
    ),
    Setting::new(
        "summary_patience_seconds",
        Seconds(A_DAY, |s| &mut s.summaries.report_patience),
        "How long a worker tries to report an end while the hub is busy; 0 tries once",
    ),
];
