//! `pinhole-view`: arguments, log, runtime, app, exit code.

use std::{io, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use pinhole_view::{app, args::Cli};
use tracing_subscriber::EnvFilter;

/// Without PINHOLE_LOG: our own warnings, and of the libraries only what breaks.
const LOG: &str = "error,pinhole_view=warn,pinhole_signaling=warn";

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let filter = match std::env::var("PINHOLE_LOG") {
        Ok(filter) => filter
            .parse()
            .context("PINHOLE_LOG is not a tracing filter such as pinhole_view=debug")?,
        Err(_) => EnvFilter::new(LOG),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start the runtime")?
        .block_on(app::run(cli))
}
