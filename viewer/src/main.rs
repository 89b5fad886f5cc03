//! `pinhole-view`: arguments, log, runtime, app, exit code.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use pinhole_view::{app, args::Cli};
use tracing_subscriber::EnvFilter;

/// Without PINHOLE_LOG: our own warnings, and of the libraries only what breaks.
const LOG: &str = "error,rtc=off,pinhole_view=warn,pinhole_signaling=warn";

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start the threads")?
        .block_on(app::run(cli))
}

/// Logs to the standard error, as `PINHOLE_LOG` says.
fn start_log() {
    let wanted = std::env::var("PINHOLE_LOG").unwrap_or_else(|_| LOG.to_owned());
    let (filter, mistake) = match EnvFilter::try_new(wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(LOG), Some(error)),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    log.with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    if let Some(error) = mistake {
        tracing::warn!(%error, "PINHOLE_LOG is not a log filter such as pinhole_view=debug");
    }
}
