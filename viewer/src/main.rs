//! `pinhole-view`: arguments, log, runtime, app, exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use pinhole_service::log;
use pinhole_view::{app, args::Cli};

/// Without PINHOLE_LOG: our own warnings, and of the libraries only what breaks.
const LOG: &str = "error,rtc=off,pinhole_view=warn,pinhole_signaling=warn,pinhole_service=warn";

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    log::start("pinhole-view", LOG);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start the threads")?
        .block_on(app::run(cli))
}
