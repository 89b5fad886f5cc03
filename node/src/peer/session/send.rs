//! Media on their way out.

use std::{mem, time::Instant};

use bytes::Bytes;

use super::{
    Session,
    io::{Event, Out, ToDo},
    link::Link,
    media::Which,
    redundancy::Before,
    rtp::Place,
    rungs::{Change, Offered},
    stamps::Stamps,
    stream::Fed,
    waiting,
};
use crate::{
    media::SoundUnit,
    peer::{congestion::Departure, feed::Packetised, report::Stage, ring::Ring},
};

impl Session {
    /// Sends one access unit, where the viewer can make something of it; to one that catches up what follows for it. What else is to be done,
    /// [`Session::poll`] tells.
    pub(in crate::peer) fn picture(&mut self, packetised: &Packetised, now: Instant, out: &mut impl Out) {
        self.now = now;
        let Packetised {
            unit, payloads, rung, ..
        } = packetised;
        let is_of_its_own = *rung == self.link.rungs.rung();
        if waiting::holds_back(&mut self.link, is_of_its_own.then_some(packetised.first), now) {
            return;
        }
        self.adapt(packetised, out);
        if *rung != self.link.rungs.rung() {
            return;
        }
        if self.catches_up() {
            return self.go_on(&packetised.ring, out);
        }
        // The offer of video is ours, and the viewer has not agreed yet.
        if self.negotiation.awaits_answer() || !begins(&mut self.link, unit.is_keyframe) {
            return;
        }
        if self.link.begun.is_none() {
            self.begun();
        }
        if !self.link.rungs.takes(unit.layer) {
            return;
        }
        // What is left of the one before does not wait any longer.
        self.spread(true, out);
        let bytes = payloads.iter().map(Bytes::len).sum();
        self.link.resend_limit.earn(bytes);
        self.link.probe.earn(bytes);
        let carries = self.link.rungs.paced();
        if self.link.spread.take(packetised, carries, now) {
            self.spread(false, out);
            self.account.bits_per_second(now);
            return;
        }
        let last = payloads.len().saturating_sub(1);
        for (number, payload) in payloads.iter().enumerate() {
            let fed = Fed {
                number: packetised.first + number as u64,
                captured_at: unit.captured_at,
                marker: number == last,
                bytes: payload.len(),
                is_late: false,
            };
            self.fed(fed, Stamps::default(), payload, out);
        }
        self.account.bits_per_second(now);
    }

    /// Looks whether what comes is what the viewer's path carries, and changes over to another rung where that begins.
    fn adapt(&mut self, packetised: &Packetised, out: &mut impl Out) {
        let Packetised {
            unit,
            rung,
            rates,
            has_small,
            ..
        } = packetised;
        let repairs = self.repairs();
        let link = &mut self.link;
        if link.stage == Stage::Connecting || !link.media.shows() {
            return;
        }
        if link.stage == Stage::Watching {
            let probe = Some(&mut link.probe).filter(|_| repairs && link.media.stream.rtp.is_numbered());
            let offered = Offered {
                rung: *rung,
                rates: *rates,
                has_small: *has_small,
            };
            let (verdict, hears) = (link.numbering.verdict(self.now), link.media.hears().is_some());
            let change = link.rungs.look(verdict, offered, hears, probe, self.now);
            link.events.extend(change.map(|change| match change {
                Change::Wanted(rung) => Event::RungWanted(rung),
                Change::Unwanted(rung) => Event::RungLeft(rung),
            }));
        }
        // Also where it waits for a keyframe: that of the other one may not come any more.
        if unit.is_keyframe && link.rungs.next() == Some(*rung) {
            self.spread(true, out);
            let link = &mut self.link;
            link.events.push_back(Event::RungLeft(link.rungs.rung()));
            link.rungs.begin(*rung);
            link.media.stream.change();
            link.catching = None;
            // What was missed has numbers of the other one.
            link.silence.resume();
        }
        if self.link.probe.next().is_some() {
            self.call_back();
        }
    }

