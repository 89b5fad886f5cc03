//! What viewers cost here and at another revision, measured by turns. `dev/compare` runs this.
//!
//! Of the other revision only the node is taken, in its own bench's `feed`; server, viewers and what is measured are this revision's in both.

use std::env;
use std::path::Path;

use anyhow::{Context, bail};
use pinhole_e2e::network::Network;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::start_server;

use crate::fanout::{Row, crowds, middle, sorted, start_feed};
use crate::viewer::Ciphers;
use crate::{MOST, machine, print, print_line};

/// Viewers at the same time.
const CROWDS: [usize; 3] = [1, 50, MOST];
/// What is compared.
const FIGURES: [&str; 9] = [
    "CPU of one of 50 viewers, ms a second",
    "of one of 200",
    "memory of one of 50, KiB",
    "of one of 200",
    "packets a second to 50",
    "to 200",
    "offer to first packet with 50, median, ms",
    "capture to the last of 200, median, ms",
    "99th percentile",
];

/// Compares this program with that one, so many times, and prints a row for each pair, and the medians of the ratios.
pub fn run(there: &str, pairs: &str, ciphers: &str) -> anyhow::Result<()> {
    let (here, there) = (env::current_exe()?, Path::new(there));
    let pairs: usize = pairs.parse().context("the number of pairs")?;
    let ciphers = Ciphers::named(ciphers)?;
    print(&machine::describe()?)?;
    print_line(&format!("| pair | {} | load |", FIGURES.join(" | ")))?;
    print_line(&format!("|{}", "--:|".repeat(FIGURES.len() + 2)))?;
    let mut ratios = Vec::new();
    for pair in 1..=pairs {
        let what = |node| format!("pair {pair} of {pairs}, {node}");
        // Who is first takes turns, too.
        let (here, there) = if pair % 2 == 0 {
            let here = measure(&what("here"), &here, ciphers)?;
            (here, measure(&what("there"), there, ciphers)?)
        } else {
            let there = measure(&what("there"), there, ciphers)?;
            (measure(&what("here"), &here, ciphers)?, there)
        };
        let both: Vec<_> = here.iter().zip(&there).collect();
        let cells: Vec<_> = both
            .iter()
            .map(|(here, there)| format!("{} : {}", short(**here), short(**there)))
            .collect();
        print_line(&format!(
            "| {pair} | {} | {} |",
            cells.join(" | "),
            machine::load()?
        ))?;
        ratios.push(
            both.iter()
                .map(|(here, there)| *here / *there)
                .collect::<Vec<_>>(),
        );
    }
    let medians = (0..FIGURES.len()).map(|figure| {
        let of_pairs = ratios.iter().map(|ratios| ratios[figure]);
        format!("{:.3}", median(&sorted(of_pairs.collect())))
    });
    let medians: Vec<_> = medians.collect();
    print(&format!("| median of the ratios | {} | |", medians.join(" | ")))
}

/// The figures of one run.
fn measure(what: &str, program: &Path, ciphers: Ciphers) -> anyhow::Result<[f64; FIGURES.len()]> {
    let network = Network::without_guest();
    let _server = start_server(&network);
    let node = start_feed(&network, &[program.as_os_str()], SOON)?;
    let rows = crowds(&network, what, &node, program, ciphers, &CROWDS)?;
    let [one, some, many] = &rows[..] else {
        bail!("there are {} rows", rows.len());
    };
    if many.latencies.is_empty() {
        bail!("no picture was seen by all of {} viewers", many.viewers);
    }
    if many.latencies[0] < 0.0 {
        bail!(
            "a picture was there before it was captured: {:.3} ms",
            many.latencies[0]
        );
    }
    let more = |row: &Row, of: fn(&Row) -> f64| (of(row) - of(one)) / (row.viewers - one.viewers) as f64;
    let cpu = |row: &Row| row.usage.cpu;
    let memory = |row: &Row| row.usage.rss as f64;
    Ok([
        more(some, cpu),
        more(many, cpu),
        more(some, memory),
        more(many, memory),
        some.packets_per_second,
        many.packets_per_second,
        middle(&some.waits),
        middle(&many.latencies),
        last_but_one_percent(&many.latencies),
    ])
}

fn last_but_one_percent(sorted: &[f64]) -> f64 {
    let place = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) && half > 0 {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        middle(sorted)
    }
}

/// As many digits as mean something.
fn short(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
