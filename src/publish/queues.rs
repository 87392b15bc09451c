//! Jobs that wait for somebody to do them.

// What does them: built-in code and outside commands.
pub mod processor;
