//! Fuzz target: see the library's module `event_stream`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::event_stream::check);
