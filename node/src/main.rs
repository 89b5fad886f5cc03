//! The daemon's entry: arguments, configuration, log, runtime, app, exit code.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use pinhole_node::{
    app,
    args::{Args, Command, DEFAULT_CONFIG},
    check,
    config::{self, ConfigError},
    control,
    devices::Devices,
};
use pinhole_service::{check::report, log};

/// Our own words from `info` on, those of libraries from `warn` on. Of the WebRTC core nothing, in all of its crates (targets that begin
/// so): what it calls warnings and errors is what strangers, old sessions and bad networks send, as often as they like. A person
/// can do nothing about it, and what becomes of a session we tell ourselves.
const LOG: &str = "warn,pinhole_node=info,pinhole_signaling=info,pinhole_service=info,rtc=off";

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        Some(Command::Check { file, offline }) => check(&file, offline),
        Some(Command::Safe { file }) => safe(&file),
        Some(Command::Devices { json }) => devices(json),
        None => run(args.config),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "pinhole-node: {error:#}");
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

fn run(file: Option<PathBuf>) -> anyhow::Result<()> {
    // A file that was asked for has to be there; the usual one need not.
    let (config, file) = match file {
        Some(file) => (config::load(&file)?, file),
        None => (
            config::load_or_default(DEFAULT_CONFIG.as_ref())?,
            DEFAULT_CONFIG.into(),
        ),
    };
    log::start("pinhole-node", LOG);
    // Two are enough: one moves packets while the other talks to the server. The camera has its own thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(app::run(config, file));
    // A camera that hangs in the kernel must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn check(file: &Path, offline: bool) -> anyhow::Result<()> {
    let config = config::load(file)?;
    let mut out = std::io::stdout();
    writeln!(out, "{} is valid", file.display())?;
    if offline {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let findings = runtime.block_on(check::run(&config));
    let failures = report(&findings)?;
    anyhow::ensure!(failures == 0, "{failures} of these would fail");
    Ok(())
}

fn safe(file: &Path) -> anyhow::Result<()> {
    let control::Remains { pins, mut unread } = control::Record::of_service().remains(file);
    if pins.is_empty() && !unread.is_empty() {
        return Err(unread.swap_remove(0).into());
    }
    let failures = pins.iter().flat_map(control::make_safe);
    let failures = failures.map(|failure| format!("not made safe: {failure}"));
    let unread = unread.iter().map(|error| format!("not read: {error}"));
    let troubles: Vec<_> = failures.chain(unread).collect();
    anyhow::ensure!(troubles.is_empty(), troubles.join("; "));
    Ok(())
}

fn devices(json: bool) -> anyhow::Result<()> {
    let devices = Devices::find();
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&devices)?)?;
    } else {
        write!(out, "{devices}")?;
    }
    Ok(())
}
