//! Fuzz target: see the library's module `transcript`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::transcript::check_webvtt);
