//! Puts the server together and runs it until a signal.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use pinhole_server::args::Args;
use pinhole_server::config::Config;
use pinhole_server::http::{Server, urls};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

const CONFIG: &str = "/etc/pinhole/server.toml";
const LOG_VARIABLE: &str = "PINHOLE_LOG";
/// File descriptors for what is not a connection.
const OTHER_FILES: u64 = 64;

/// Logs to the standard error, as `PINHOLE_LOG` says.
pub(crate) fn start_log() {
    let (filter, mistake) = match std::env::var(LOG_VARIABLE) {
        Err(_) => (EnvFilter::new("info"), None),
        Ok(wanted) => match EnvFilter::try_new(&wanted) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        },
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    if let Some(error) = mistake {
        tracing::warn!(%error, "{LOG_VARIABLE} is not a log filter; logging at info");
    }
}

/// Runs the server; returns when it has stopped.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut config = match args.config {
        Some(path) => Config::read(&path)?,
        None if Path::new(CONFIG).exists() => Config::read(Path::new(CONFIG))?,
        None => Config::default(),
    };
    config.listen = args.listen.unwrap_or(config.listen);
    config.limits.connections = affordable(config.limits.connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can't start the threads")?;
    let code = runtime.block_on(serve(&config));
    // A handler that would not end must not keep the process.
    runtime.shutdown_background();
    code
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;
    let server = Server::bind(config)?;
    let version = env!("CARGO_PKG_VERSION");
    let open = urls(server.address()).join(" or ");
    tracing::info!(
        "pinhole-server {version} listens on {}; open {open}",
        server.address()
    );

    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(server.run(stop.clone()));
    loop {
        let name = tokio::select! {
            biased;
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = &mut serving => break,
        };
        if stop.is_cancelled() {
            tracing::warn!("{name} again: stopping at once");
            return Ok(ExitCode::FAILURE);
        }
        tracing::info!("{name}: stopping");
        stop.cancel();
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// How many connections the system lets this process have, up to those wanted.
fn affordable(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections as u64 + OTHER_FILES;
    let at_most = limit.maximum.unwrap_or(u64::MAX);
    let now = limit.current.unwrap_or(u64::MAX);
    if now >= wanted {
        return connections;
    }
    let raised = wanted.min(at_most);
    let files = match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        },
    ) {
        Ok(()) => raised,
        Err(_) => now,
    };
    let affordable = (files.saturating_sub(OTHER_FILES) as usize).clamp(4, connections);
    if affordable < connections {
        tracing::warn!(
            "the system allows {files} open files, enough for {affordable} of {connections} connections; raise it \
             (systemd: LimitNOFILE=)"
        );
    }
    affordable
}
