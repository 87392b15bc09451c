//! What does queues' jobs: the processors that are built in.

// A talk's key sentences.
pub mod summarize;

#[cfg(test)]
mod tests;
