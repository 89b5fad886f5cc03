//! Inputs for the parsers of what comes from outside: seeds, and what chance makes of them.
//!
//! A target is a function that takes bytes, checks what has to hold whatever they are, and tells whether they were taken for what they
//! should be. There are two who call it: its crate's own unit test, by [`attempt`], which takes a second and is had again exactly; and
//! libFuzzer (`dev/fuzz`), which finds out what leads to where nothing has led before, and takes as long as it is given. The seeds
//! (`seeds/TARGET`) and words (`dictionaries/TARGET`, in libFuzzer's format) are the same for both.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod mutate;
mod words;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use rand::{SeedableRng, rngs::StdRng};

use mutate::mutate;

/// What became of the inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seeds that were taken for what they should be.
    pub seeds: usize,
    /// Mutations that were.
    pub taken: usize,
    /// Mutations that were not.
    pub refused: usize,
}

/// Gives a target all its seeds, and so many mutations of them, which are the same each time.
///
/// # Panics
/// The target does, with one of them: it is left in `artifacts/TARGET` then, and the message names the file. Or there are no seeds.
pub fn attempt(target: &str, mutations: u64, check: impl Fn(&[u8]) -> bool) -> Tally {
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let words = words::read(&fs::read_to_string(here("dictionaries", target)).unwrap_or_default());
    let mut tally = Tally::default();
    for (name, seed) in &seeds {
        tally.seeds += usize::from(guarded(target, name, seed, &check));
    }
    let seeds: Vec<_> = seeds.into_iter().map(|(_, seed)| seed).collect();
    for number in 0..mutations {
        let input = mutate(&seeds, &words, &mut StdRng::seed_from_u64(number));
        if guarded(target, &format!("mutation-{number}"), &input, &check) {
            tally.taken += 1;
        } else {
            tally.refused += 1;
        }
    }
    tally
}

/// The seeds of a target, with the names of their files, in the order of those.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = here("seeds", target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds = files.map(|file| {
        let path = file.expect("the folder can be read").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let seed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name, seed)
    });
    let mut seeds: Vec<_> = seeds.collect();
    seeds.sort();
    seeds
}

fn guarded(target: &str, name: &str, input: &[u8], check: impl Fn(&[u8]) -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(input))).unwrap_or_else(|_| {
        let folder = here("artifacts", target);
        let path = folder.join(name);
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input));
        match kept {
            Ok(()) => panic!("{target} fails with {}", path.display()),
            Err(error) => panic!("{target} fails with {name}, which can't be kept ({error}): {input:?}"),
        }
    })
}

fn here(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn inputs_are_the_same_each_time_and_most_are_different() {
        let inputs = || {
            let seen = RefCell::new(Vec::new());
            let tally = attempt("config", 500, |input| {
                seen.borrow_mut().push(input.to_vec());
                input.len() % 2 == 0
            });
            assert_eq!(tally.taken + tally.refused, 500);
            seen.into_inner()
        };
        let (first, second) = (inputs(), inputs());
        assert_eq!(first, second);
        let mut different = first;
        different.sort();
        different.dedup();
        assert!(different.len() > 400, "{} of 500", different.len());
    }

    #[test]
    fn each_target_has_seeds_and_each_seed_a_target() {
        let entries = |kind: &str| {
            let folder = fs::read_dir(here(kind, "")).expect("it is there");
            let names = folder.map(|entry| entry.expect("it can be read").file_name());
            let mut names: Vec<_> = names
                .map(|name| name.to_string_lossy().trim_end_matches(".rs").replace('_', "-"))
                .collect();
            names.sort();
            names
        };
        assert_eq!(entries("seeds"), entries("targets"));
        for name in entries("dictionaries") {
            assert!(entries("targets").contains(&name), "{name}");
            let words = fs::read_to_string(here("dictionaries", &name)).expect("text");
            let lines = words
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(words::read(&words).len(), lines.count(), "{name}");
        }
    }

    #[test]
    fn what_makes_a_target_fail_is_kept() {
        let failure = catch_unwind(|| {
            attempt("config", 0, |_| -> bool { panic!("on purpose") });
        });
        let failure = failure.expect_err("it fails");
        let words = failure.downcast_ref::<String>().expect("words");
        let (_, path) = words.split_once("config fails with ").expect("a file");
        assert!(fs::remove_file(path).is_ok(), "{path} is there");
    }
}
