//! `pinhole-server`: arguments, configuration, log, runtime, app, exit code.

mod app;

use std::process::ExitCode;

use clap::Parser;
use pinhole_server::args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    app::start_log();
    match app::run(args) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
