//! Fuzz target: see the library's module `pubsub`.

#![cfg_attr(fuzzing, no_main)]

tidings_fuzz::program!(tidings_fuzz::pubsub::check);
