//! Fuzz target: see the library's module `token`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::token::check);
