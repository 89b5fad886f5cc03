use std::collections::VecDeque;

use rtc::{
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};

use super::{
    repair::Repair,
    rtp::{Place, Rtp},
    setup,
    stamps::Stamps,
};
use crate::{
    media::{Codec, Timestamp},
    peer::{
        ring::{self, Ring},
        rtcp::VIDEO_CLOCK,
        sdp::Coding,
    },
};

/// Runs that are remembered. A packet of sound between two pictures ends one, so this is some seconds.
const RUNS: usize = 256;

/// The picture of one session.
pub(super) struct Stream {
    codec: Codec,
    pub(super) rtp: Rtp,
    /// Where lost packets are sent again, if not as they were.
    pub(super) repair: Repair,
    /// What was sent last, the newest at the back.
    runs: VecDeque<Run>,
    units: u64,
}

/// Packets that follow each other in the feed, in the stream and among all of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first in the feed's numbers, …
    feed: u64,
    /// … in the stream's, …
    number: u64,
    /// … and in the session's, where they have such numbers.
    wide: Option<u64>,
    stamps: Stamps,
}

impl Run {
    /// The same run from its packet of this number on.
    fn at(self, number: u64) -> Option<Self> {
        let ahead = number.checked_sub(self.number)?;
        Some(Self {
            feed: self.feed + ahead,
            number,
            wide: self.wide.map(|wide| wide + ahead),
            stamps: self.stamps,
        })
    }
}

/// A packet of a feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fed {
    /// Its number there.
    pub(super) number: u64,
    pub(super) captured_at: Timestamp,
    /// Whether a picture ends with it.
    pub(super) marker: bool,
    pub(super) bytes: usize,
    /// Whether it has waited for those before it in its picture.
    pub(super) is_late: bool,
}

impl Stream {
    pub(super) fn new(codec: Codec, payload_type: u8) -> Self {
        let rtp = Rtp::new(payload_type, VIDEO_CLOCK);
        Self {
            codec,
            repair: Repair::new(&rtp),
            rtp,
            runs: VecDeque::new(),
            units: 0,
        }
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes the payload type that the viewer's answer gave the coding, and the element of the header in which the viewer reads transport-wide
    /// numbers. What was sent by others is not sent again: with these the header would be another one, for the same nonce.
    pub(super) fn renumber(&mut self, payload_type: u8, extension: Option<u8>) {
        let is_other = self.rtp.renumber(payload_type);
        if self.rtp.extend(extension) || is_other {
            self.runs.clear();
        }
    }

    /// What follows is of another feed. What was before is not sent again: by its numbers it would be another packet.
    pub(super) fn change(&mut self) {
        self.runs.clear();
    }

    /// Access units so far.
    pub(super) fn units(&self) -> u64 {
        self.units
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.rtp.packets()
    }

    /// Bits of payload so far.
    pub(super) fn bits(&self) -> u64 {
        self.rtp.bytes() * 8
    }

    /// This stream as the core wants it described.
    pub(super) fn track(&self, coding: &Coding) -> MediaStreamTrack {
        let parameters = RTCRtpCodingParameters {
            ssrc: Some(self.rtp.ssrc()),
            ..RTCRtpCodingParameters::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: parameters,
            codec: setup::codec(coding, "video"),
            ..RTCRtpEncodingParameters::default()
        };
        MediaStreamTrack::new(
            "pinhole".into(),
            "video".into(),
            "video".into(),
            RtpCodecKind::Video,
            vec![encoding],
        )
    }

    /// The place of a packet of the feed, which is sent next, with these time stamps, and with this number among all of the session.
    pub(super) fn place(&mut self, fed: Fed, stamps: Stamps, wide: Option<u64>) -> Place {
        let run = Run {
            feed: fed.number,
            number: self.rtp.next(),
            wide,
            stamps,
        };
        let goes_on = self.runs.back().and_then(|last| last.at(run.number)) == Some(run);
        if !goes_on {
            if self.runs.len() == RUNS {
                self.runs.pop_front();
            }
            self.runs.push_back(run);
        }
        self.units += u64::from(fed.marker);
        let stamp = stamps.of(fed.captured_at);
        self.repair.follow(stamp);
        self.rtp.place(stamp, fed.marker, fed.bytes, wide)
    }

    /// The run of a packet, from that packet on, where it is one of the last that were sent.
    fn run(&self, sequence: u16) -> Option<Run> {
        let number = self.rtp.number(sequence)?;
        let later = self.runs.partition_point(|run| run.number <= number);
        self.runs.get(later.checked_sub(1)?)?.at(number)
    }

    /// Whether the packet that the viewer calls by this number is one of the last that were sent to it.
    pub(super) fn may_be_kept(&self, sequence: u16) -> bool {
        let oldest = self.rtp.next().saturating_sub(ring::KEPT as u64);
        self.run(sequence).is_some_and(|run| run.number >= oldest)
    }

    /// The packet that the viewer calls by this number, where it is still there to be sent again.
    pub(super) fn kept(&self, sequence: u16, ring: &Ring) -> Option<(Place, ring::Packet)> {
        let run = self.run(sequence)?;
        let packet = ring.get(run.feed)?;
        let place = Place {
            number: run.number,
            captured_at: run.stamps.of(packet.captured_at),
            marker: packet.marker,
            wide: run.wide,
        };
        Some((place, packet))
    }
}

#[cfg(test)]
mod tests;
