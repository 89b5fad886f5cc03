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

/// What is asked for besides running says its own words.
const QUIET: &str = "off";

fn main() -> ExitCode {
    let args = Args::parse();
    let file = match args.config() {
        Ok(file) => file.map(Path::to_owned),
        Err(error) => error.exit(),
    };
    if args.command.is_some() {
        log::start("pinhole-node", QUIET);
    }
    let outcome = match args.command {
        Some(Command::Check { offline, .. }) => check(file.as_deref(), offline),
        Some(Command::Safe { .. }) => safe(file.as_deref()),
        Some(Command::Devices { json }) => devices(json),
        None => run(file),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            exit_code(&error)
        }
    }
}

/// Of a configuration all that is wrong with it, a line each.
fn complain(error: &anyhow::Error) {
    let lines = match error.downcast_ref::<ConfigError>() {
        Some(error) => error.lines(),
        None => vec![format!("{error:#}")],
    };
    for line in lines {
        let _ = writeln!(std::io::stderr(), "pinhole-node: {line}");
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

fn check(file: Option<&Path>, offline: bool) -> anyhow::Result<()> {
    let usual = Path::new(DEFAULT_CONFIG);
    let config = match file {
        Some(file) => config::load(file)?,
        None => config::load_or_default(usual)?,
    };
    let mut out = std::io::stdout();
    match file.unwrap_or(usual) {
        file if file.exists() => writeln!(out, "{} is valid", file.display())?,
        file => writeln!(out, "there is no {}, and the defaults are valid", file.display())?,
    }
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

fn safe(file: Option<&Path>) -> anyhow::Result<()> {
    // As at a start: a file that was asked for has to be there. Whoever mistypes its name would think that the outputs are safe.
    let configured = match file {
        Some(file) => config::gpio::of_file(file),
        None => config::gpio::of_file_or_default(DEFAULT_CONFIG.as_ref()),
    };
    let control::Remains { pins, mut unread } = control::Record::of_service().remains(configured);
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
