//! Puts the rooms together: arguments in, exit code out.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::Context;
use pinhole_signaling::{Member, ServerUrl, Token};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Action, Cli, WatchArgs},
    call::{self, Ending, Watch},
    printable::printable,
    receive::Codec,
    record::{RecordError, Recording, Target},
    report::{Reporter, json::Json, text::Text},
};

/// The exit code of a program that a second signal ended, as shells have it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Does what the command line says.
///
/// # Errors
/// Where this machine fails us; that a node can't be watched is an exit code.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let token = cli.token_file.as_deref().map(Token::read).transpose()?;
    match cli.action {
        Action::List { json } => list(&cli.server, token.as_ref(), json).await,
        Action::Watch(args) => watch(cli.server, token, args).await,
    }
}

async fn list(server: &ServerUrl, token: Option<&Token>, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut members = match call::list(server, token).await {
        Ok(members) => members,
        Err(ending) => {
            writeln!(io::stderr(), "pinhole-view: {ending}")?;
            return Ok(ExitCode::from(ending.exit_code(0)));
        }
    };
    members.sort_by_key(|member| member.id);
    let mut out = io::stdout().lock();
    let written = members
        .iter()
        .try_for_each(|Member { name, id, .. }| match as_json {
            true => writeln!(out, "{}", json!({ "id": id.get(), "name": name.to_string() })),
            false => writeln!(out, "{:>5}  {}", id.get(), printable(&name.to_string())),
        });
    // A reader that has seen enough (`| head -1`) is no failure.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the list")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn watch(server: ServerUrl, token: Option<Token>, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let (stop, _signals) = stop_on_signals()?;
    let started = start_recording(&args);
    let (recorder, recording) = match started {
        Ok(Some((codec, recorder, recording))) => (Some((codec, recorder)), Some(recording)),
        Ok(None) => (None, None),
        Err(error) => {
            writeln!(io::stderr(), "pinhole-view: {error}")?;
            return Ok(ExitCode::from(Ending::Recording(error.to_string()).exit_code(0)));
        }
    };
    let (codec_of_file, recorder) = recorder.unzip();
    let codecs = match args.codec.or(codec_of_file.flatten()) {
        Some(codec) => vec![codec],
        None => vec![Codec::H264, Codec::Vp8],
    };
    let options = Watch {
        server,
        token,
        node: args.node,
        patience: args.wait,
        time: args.seconds,
        interval: args.interval,
        codecs,
        ice_servers: args.ice_servers,
    };
    let mut reporter: Box<dyn Reporter> = match args.json {
        true => Box::new(Json::new(io::stdout(), io::stderr())),
        false => {
            let columns: Option<fn() -> usize> = if io::stdout().is_terminal() {
                Some(columns)
            } else {
                None
            };
            Box::new(Text::new(io::stdout(), io::stderr(), columns))
        }
    };
    let failing = recorder.clone();
    let stop = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            // What is wrong comes out when the recording is asked for.
            () = async {
                match failing {
                    Some(recorder) => recorder.closed().await,
                    None => std::future::pending().await,
                }
            } => {}
        }
        Ending::Stopped
    };
    let mut outcome = call::watch(&options, recorder, &mut *reporter, stop).await;
    let mut recorded = Vec::new();
    match recording.map(Recording::finish).transpose() {
        Ok(files) => recorded = files.unwrap_or_default(),
        Err(error) => outcome.ending = Ending::Recording(error.to_string()),
    }
    match reporter.finish(&outcome, &recorded) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the summary")
        }
        _ => Ok(ExitCode::from(outcome.ending.exit_code(outcome.total.frames))),
    }
}

/// The width of the terminal; 80 where it does not tell.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    size.map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|&columns| columns > 0)
        .unwrap_or(80)
}

type Started = Option<(Option<Codec>, crate::record::Recorder, Recording)>;

fn start_recording(args: &WatchArgs) -> Result<Started, RecordError> {
    let Some(path) = &args.record else { return Ok(None) };
    let target = Target::new(path.clone(), args.force, args.codec)?;
    let codec = target.codec();
    let (recorder, recording) = Recording::start(target)?;
    Ok(Some((codec, recorder, recording)))
}

/// A token that the first SIGINT, SIGTERM or SIGHUP (the terminal was closed) cancels; the second one ends the program at once.
fn stop_on_signals() -> anyhow::Result<(CancellationToken, JoinSet<()>)> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let token = CancellationToken::new();
    let mut task = JoinSet::new();
    let cancel = token.clone();
    task.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(INTERRUPTED);
            }
            cancel.cancel();
        }
    });
    Ok((token, task))
}
