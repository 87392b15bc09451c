//! Summaries of talks: transcripts go in, key sentences come out.

/// What was said, and when: text, WebVTT and SubRip files as cues.
pub mod transcript;

/// Cues to sentences.
pub mod sentences;

/// Sentences to a summary: the engine that needs no network.
pub mod textrank;
