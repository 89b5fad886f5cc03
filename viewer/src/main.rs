//! `pinhole-view`: arguments, log, runtime, app, exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use pinhole_service::log;
use pinhole_view::{app, args::Cli};

/// Without PINHOLE_LOG: our own warnings, and of the libraries only what breaks.
const LOG: &str = "error,rtc=off,pinhole_view=warn,pinhole_signaling=warn,pinhole_service=warn";

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start("pinhole-view", LOG);
    match run(cli) {
        Ok(code) => code,
        // Something on this machine: in a line for people, as everything else.
        Err(error) => {
            let _ = writeln!(io::stderr(), "pinhole-view: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start the threads")?
        .block_on(app::run(cli))
}
