//! Fuzz target: see the library's module `chunked`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::chunked::check);
