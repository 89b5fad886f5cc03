//! The daemon's entry: arguments, configuration, log, runtime, app, exit code.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use pinhole_node::{
    app,
    config::{self, Config},
    system::log,
};

/// Streams a camera over WebRTC to whoever calls.
#[derive(Parser)]
#[command(name = "pinhole-node", version)]
struct Arguments {
    /// The configuration. Without this option it is /etc/pinhole/node.toml, or the defaults where there is none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Tells whether a configuration is valid, and what is wrong where it is not.
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Lists the cameras of this machine.
    Devices,
}

const DEFAULT_CONFIG: &str = "/etc/pinhole/node.toml";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Check { file }) => check(&file),
        Some(Command::Devices) => devices(),
        None => run(arguments.config.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "pinhole-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let config = match file {
        Some(file) => config::load(file)?,
        None if Path::new(DEFAULT_CONFIG).exists() => config::load(DEFAULT_CONFIG.as_ref())?,
        None => Config::default(),
    };
    log::start();
    // Two are enough: one moves packets while the other talks to the server. The camera has its own thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(app::run(config));
    // A camera that hangs in the kernel must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn check(file: &Path) -> anyhow::Result<()> {
    config::load(file)?;
    writeln!(std::io::stdout(), "{} is valid", file.display())?;
    Ok(())
}

fn devices() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let cameras = pinhole_node::capture::v4l2::discover();
    if cameras.is_empty() {
        writeln!(out, "no camera: nothing under /dev/video* captures pictures")?;
    }
    for camera in cameras {
        writeln!(
            out,
            "{}  {}  ({}, {})",
            camera.path.display(),
            camera.card,
            camera.driver,
            camera.bus
        )?;
    }
    Ok(())
}
