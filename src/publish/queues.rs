//! Jobs that wait for somebody to do them.

// How each queue works: what the settings say of it.
pub mod config;

// What does them: built-in code and outside commands.
pub mod processor;
