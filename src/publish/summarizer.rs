//! Summaries of talks. (Being written.)
