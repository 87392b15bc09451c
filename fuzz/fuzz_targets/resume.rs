//! Fuzz target: see the library's module `resume`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::resume::check);
