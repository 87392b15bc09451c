//! What does queues' jobs: the processors that are built in, and outside commands.

// Any program outside: the job on its standard input, its progress on its standard output.
pub mod command;

// A talk's key sentences.
pub mod summarize;

#[cfg(test)]
mod tests;
