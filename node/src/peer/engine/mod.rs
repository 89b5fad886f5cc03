//! One task with all sessions of all cameras. In a crowd other threads send for it.

mod crew;
mod farewell;
mod host;
mod limits;
mod media;
mod network;
mod parts;
mod port;
mod requests;
mod silence;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, time::Instant};

use pinhole_service::watchdog::{BEAT, Pulse};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    channels::Outgoing,
    ending::Ending,
    report::Report,
    request::{Calls, Request},
    transport::{Names, Source, Transport},
    viewers::{Questions, Tally, Viewers},
};
use host::Host;

pub use parts::{Parts, Settings};

/// Serves all viewers.
pub struct Engine {
    host: Host,
    changes: watch::Receiver<Settings>,
    requests: mpsc::Receiver<Request>,
    questions: Questions,
    viewers: Viewers,
}

impl Engine {
    /// One without cameras, and where it is asked to serve some ([`Request::Open`]).
    pub fn new(parts: Parts) -> (Self, Calls) {
        let mut changes = parts.settings.clone();
        // What holds by now, the host reads.
        changes.mark_unchanged();
        let (tally, questions, viewers) = Tally::new();
        let (calls, requests) = Calls::new();
        let host = Host::new(parts, tally);
        let engine = Self {
            host,
            changes,
            requests,
            questions,
            viewers,
        };
        (engine, calls)
    }

    /// Where to ask who watches, while the engine runs.
    pub fn viewers(&self) -> Viewers {
        self.viewers.clone()
    }

    /// Serves viewers until `stop`, or until nobody can call any more, then tells each of them. Beats `pulse` at least every few
    /// seconds.
    pub async fn run(mut self, stop: CancellationToken, pulse: Pulse) {
        let host = &mut self.host;
        let mut names = Names::new(host.settings.stun_servers.clone());
        let mut beat = tokio::time::interval(BEAT);
        loop {
            pulse.beat();
            let (deadline, rest) = (host.sessions.deadline(), host.rest);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before all else: neither a flood of packets nor one of calls must delay the picture.
                (index, unit) = media::next_unit(&mut host.feeds) => host.broadcast(index, unit),
                (index, unit) = media::next_sound(&mut host.sounds) => host.broadcast_sound(index, unit),
                // In turns, by chance: who floods one of these must not keep the engine from the others.
                next = async { tokio::select! {
                    request = self.requests.recv() => Next::Request(request),
                    source = readable(&host.transport, rest) => Next::Readable(source),
                    Some(outgoing) = host.channels.outgoing.recv() => Next::Outgoing(outgoing),
                    Some(question) = self.questions.recv() => Next::Question(question),
                    servers = names.resolved() => Next::Servers(servers),
                    Ok(()) = self.changes.changed() => Next::Settings,
                    () = sleep_until(deadline) => Next::Time,
                    _ = beat.tick() => Next::Time,
                } } => match next {
                    Next::Request(Some(request)) => host.take(request),
                    Next::Request(None) => break,
                    Next::Readable(source) => host.read(source),
                    Next::Outgoing(outgoing) => host.tell(outgoing),
                    Next::Question(question) => host.answer(question),
                    Next::Servers(servers) => host.reflexive.set_servers(servers),
                    Next::Settings => {
                        let settings = self.changes.borrow_and_update().clone();
                        if settings.stun_servers != host.settings.stun_servers {
                            names = Names::new(settings.stun_servers.clone());
                        }
                        host.reconfigure(settings);
                    }
                    Next::Time => host.fall_back(Instant::now()),
                },
            }
            host.advance_due(Instant::now());
        }
        for id in host.sessions.which(|_| true) {
            host.end(id, Ending::Stopped);
        }
    }
}

/// What the engine does between two pictures.
enum Next {
    Request(Option<Request>),
    Readable(Source),
    Outgoing(Outgoing),
    Question(oneshot::Sender<Report>),
    Servers(Vec<SocketAddr>),
    Settings,
    Time,
}

/// Waits until there are packets, and for the end of the rest before. Cancel safe.
async fn readable(transport: &Transport, rest: Option<Instant>) -> Source {
    if let Some(rest) = rest {
        tokio::time::sleep_until(rest.into()).await;
    }
    transport.readable().await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
