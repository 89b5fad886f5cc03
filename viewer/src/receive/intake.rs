//! From RTP packets to access units that can be decoded one after the other. Without IO and without a clock:
//! the time comes in with every call.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use pinhole_service::quiet::Quiet;

use super::{
    AccessUnit, Codec, Defect,
    assembler::{Assembled, Assembler, Fragments},
    h264,
    reception::{Reception, Totals},
    vp8,
};

/// The ticks of a second in the RTP timestamps of every video codec here.
pub const VIDEO_CLOCK: u32 = 90_000;

/// The shortest time between two requests for a keyframe: the answer to the first is still under way.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// Which codec has which RTP payload type.
pub type PayloadTypes = HashMap<u8, Codec>;

/// A received RTP packet.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Which codec it carries.
    pub payload_type: u8,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// RTP marker: the last packet of a picture.
    pub marker: bool,
    /// What it carries.
    pub payload: Bytes,
}

/// The counters of a video stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoTotals {
    /// The packets.
    pub packets: Totals,
    /// Access units handed on.
    pub units: u64,
    /// How many of them were keyframes.
    pub keyframes: u64,
    /// Access units that came whole but could not be used, because one before them was missing.
    pub discarded: u64,
    /// Holes in the stream that nothing filled in time.
    pub gaps: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
}

/// One incoming video stream.
pub struct Intake {
    codecs: PayloadTypes,
    reception: Reception,
    assembler: Assembler,
    h264: h264::Depacketizer,
    codec: Option<Codec>,
    /// Nothing is handed on before the next keyframe.
    closed: bool,
    wants_keyframe: bool,
    requested: Option<Instant>,
    totals: VideoTotals,
}

impl Intake {
    /// A stream of which nothing has arrived yet.
    pub fn new(codecs: PayloadTypes) -> Self {
        Self {
            codecs,
            reception: Reception::new(VIDEO_CLOCK),
            assembler: Assembler::default(),
            h264: h264::Depacketizer::default(),
            codec: None,
            closed: true,
            wants_keyframe: false,
            requested: None,
            totals: VideoTotals::default(),
        }
    }

    /// Takes a packet; then ask for [`Intake::next`] until there is none.
    pub fn insert(&mut self, packet: Packet, now: Instant) {
        let Some(&codec) = self.codecs.get(&packet.payload_type) else {
            tracing::debug!(
                payload_type = packet.payload_type,
                "packet of no negotiated codec"
            );
            return;
        };
        if self.codec.is_some_and(|before| before != codec) {
            static CHANGES: Quiet = Quiet::new(5);
            if let Some(others) = CHANGES.may_say() {
                tracing::info!(%codec, others, "the sender changed the codec");
            }
            self.close();
        }
        self.codec = Some(codec);
        let arrival = self
            .reception
            .observe(packet.sequence, packet.timestamp, packet.payload.len(), now);
        if let Some(arrival) = arrival {
            self.assembler.insert(arrival, packet.marker, packet.payload);
        }
    }

    /// The next access unit that can be decoded.
    pub fn next(&mut self, now: Instant) -> Option<AccessUnit> {
        while let Some(assembled) = self.assembler.next(now) {
            match assembled {
                Assembled::Gap => {
                    self.totals.gaps += 1;
                    self.close();
                }
                Assembled::Picture(fragments) => match self.unpack(&fragments) {
                    Ok(unit) if self.closed && !unit.is_keyframe => {
                        self.totals.discarded += 1;
                        self.wants_keyframe = true;
                    }
                    Ok(unit) => {
                        (self.closed, self.wants_keyframe) = (false, false);
                        self.totals.units += 1;
                        self.totals.keyframes += u64::from(unit.is_keyframe);
                        return Some(unit);
                    }
                    Err(defect) => {
                        tracing::debug!(%defect, "passed over a picture");
                        self.totals.discarded += 1;
                        self.close();
                    }
                },
            }
        }
        None
    }

    /// When to call [`Intake::next`] although no packet came.
    pub fn deadline(&self) -> Option<Instant> {
        self.assembler.deadline()
    }

    /// Something behind lost its thread: nothing more is handed on before the next keyframe.
    pub fn close(&mut self) {
        (self.closed, self.wants_keyframe) = (true, true);
    }

    /// Whether to ask the sender for a keyframe now.
    pub fn take_keyframe_request(&mut self, now: Instant) -> bool {
        let early = self
            .requested
            .is_some_and(|last| now < last + KEYFRAME_REQUEST_INTERVAL);
        if !self.wants_keyframe || early {
            return false;
        }
        self.requested = Some(now);
        self.totals.keyframe_requests += 1;
        true
    }

