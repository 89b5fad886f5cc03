//! The same thing for many seeds, on all processors. What goes wrong is named by its seed, and had again by it.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// What says how many seeds there are.
pub(super) struct Seeds {
    /// The variable of how many, …
    pub(super) count: &'static str,
    /// … and how many without it.
    pub(super) usual: u64,
    /// The variable of the first seed, which is 0 without it.
    pub(super) first: &'static str,
}

/// What came of them.
pub(super) struct Outcome<T> {
    pub(super) accounts: Vec<T>,
    failures: Vec<String>,
}

impl Seeds {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        variable(self.count, self.usual)
    }

    /// Does `work` for each.
    pub(super) fn each<T: Send>(&self, work: impl Fn(u64) -> Result<T, String> + Sync) -> Outcome<T> {
        let first = variable(self.first, 0);
        let (next, end) = (AtomicU64::new(first), first + self.count());
        let (accounts, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let run = || {
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= end {
                    break;
                }
                let outcome = catch_unwind(AssertUnwindSafe(|| work(seed)));
                match outcome.unwrap_or_else(|_| Err("it panicked".to_owned())) {
                    Ok(account) => accounts.lock().expect("no panic").push(account),
                    Err(failure) => {
                        let failure = format!("{}={seed} {}=1: {failure}", self.first, self.count);
                        failures.lock().expect("no panic").push(failure);
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(run);
            }
        });
        Outcome {
            accounts: accounts.into_inner().expect("no panic"),
            failures: failures.into_inner().expect("no panic"),
        }
    }
}

impl<T> Outcome<T> {
    /// The median of something, and the worst; 0 where nothing went well.
    pub(super) fn spread<N: Copy + Ord + Default>(&self, what: impl Fn(&T) -> N) -> (N, N) {
        let mut all: Vec<_> = self.accounts.iter().map(what).collect();
        all.sort_unstable();
        let worst = all.last().copied().unwrap_or_default();
        (all.get(all.len() / 2).copied().unwrap_or_default(), worst)
    }

    /// # Panics
    /// Something went wrong.
    pub(super) fn assert_well(&self) {
        let shown: Vec<_> = self.failures.iter().take(10).map(String::as_str).collect();
        let count = self.failures.len();
        assert!(count == 0, "{count} went wrong:\n{}", shown.join("\n"));
    }
}

/// What a variable of the environment says.
pub(super) fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_its_turn_and_failures_are_named() {
        let seeds = Seeds {
            count: "PINHOLE_NO_SUCH_COUNT",
            usual: 100,
            first: "PINHOLE_NO_SUCH_FIRST",
        };
        let outcome = seeds.each(|seed| match seed {
            7 => Err("odd".to_owned()),
            seed => Ok(seed),
        });
        assert_eq!(outcome.accounts.len(), 99);
        assert_eq!(outcome.spread(|seed| *seed), (50, 99));
        assert_eq!(
            outcome.failures,
            ["PINHOLE_NO_SUCH_FIRST=7 PINHOLE_NO_SUCH_COUNT=1: odd"]
        );
    }
}
