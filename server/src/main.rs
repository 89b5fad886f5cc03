//! `pinhole-server`: arguments, log, app, exit code.

mod app;

use std::process::ExitCode;

use clap::Parser;
use pinhole_server::args::{Args, Command};
use pinhole_server::config::ConfigError;
use pinhole_service::log;

fn main() -> ExitCode {
    let args = Args::parse();
    log::start("pinhole-server", "info");
    let outcome = match args.command {
        Some(Command::Check { file, offline }) => app::check(&file, offline),
        None => app::run(args.config, args.listen),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            exit_code(&error)
        }
    }
}

/// A configuration with a mistake stays one however often the program is started: the unit's
/// `RestartPreventExitStatus=` knows this status.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConfigError>() {
        ExitCode::from(pinhole_service::config::EXIT_STATUS)
    } else {
        ExitCode::FAILURE
    }
}
