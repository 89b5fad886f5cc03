//! What a viewer costs the node, its picture, its sound and its voice, how soon it sees a picture, and what each kind of camera costs.
//! `dev/bench` runs this and prints the tables of docs/benchmarks.md; so do `dev/compare`, `dev/profile` and `dev/instructions`.
//!
//! The node is measured from outside, as a process: pinhole-node itself with its pattern, and [`feed`], the same node
//! without an encoder. The viewers are [`crowd`], many in another process, and a real Chromium. Server, node and viewers
//! have a network namespace to themselves.

mod arrival;
mod browser;
mod child;
mod compare;
mod crowd;
mod fanout;
mod feed;
mod inputs;
mod latency;
mod loss;
mod loudspeaker;
mod machine;
mod parts;
mod reports;
mod seal;
mod sound;
mod talk;
mod threads;
mod usage;
mod viewer;
mod window;

use std::env;

use anyhow::{Context, bail};
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::skip::{Need, reason};

/// What the node is called on the server.
const NODE: &str = "porch";
/// Viewers at the same time: first one, in the end a crowd.
const CROWDS: [usize; 4] = [1, 10, 50, 100];
/// More than these are never there.
const MOST: usize = 200;

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`.
    let words: Vec<_> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => bench(&Part::ALL),
        ["crowd", server, manner, ciphers] => crowd::run(server, manner, ciphers),
        ["feed", server] => feed::run(server, false),
        ["feed", server, "loudspeaker"] => feed::run(server, true),
        ["compare", there, pairs, ciphers] => compare::run(there, pairs, ciphers),
        ["window", viewers, seconds, ciphers, hook, ref node @ ..] => {
            window::run(viewers, seconds, ciphers, hook, node)
        }
        ["parts", ref profiles @ ..] => parts::run(profiles),
        ["seal", cipher, packets] => seal::run(cipher, packets),
        _ => {
            let parts: anyhow::Result<Vec<_>> = words.iter().map(|word| Part::named(word)).collect();
            bench(&parts?)
        }
    }
}

/// A part of the bench that can be run alone.
#[derive(Clone, Copy)]
enum Part {
    Software,
    Passthrough,
    Rush,
    Threads,
    Loss,
    Sound,
    Browser,
    Inputs,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Software,
        Self::Passthrough,
        Self::Rush,
        Self::Threads,
        Self::Loss,
        Self::Sound,
        Self::Browser,
        Self::Inputs,
    ];

    fn named(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "software" => Self::Software,
            "passthrough" => Self::Passthrough,
            "rush" => Self::Rush,
            "threads" => Self::Threads,
            "loss" => Self::Loss,
            "sound" => Self::Sound,
            "browser" => Self::Browser,
            "inputs" => Self::Inputs,
            _ => {
                bail!(
                    "there is no part {word:?}: software, passthrough, rush, threads, loss, sound, browser, inputs, or nothing for all of them"
                )
            }
        })
    }

    fn run(self) -> anyhow::Result<()> {
        let network = Network::without_guest;
        match self {
            Self::Software => fanout::software(&network()),
            Self::Passthrough => fanout::passthrough(&network()),
            Self::Rush => fanout::rush(&network()),
            Self::Threads => threads::measure(&network()),
            Self::Loss => loss::measure(&network()),
            Self::Sound => sound::measure(&network()),
            Self::Browser => browser::measure(&network()),
            Self::Inputs => inputs::measure(),
        }
    }
}

fn bench(parts: &[Part]) -> anyhow::Result<()> {
    if let Some(reason) = reason(Need::Network) {
        bail!("the bench can't run here: {reason}");
    }
    print(&machine::describe().context("this machine's description")?)?;
    for part in parts {
        part.run()?;
    }
    Ok(())
}

/// A part of the report: on standard output, where everything else of this program is not.
fn print(text: &str) -> anyhow::Result<()> {
    print_line(&format!("{text}\n"))
}

/// A line of it.
fn print_line(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// What is done now, for the person who waits.
fn progress(text: &str) {
    loudly(&format!("bench: {text}"));
}
