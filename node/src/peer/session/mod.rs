//! One viewer, from its offer to its end. Without IO: packets, descriptions and the time go in
//! ([`Session::handle`]), packets and events come out ([`Session::poll`]).

mod account;
mod adapt;
mod beside;
mod candidate;
mod catching;
mod channel;
mod error;
mod handshake;
mod hello;
mod inflow;
mod io;
mod link;
mod media;
mod meter;
mod negotiation;
mod numbering;
mod offer;
mod outgoing;
mod output;
mod pace;
mod packet;
#[cfg(any(test, fuzzing))]
mod pretend;
mod probe;
mod receive;
mod redundancy;
mod remotes;
mod rendition;
mod repair;
mod rtp;
mod rungs;
mod sections;
mod send;
mod settling;
mod setup;
mod silence;
mod slices;
mod sound;
mod spread;
mod stamps;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod trickle;
mod voice;
mod waiting;
mod watch;
mod wish;

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use rtc::sansio::Protocol;
use tracing::debug;

use super::{
    id::CameraId,
    report::{Stage, Viewer},
    rtcp::Anchor,
    sdp::Offer,
    transport::Path,
};
use crate::media::{Codec, Rung, SoundCodec};
use account::Account;
use io::ToDo;
use link::Link;
use negotiation::Negotiation;
use offer::Opened;
use timer::Timer;

pub(super) use account::Summary;
pub(super) use channel::{Event as ChannelEvent, LONGEST};
pub use channel::{LABEL, PAGE};
pub(super) use error::SessionError;
#[cfg(any(test, fuzzing))]
pub(super) use handshake::first_message;
pub(super) use inflow::Heard;
pub use io::Candidate;
pub(super) use io::{Event, Input, Out, Output, Transmit};
pub(super) use offer::Terms;
pub(super) use remotes::first_named;
#[cfg(test)]
pub(super) use watch::Wish;

/// One viewer.
pub(super) struct Session {
    link: Link,
    negotiation: Negotiation,
    account: Account,
    to_do: ToDo,
    /// Whether the core may have something to send.
    stirred: bool,
    /// Packets that it was given since it was asked last.
    written: usize,
    /// Of the last input.
    now: Instant,
    timer: Timer,
}

impl Session {
    /// Takes an offer. The answer is the first event, and an offer of our own, where one is owed, the second.
    ///
    /// # Errors
    /// The offer has no codec of ours, or the core refuses it.
    pub(super) fn new(
        viewer: String,
        offer: Offer,
        addresses: &[SocketAddr],
        terms: &Terms,
        anchor: Anchor,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let Opened {
            link,
            negotiation,
            answer,
        } = offer::open(viewer, offer, addresses, terms, anchor, now)?;
        let mut session = Self {
            link,
            negotiation,
            account: Account::new(now),
            to_do: ToDo::Nothing,
            stirred: true,
            written: 0,
            now,
            timer: Timer::new(anchor.instant, now),
        };
        let told = session.negotiation.answered(answer, &mut session.link, now);
        session.negotiated(told);
        Ok(session)
    }

