//! One task with all sessions of all cameras.

mod host;
mod media;
mod network;
mod requests;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use pinhole_service::watchdog::{BEAT, Pulse};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    channels::{Channels, Ears},
    ending::Ending,
    request::{Calls, Request},
    transport::{Names, Transport},
    viewers::{Questions, Tally, Viewers},
};
use crate::{
    fanout::Broadcast,
    media::{Privacy, SoundUnit},
    voice::Intake,
};
use host::Host;

pub use host::Settings;

/// Serves all viewers.
pub struct Engine {
    host: Host,
    changes: watch::Receiver<Settings>,
    requests: mpsc::Receiver<Request>,
    questions: Questions,
    viewers: Viewers,
}

/// What an engine is made of.
pub struct Parts {
    /// What carries packets.
    pub transport: Transport,
    /// What the configuration says, at any time.
    pub settings: watch::Receiver<Settings>,
    /// The sound of all cameras.
    pub sound: Broadcast<SoundUnit>,
    /// What was captured before this is switched on is not sent any more.
    pub privacy: Privacy,
    /// Who takes part in viewers' control channels; without, there are none.
    pub ears: Option<Arc<dyn Ears>>,
    /// Where viewers are heard, as far as the settings allow it.
    pub intake: Option<Intake>,
}

impl Engine {
    /// One without cameras, and where it is asked to serve some ([`Request::Open`]).
    pub fn new(parts: Parts) -> (Self, Calls) {
        let Parts {
            transport,
            settings: mut changes,
            sound,
            privacy,
            ears,
            intake,
        } = parts;
        let settings = changes.borrow_and_update().clone();
        let (tally, questions, viewers) = Tally::new();
        let (calls, requests) = Calls::new();
        let channels = Channels::new(ears);
        let host = Host::new(settings, transport, &sound, privacy, channels, intake, tally);
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
            let deadline = host.sessions.deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before the sockets: a flood of packets must not delay the picture.
                (index, unit) = media::next_unit(&mut host.feeds) => host.broadcast(index, unit),
                (index, unit) = media::next_sound(&mut host.sounds) => host.broadcast_sound(index, unit),
                request = self.requests.recv() => match request {
                    Some(request) => host.take(request),
                    None => break,
                },
                source = host.transport.readable() => host.read(source),
                Some(outgoing) = host.channels.outgoing.recv() => host.tell(outgoing),
                Some(question) = self.questions.recv() => host.answer(question),
                servers = names.resolved() => host.reflexive.set_servers(servers),
                Ok(()) = self.changes.changed() => {
                    let settings = self.changes.borrow_and_update().clone();
                    if settings.stun_servers != host.settings.stun_servers {
                        names = Names::new(settings.stun_servers.clone());
                    }
                    host.reconfigure(settings);
                }
                () = sleep_until(deadline) => {}
                _ = beat.tick() => {}
            }
            host.advance_due(Instant::now());
        }
        for id in host.sessions.which(|_| true) {
            host.end(id, Ending::Stopped);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
