//! Fuzz target: see the library's module `request`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::request::check);
