//! What a person at the other end would see: packets in, pictures that a decoder could show out, and for how long there was none.
//!
//! A picture can be shown where all its packets came, and those of every picture since the last keyframe. Retransmissions fill holes;
//! where one stays open a keyframe is wanted, as a browser does it, and the picture goes on with whichever comes first.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc::rtp::{
    Packet,
    codec::{h264::H264Packet, vp8::Vp8Packet},
    packetizer::Depacketizer,
};

use super::{
    numbers::Numbers,
    picture::{Picture, begins_keyframe},
};
use crate::media::{Codec, Layer};

/// How long a picture that can't be completed is waited for before a keyframe is asked for, and how long one that was asked for.
/// Longer than what asking for a packet again takes on most paths, and not longer than people wait.
const PATIENCE: Duration = Duration::from_millis(500);
/// Packets behind a hole that are held: two seconds at more than what the bench sends.
const MOST: usize = 2048;

/// The receiving end of one stream.
pub(super) struct Screen {
    codec: Codec,
    packets: BTreeMap<u64, Fragment>,
    numbers: Numbers,
    /// The first packet of the picture that comes next, once there was a keyframe.
    next: Option<u64>,
    last: Option<Picture>,
    /// The number of the last one that others may build upon.
    base: Option<u32>,
    shown: u32,
    /// The last pictures' times.
    shown_at: Option<Instant>,
    longest: Duration,
    /// Since when something is missing.
    waits_since: Option<Instant>,
    asked: Option<Instant>,
}

struct Fragment {
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

impl Screen {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            packets: BTreeMap::new(),
            numbers: Numbers::default(),
            next: None,
            last: None,
            base: None,
            shown: 0,
            shown_at: None,
            longest: Duration::ZERO,
            waits_since: None,
            asked: None,
        }
    }

    /// Pictures that could be shown.
    pub(super) fn shown(&self) -> u32 {
        self.shown
    }

    /// The newest picture.
    pub(super) fn last(&self) -> Option<Picture> {
        self.last
    }

    /// The longest time without a picture between the first one and `now`; `None` where there was none.
    pub(super) fn longest_gap(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.shown_at?);
        Some(self.longest.max(since))
    }

    /// From now on the longest time without a picture is another one.
    pub(super) fn forget_gap(&mut self, now: Instant) {
        self.shown_at = self.shown_at.map(|_| now);
        self.longest = Duration::ZERO;
    }

    /// Takes a packet, and shows what can be shown.
    pub(super) fn receive(&mut self, packet: Packet, now: Instant) {
        let sequence = self.numbers.take(packet.header.sequence_number);
        if self.next.is_some_and(|next| sequence < next) {
            return;
        }
        let fragment = Fragment {
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        };
        self.packets.insert(sequence, fragment);
        while self.packets.len() > MOST {
            self.packets.pop_first();
        }
        while self.show(now) {}
        let newest = self.numbers.newest().unwrap_or(0);
        let is_waiting = self.next.is_none_or(|next| next <= newest);
        // A picture that is still coming in is no hole.
        if !is_waiting {
            self.waits_since = None;
            self.asked = None;
        } else {
            self.waits_since.get_or_insert(now);
        }
    }

    /// When [`Screen::wants_keyframe`] may say so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.waits_since?;
        Some(self.asked.map_or(since, |asked| asked.max(since)) + PATIENCE)
    }

    /// Whether it is time to ask for a keyframe. Says so once in a while.
    pub(super) fn wants_keyframe(&mut self, now: Instant) -> bool {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// Shows the next picture, or the first keyframe behind it. Returns whether there was one.
    fn show(&mut self, now: Instant) -> bool {
        let next = self.next.and_then(|next| Some((next, self.end_of(next)?)));
        let Some((start, end)) = next.or_else(|| self.keyframe()) else {
            return false;
        };
        let picture = self.take(start, end);
        // Pictures of the upper layer may be left out.
        let follows = self.base == Some(picture.base);
        assert!(
            picture.is_keyframe || follows,
            "packets without a hole, and {picture:?} after {:?}",
            self.last
        );
        if let Some(before) = self.shown_at.replace(now) {
            self.longest = self.longest.max(now.saturating_duration_since(before));
        }
        self.shown += 1;
        self.last = Some(picture);
        if picture.layer == Layer::Base {
            self.base = Some(picture.number);
        }
        self.next = Some(end);
        // What is behind it is another hole.
        self.waits_since = None;
        self.asked = None;
        true
    }

    /// The end of the picture that begins with this packet, where all its packets are here.
    fn end_of(&self, start: u64) -> Option<u64> {
        let timestamp = self.packets.get(&start)?.timestamp;
        for (expected, (sequence, packet)) in (start..).zip(self.packets.range(start..)) {
            if *sequence != expected || packet.timestamp != timestamp {
                return None;
            }
            if packet.marker {
                return Some(expected + 1);
            }
        }
        None
    }

    /// The first whole keyframe.
    fn keyframe(&self) -> Option<(u64, u64)> {
        let starts = self
            .packets
            .iter()
            .filter(|(_, packet)| begins_keyframe(self.codec, &packet.payload));
        starts
            .map(|(sequence, _)| *sequence)
            .find_map(|start| Some((start, self.end_of(start)?)))
    }

    /// Takes the packets of a picture, and forgets those before it.
    fn take(&mut self, start: u64, end: u64) -> Picture {
        let behind = self.packets.split_off(&end);
        let mut picture = std::mem::replace(&mut self.packets, behind);
        let mut depacketizer: Box<dyn Depacketizer> = match self.codec {
            Codec::H264 => Box::new(H264Packet::default()),
            Codec::Vp8 => Box::new(Vp8Packet::default()),
        };
        let mut unit = Vec::new();
        for fragment in picture.split_off(&start).values() {
            let part = depacketizer.depacketize(&fragment.payload);
            unit.extend_from_slice(&part.expect("a payload of the codec"));
        }
        Picture::read(self.codec, &unit).expect("the picture that was sent")
    }
}