    /// Has the timer set anew: something is to be sent sooner than it was thought.
    pub(super) fn call_back(&mut self) {
        if self.to_do == ToDo::Nothing {
            self.to_do = ToDo::Deadline;
        }
    }

    /// Sends 20 ms of sound, at once: nothing is gained by pacing a packet of a hundred bytes.
    pub(in crate::peer) fn sound(&mut self, unit: &SoundUnit, now: Instant, out: &mut impl Out) {
        self.now = now;
        if matches!(self.link.stage, Stage::Connecting | Stage::Silent) || self.link.silence.holds_back(now) {
            return;
        }
        let Link { media, numbering, .. } = &mut self.link;
        let Some(sound) = media.sound.as_mut().filter(|sound| sound.sending().is_some()) else {
            return;
        };
        let wide = numbering.next(&sound.rtp);
        let before = sound.before(unit, now);
        let bytes = unit.data.len() + before.as_ref().map_or(0, Before::bytes);
        let Some(place) = sound.place(unit, bytes, wide) else {
            return;
        };
        let sent = match before {
            Some(before) => self.doubled(&before, place, &unit.data, out),
            None => self.packet(Which::Sound, place, &unit.data, out),
        };
        self.departs(sent, place, false);
    }

    /// Sends a packet of the feed.
    pub(super) fn fed(&mut self, fed: Fed, stamps: Stamps, payload: &Bytes, out: &mut impl Out) {
        let Link { media, numbering, .. } = &mut self.link;
        let wide = numbering.next(&media.stream.rtp);
        let place = media.stream.place(fed, stamps, wide);
        self.first(Which::Picture, place, payload, fed.is_late, out);
    }

    /// Sends a packet for the first time; `is_late` where it has waited for others.
    fn first(&mut self, which: Which, place: Place, payload: &Bytes, is_late: bool, out: &mut impl Out) {
        let sent = self.packet(which, place, payload, out);
        self.departs(sent, place, is_late);
    }

    fn departs(&mut self, sent: Option<usize>, place: Place, is_late: bool) {
        if let Some(bytes) = sent {
            let departure = Departure {
                number: place.wide,
                bytes,
                is_late,
            };
            self.link.numbering.sent(departure, self.now);
        }
    }

    /// Sends again what the viewer has asked for ([`Event::PacketsWanted`]), as far as it is still there and the limits allow it; and what is due of a
    /// picture, and of a probe.
    pub(in crate::peer) fn again(&mut self, ring: &Ring, now: Instant, out: &mut impl Out) {
        self.now = now;
        let missing = mem::take(&mut self.link.missing);
        self.call_back();
        let goes_out = self.link.media.shows() && self.link.stage != Stage::Silent;
        if self.negotiation.awaits_answer() || !goes_out {
            self.link.spread.stop();
            return self.link.probe.stop();
        }
        let repairs = self.repairs();
        self.link.resend_limit.obey(self.link.rungs.carries(), now);
        for sequence in missing {
            let link = &mut self.link;
            let Some((place, packet)) = link.media.stream.kept(sequence, ring) else {
                continue;
            };
            for _ in 0..link.resend_limit.copies(sequence, packet.payload.len(), now) {
                if repairs {
                    self.repair(place, &packet.payload, out);
                } else {
                    self.link.numbering.again(place.wide);
                    self.packet(Which::Picture, place, &packet.payload, out);
                }
            }
        }
        self.spread(false, out);
        if repairs {
            self.probe(ring, out);
        }
    }
}

/// Whether the viewer can make something of a picture. With its first one it watches.
pub(super) fn begins(link: &mut Link, is_keyframe: bool) -> bool {
    match link.stage {
        Stage::Connecting | Stage::Silent => false,
        Stage::AwaitingKeyframe if link.settling.lasts() => false,
        _ if !link.media.shows() => false,
        Stage::AwaitingKeyframe if !is_keyframe => false,
        Stage::AwaitingKeyframe => {
            link.stage = Stage::Watching;
            link.silence.resume();
            if link.media.stream.units() == 0 {
                link.events.push_back(Event::Watching);
            }
            true
        }
        Stage::Watching => true,
    }
}
