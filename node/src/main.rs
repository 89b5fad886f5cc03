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

/// Our own words from `info` on, those of libraries from `warn` on. What the WebRTC core warns of are packets that
/// strangers or old sessions send; a person can do nothing about them.
const LOG: &str = "warn,pinhole_node=info,pinhole_signaling=info,pinhole_service=info,\
                   rtc=error,rtc_ice=error,rtc_dtls=error,rtc_srtp=error";

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
    let record = control::Record::of_service();
    let (recorded, written) = (record.read(), config::gpio::of_file(file));
    let (recorded, mut failures) = match recorded {
        Ok(recorded) => (recorded, Vec::new()),
        Err(error) => (None, vec![format!("what the node had in use: {error}")]),
    };
    // In this order: what was in use first, and then what the next start finds in the file.
    failures.extend(recorded.iter().flat_map(control::make_safe));
    match written {
        Ok(gpio) if Some(&gpio) == recorded.as_ref() => {}
        Ok(gpio) => failures.extend(control::make_safe(&gpio)),
        Err(error) if recorded.is_some() => writeln!(
            std::io::stderr(),
            "pinhole-node: {error} (made safe is what the node had in use)"
        )?,
        Err(error) if failures.is_empty() => return Err(error.into()),
        Err(error) => failures.push(error.to_string()),
    }
    anyhow::ensure!(failures.is_empty(), "not made safe: {}", failures.join("; "));
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