    /// The counters now.
    pub fn totals(&self) -> VideoTotals {
        VideoTotals {
            packets: self.reception.totals(),
            ..self.totals
        }
    }

    fn unpack(&mut self, fragments: &Fragments) -> Result<AccessUnit, Defect> {
        match self.codec {
            Some(Codec::H264) => self.h264.unpack(fragments.timestamp, &fragments.payloads),
            Some(Codec::Vp8) => vp8::unpack(fragments.timestamp, &fragments.payloads),
            None => Err(Defect::NoStart),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VP8: u8 = 96;

    fn packet(sequence: u16, keyframe: bool) -> Packet {
        let frame_header = if keyframe { 0x10 } else { 0x11 };
        Packet {
            payload_type: VP8,
            sequence,
            timestamp: u32::from(sequence) * 3000,
            marker: true,
            payload: Bytes::from(vec![0x10, frame_header, 0, 0]),
        }
    }

    fn intake() -> Intake {
        Intake::new(PayloadTypes::from([(VP8, Codec::Vp8)]))
    }

    /// How many access units come out for these packets, all at one time.
    fn feed(intake: &mut Intake, packets: &[Packet], now: Instant) -> usize {
        let mut units = 0;
        for packet in packets {
            intake.insert(packet.clone(), now);
            units += std::iter::from_fn(|| intake.next(now)).count();
        }
        units
    }

    #[test]
    fn nothing_comes_out_before_a_keyframe_and_one_is_asked_for() {
        let (mut intake, now) = (intake(), Instant::now());
        assert_eq!(feed(&mut intake, &[packet(1, false), packet(2, false)], now), 0);
        assert!(intake.take_keyframe_request(now));
        assert_eq!(feed(&mut intake, &[packet(3, true), packet(4, false)], now), 2);
        assert!(
            !intake.take_keyframe_request(now + Duration::from_secs(1)),
            "it has come"
        );
        assert_eq!(intake.totals().discarded, 2);
    }

    #[test]
    fn keyframes_are_asked_for_at_most_twice_a_second() {
        let (mut intake, now) = (intake(), Instant::now());
        let mut requests = 0;
        for n in 0..30 {
            let at = now + Duration::from_millis(u64::from(n) * 33);
            feed(&mut intake, &[packet(n, false)], at);
            requests += u32::from(intake.take_keyframe_request(at));
        }
        assert_eq!(requests, 2);
    }

    #[test]
    fn after_a_gap_the_stream_goes_on_at_a_keyframe() {
        let (mut intake, now) = (intake(), Instant::now());
        assert_eq!(
            feed(
                &mut intake,
                &[packet(1, true), packet(2, false), packet(4, false)],
                now
            ),
            2
        );
        let deadline = intake.deadline().expect("packet 3 is waited for");
        assert!(intake.next(deadline).is_none());
        assert!(intake.take_keyframe_request(deadline));
        let rest = [packet(5, false), packet(6, true), packet(7, false)];
        assert_eq!(feed(&mut intake, &rest, deadline), 2);
        let totals = intake.totals();
        assert_eq!((totals.gaps, totals.keyframes, totals.packets.lost()), (1, 2, 1));
    }

    #[test]
    fn packets_of_a_codec_that_nobody_negotiated_are_passed_over() {
        let (mut intake, now) = (intake(), Instant::now());
        let foreign = Packet {
            payload_type: 127,
            ..packet(1, true)
        };
        assert_eq!(feed(&mut intake, &[foreign, packet(2, true)], now), 1);
        assert_eq!(intake.totals().packets.expected, 1);
    }

    #[test]
    fn garbage_never_panics() {
        let mut state = 1u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let codecs = PayloadTypes::from([(VP8, Codec::Vp8), (102, Codec::H264)]);
        let (mut intake, mut now) = (Intake::new(codecs), Instant::now());
        let mut units = 0;
        for round in 0..50_000u32 {
            // Stretches of one codec and nearly continuous numbers, so that much of it gets far in.
            let payload_type = if round / 500 % 2 == 0 { VP8 } else { 102 };
            let jump = if random() % 50 == 0 { random() } else { 0 };
            let length = random() % 12;
            let packet = Packet {
                payload_type,
                sequence: (round + jump) as u16,
                timestamp: round / 3 * 3000,
                marker: random() % 3 == 0,
                payload: (0..length).map(|_| random() as u8).collect(),
            };
            intake.insert(packet, now);
            units += std::iter::from_fn(|| intake.next(now)).count();
            intake.take_keyframe_request(now);
            now += Duration::from_millis(1);
        }
        assert!(
            units > 0 && intake.totals().discarded > 0,
            "some of it looked right: {:?}",
            intake.totals()
        );
    }
}
