//! The guest's control line: commands are started and signalled over it, and it reports their ends.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::log::{Log, Mark};

/// The line to a guest, and what came back on it about each command.
pub(crate) struct Control {
    line: Mutex<ChildStdin>,
    jobs: Mutex<HashMap<String, State>>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Clone, Copy)]
enum State {
    Ordered,
    Running { pid: u32 },
    Ended { status: i32 },
}

/// A command in the guest.
pub(crate) struct Job {
    name: String,
    control: Arc<Control>,
}

impl Control {
    /// `patience` is how long the guest may take to start a command.
    pub(crate) fn new(line: ChildStdin, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            line: Mutex::new(line),
            jobs: Mutex::default(),
            changed: Condvar::new(),
            patience,
        })
    }

    /// Takes in what the guest reports, from `log`, until that ends: then every command in it has ended too.
    pub(crate) fn follow(self: &Arc<Self>, log: Log) {
        let control = Arc::clone(self);
        thread::spawn(move || {
            let mut mark = Mark::default();
            while let Some(line) = log.next_line(&mut mark) {
                control.take_in(&line);
            }
            for state in control.jobs().values_mut() {
                if !matches!(state, State::Ended { .. }) {
                    *state = State::Ended {
                        status: 128 + Signal::KILL.as_raw(),
                    };
                }
            }
            control.changed.notify_all();
        });
    }

    fn take_in(&self, line: &str) {
        let mut words = line.split(' ');
        let (Some(verb), Some(name), Some(number)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let state = match (verb, number.parse::<u32>()) {
            ("started", Ok(pid)) => State::Running { pid },
            ("exited", Ok(status)) => State::Ended {
                status: status.cast_signed(),
            },
            _ => return,
        };
        self.jobs().insert(name.to_owned(), state);
        self.changed.notify_all();
    }

    /// Starts the command of that name; it runs when this returns.
    pub(crate) fn start(self: &Arc<Self>, name: String) -> Job {
        let mut jobs = self.jobs();
        jobs.insert(name.clone(), State::Ordered);
        self.say(&format!("start {name}"));
        let deadline = Instant::now() + self.patience;
        while matches!(jobs.get(&name), Some(State::Ordered)) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the guest did not start {name}");
            jobs = self
                .changed
                .wait_timeout(jobs, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Job {
            name,
            control: Arc::clone(self),
        }
    }

    fn say(&self, words: &str) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        // A guest that is gone reports the end of its commands in `follow`.
        let _ = writeln!(line, "{words}");
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    pub(crate) fn signal(&self, signal: Signal) {
        let state = self.control.jobs().get(&self.name).copied();
        if let Some(State::Running { pid }) = state {
            self.control.say(&format!("signal {} {pid}", signal.as_raw()));
        }
    }

    pub(crate) fn status(&self) -> Option<i32> {
        match self.control.jobs().get(&self.name) {
            Some(State::Ended { status }) => Some(*status),
            _ => None,
        }
    }

    /// What the command prints, from the file that it prints to: its end is the end of the command.
    pub(crate) fn output(&self, file: File) -> impl Read + Send + 'static {
        Output {
            file,
            job: Self {
                name: self.name.clone(),
                control: Arc::clone(&self.control),
            },
        }
    }
}

struct Output {
    file: File,
    job: Job,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // In this order: what was printed before the end is in the file when the end is known.
            let ended = self.job.status().is_some();
            let count = self.file.read(buffer)?;
            if count > 0 || ended {
                return Ok(count);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