    /// Takes what happens. What comes of it is told by [`Session::poll`].
    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = now;
        self.stirred = true;
        let link = &mut self.link;
        match input {
            Input::Packet { path, data } => {
                if receive::packet(link, path, data, now) {
                    self.negotiation.remotes.hear(path.peer);
                    if link.outgoing.is_lost() || link.silence.is_back() {
                        // ICE has begun anew, or the viewer may have moved. Where the core sends the report to, the media go as well.
                        link.reports.hasten(now);
                    }
                }
                // RFC 7983: a message, or a handshake.
                if matches!(data.first(), Some(20..=63)) {
                    self.timer.hurry(now);
                }
                self.to_do = ToDo::Look;
            }
            Input::Timeout if self.timer.is_due(now) => {
                if self.timer.is_core_due(now) {
                    link.pace.runs(now);
                    if let Err(error) = link.connection.handle_timeout(now) {
                        debug!(viewer = %link.viewer, "the core's timer failed: {error}");
                    }
                }
                self.to_do = ToDo::Look;
            }
            Input::Timeout => {}
            Input::Offer(offer) => {
                let taken = self.negotiation.take_offer(*offer, link, now);
                self.negotiated(taken);
            }
            Input::Answer(sdp) if self.negotiation.awaits_answer() => {
                let taken = self.negotiation.take_answer(sdp, link, now);
                if link.stage == Stage::AwaitingKeyframe {
                    link.events.push_back(Event::KeyframeWanted);
                }
                self.negotiated(taken);
            }
            Input::Answer(_) => debug!(viewer = %link.viewer, "an answer to nothing"),
            Input::Candidate(line) => {
                if trickle::take(&mut self.negotiation.remotes, link, line, now) {
                    self.timer.call_at_once(now);
                }
            }
            Input::Reflexive(address) => {
                if link.stage == Stage::Connecting {
                    let candidate = self.negotiation.reflexive(address);
                    link.events.extend(candidate.map(Event::Candidate));
                }
            }
            Input::Message { channel, text } => {
                link.channel.send(channel, text, &mut link.connection, now);
                // SCTP repeats what gets lost, by a timer that may not have run before.
                self.timer.hurry(now);
                self.timer.call_at_once(now);
            }
            Input::CloseChannel(number) => link.channel.close(number, &mut link.connection),
            // Who was not heard at the beginning of the call stays so until the next one.
            Input::TalkBack(talk_back) => {
                if let Some(ear) = &mut link.media.ear {
                    ear.obey(talk_back);
                }
            }
            Input::RenditionGone => {
                if link.rungs.fall_back() {
                    link.events.push_back(Event::RungWanted(Rung::TOP));
                }
            }
            Input::Close => {
                if let Err(error) = link.connection.close() {
                    debug!(viewer = %link.viewer, "close: {error}");
                }
                self.to_do = ToDo::Nothing;
                self.timer.stop();
            }
        }
    }

    /// Whether this offer continues the session; otherwise it begins another one.
    pub(super) fn is_continued_by(&self, offer: &Offer) -> bool {
        self.negotiation.is_continued_by(offer)
    }

    /// The codec of the picture.
    pub(super) fn codec(&self) -> Codec {
        self.link.media.codec()
    }

    /// The codec in which this viewer hears us, while it does and can be heard itself.
    pub(super) fn hears(&self) -> Option<SoundCodec> {
        self.link.media.hears().filter(|_| self.stage() != Stage::Silent)
    }

    /// Where its media go, once that is known.
    pub(super) fn way(&self) -> Option<Path> {
        self.link.outgoing.path()
    }

    pub(super) fn stage(&self) -> Stage {
        self.link.stage
    }

    /// When the viewer called.
    pub(super) fn started(&self) -> Instant {
        self.account.started
    }

    /// When the viewer was heard of last, and from where, if it was.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.link.inflow.heard()
    }

    /// The first address that the viewer called its own.
    pub(super) fn named(&self) -> Option<IpAddr> {
        self.negotiation.remotes.first()
    }

    /// Bytes of the control channel that wait for the viewer, where it has one.
    pub(super) fn unsent(&mut self) -> Option<usize> {
        self.link.channel.unsent(&mut self.link.connection)
    }

    /// How this session goes. Not for every frame: the core gathers its statistics for it.
    pub(super) fn report(&mut self, session: u64, camera: CameraId, now: Instant) -> Viewer {
        let Self { link, account, .. } = self;
        account.report(link, session, camera, now)
    }

    /// The account of the session until now.
    pub(super) fn summary(&self, now: Instant) -> Summary {
        self.account
            .summary(&self.link.media.stream, &self.link.feedback, now)
    }

    /// After a step of the negotiation. One that fails is the last.
    fn negotiated(&mut self, outcome: Result<(), SessionError>) {
        if let Err(error) = outcome {
            self.link.events.push_back(Event::Failed(error));
        }
        self.timer.call_at_once(self.now);
    }
}
