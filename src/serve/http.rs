//! The HTTP protocol. (Being written.)
