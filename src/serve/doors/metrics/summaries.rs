//! The figures of the summaries' library.

use std::fmt;

use super::sheet::Sheet;
use crate::publish::summarizer::library::Figures;

/// Millionths make one.
const MICROS: f64 = 1e6;

pub(super) fn write(library: &Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    sheet.gauge("summaries", "Summaries that are kept", library.summaries)?;
    sheet.gauge("summaries_bytes", "What these take, about", library.summary_bytes)?;
    let help = "What the kept transcripts take, compressed";
    sheet.gauge("transcript_bytes", help, library.transcript_bytes)?;
    let help = "What was sent along for summaries and waits for a worker";
    sheet.gauge("summaries_upload_bytes", help, library.upload_bytes)?;
    let lookups = [("hit", library.hits), ("miss", library.misses)];
    let lookups = lookups.map(|(outcome, count)| ([("outcome", outcome)], count));
    let help = "How often a summary was looked for in the cache, by whether it was there";
    sheet.counters("summaries_cache_lookups", help, lookups)?;
    let help = "Summaries that made room for others";
    sheet.counter("summaries_evicted", help, library.evictions)?;
    let by_model =
        || library.usage.iter().map(|(model, usage)| ([("model", model.as_str())], usage));
    let help = "Requests to language models that were answered, over all time";
    let requests = by_model().map(|(labels, usage)| (labels, usage.requests));
    sheet.counters("model_requests", help, requests)?;
    let tokens = library.usage.iter().flat_map(|(model, usage)| {
        let kinds = [("prompt", usage.prompt_tokens), ("completion", usage.completion_tokens)];
        kinds.map(|(kind, count)| ([("model", model.as_str()), ("kind", kind)], count))
    });
    sheet.counters("model_tokens", "Tokens that models read and wrote, over all time", tokens)?;
    let help = "What that cost by the prices of the settings, in their currency";
    let cost = by_model().map(|(labels, usage)| (labels, usage.cost_micros as f64 / MICROS));
    sheet.counters("model_cost", help, cost)
}
