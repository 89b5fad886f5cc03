//! `pinhole-server`: arguments, log, app, exit code.

mod app;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use pinhole_server::args::{Args, Command};
use pinhole_server::config::ConfigError;
use pinhole_service::log;

fn main() -> ExitCode {
    let args = Args::parse();
    let file = match args.config() {
        Ok(file) => file.map(Path::to_owned),
        Err(error) => error.exit(),
    };
    let is_service = args.command.is_none();
    // What is asked for besides running says its own words.
    log::start("pinhole-server", if is_service { "info" } else { "off" });
    let outcome = match args.command {
        Some(Command::Check { offline, .. }) => app::check(file.as_deref(), args.listen, offline),
        None => app::run(file, args.listen),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, is_service);
            exit_code(&error)
        }
    }
}

/// Of a configuration all that is wrong with it, a line each.
fn complain(error: &anyhow::Error, is_service: bool) {
    let lines = match error.downcast_ref::<ConfigError>() {
        Some(error) => error.lines(),
        None => vec![format!("{error:#}")],
    };
    for line in lines {
        if is_service {
            tracing::error!("{line}");
        } else {
            let _ = writeln!(io::stderr(), "pinhole-server: {line}");
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
