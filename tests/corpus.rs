//! Every kept input of the fuzzer's, and a fixed number of changed ones, through its target. No fuzzer is needed
//! and nothing is left to chance: the same inputs every time.

// What fails here fails the test, as it stops the fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};

/// How many changed inputs each kept one gives.
const MUTATIONS: usize = 200;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The kept inputs of a target with their file names, in the same order every time.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus().join(target);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// Runs a target on one input; says which if it fails.
fn run(target: Target, input: &[u8], origin: &str) {
    let outcome = std::panic::catch_unwind(|| target(input));
    assert!(outcome.is_ok(), "{origin} breaks a promise: {:?}", input.escape_ascii().to_string());
}

#[test]
fn kept_inputs_keep_the_promises() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no kept inputs");
        for (file, input) in seeds {
            run(*target, &input, &format!("{name}/{file}"));
        }
    }
}

#[test]
fn changed_inputs_keep_the_promises() {
    for (name, target) in TARGETS {
        let mut random = fastrand::Rng::with_seed(1);
        let seeds = seeds(name);
        for (file, input) in &seeds {
            for number in 0..MUTATIONS {
                let mut changed = input.clone();
                for _ in 0..random.usize(1..5) {
                    mutate(&mut changed, &seeds[random.usize(..seeds.len())].1, &mut random);
                }
                run(*target, &changed, &format!("{name}/{file}, change {number},"));
            }
        }
    }
}

#[test]
fn every_kept_input_belongs_to_a_target() {
    for entry in fs::read_dir(corpus()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is no target");
    }
}

/// What a fuzzer does, in small: flips, inserts, removes, repeats, borrows.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    const INTERESTING: &[u8] = b"\r\n\0 \t:;,\"%.?#/019af+-\x7f\x80\xc3\xff";
    let at = random.usize(..=input.len());
    let end = random.usize(at..=input.len().min(at + 32));
    match random.u8(..6) {
        0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        1 if at < input.len() => input[at] = INTERESTING[random.usize(..INTERESTING.len())],
        2 => input.insert(at, INTERESTING[random.usize(..INTERESTING.len())]),
        3 => drop(input.drain(at..end)),
        4 => input.splice(at..at, input[at..end].to_vec()).for_each(drop),
        _ => {
            let from = random.usize(..=other.len());
            let to = random.usize(from..=other.len().min(from + 64));
            input.splice(at..end, other[from..to].iter().copied()).for_each(drop);
        }
    }
}
