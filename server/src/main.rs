//! `pinhole-server`: arguments, configuration, log, runtime, app, exit code.

mod app;
mod args;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    app::start_log();
    match app::run(args) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
