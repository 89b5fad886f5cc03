//! Puts the server together and runs it until a signal.

mod check;
mod files;
mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use pinhole_server::args::DEFAULT_CONFIG;
use pinhole_server::config::Config;
use pinhole_server::http::{Server, urls};
use pinhole_service::notify;
use pinhole_service::signals::{Request, Signals};
use pinhole_service::watchdog::Watchdog;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use check::check;
use reload::Reloader;

/// How long the server may be busy without getting around.
const PATIENCE: Duration = Duration::from_secs(10);
/// The status line changes no more often, however many members come and go.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// Runs the server until a signal ends it.
///
/// # Errors
/// It can't start, or a second signal cut its end short.
pub(crate) fn run(file: Option<PathBuf>, listen: Option<SocketAddr>) -> anyhow::Result<()> {
    // A file that was asked for has to be there; the usual one need not.
    let (mut config, file) = match file {
        Some(file) => (Config::read(&file)?, file),
        None => (
            Config::read_or_default(DEFAULT_CONFIG.as_ref())?,
            DEFAULT_CONFIG.into(),
        ),
    };
    config.listen = listen.unwrap_or(config.listen);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can't start the threads")?;
    let outcome = runtime.block_on(serve(config, file, listen.is_some()));
    // A handler that would not end must not keep the process.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config, file: PathBuf, is_listen_given: bool) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("can't listen for signals")?;
    let server = Server::bind(&files::affordable(config.clone()))?;
    let address = server.address();
    let control = server.control();
    let open = urls(address).join(" or ");
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!("pinhole-server {version} listens on {address}; open {open}");

    let watchdog = Watchdog::default();
    let stop = CancellationToken::new();
    let pulse = watchdog.pulse("the server", PATIENCE);
    let mut serving = std::pin::pin!(server.run(stop.clone(), pulse));
    let mut members = control.members();
    let mut reloader = Reloader {
        file,
        is_listen_given,
        config,
        mistake: None,
        control,
    };
    let mut feed = std::pin::pin!(watchdog.run());
    notify::ready();
    loop {
        if !stop.is_cancelled() {
            notify::status(&status(address, &reloader, *members.borrow_and_update()));
        }
        let signal = tokio::select! {
            biased;
            request = signals.next() => match request {
                Request::Stop(signal) => signal,
                Request::Reload => {
                    reloader.reload();
                    continue;
                }
            },
            () = &mut serving => break,
            () = &mut feed => continue,
            () = changed(&mut members) => continue,
        };
        if stop.is_cancelled() {
            bail!("{signal} again: stopping at once");
        }
        tracing::info!("{signal}: stopping");
        notify::stopping();
        notify::status("stopping");
        stop.cancel();
    }
    if !stop.is_cancelled() {
        bail!("the server ended unexpectedly; this is a bug, and a restart is the way on");
    }
    tracing::info!("stopped");
    Ok(())
}

/// What goes on, for `systemctl status`.
fn status(address: SocketAddr, reloader: &Reloader, members: usize) -> String {
    let members = match members {
        0 => "nobody is signed in".to_owned(),
        1 => "1 member is signed in".to_owned(),
        _ => format!("{members} members are signed in"),
    };
    let access = match reloader.config.access.token {
        Some(_) => "whoever has the token may",
        None => "everybody may",
    };
    let line = format!("listening on {address}; {members}; {access}");
    match &reloader.mistake {
        // First, because the line may be cut at its end.
        Some(mistake) => format!("old configuration kept ({mistake}); {line}"),
        None => line,
    }
}

/// Waits until the number of members has changed, and for [`STATUS_PAUSE`] in any case.
async fn changed(members: &mut watch::Receiver<usize>) {
    tokio::time::sleep(STATUS_PAUSE).await;
    if members.changed().await.is_err() {
        // The server has ended, which is another's news.
        std::future::pending().await
    }
}
