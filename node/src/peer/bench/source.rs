//! A camera and its encoder, in virtual time. What comes between an encoder and a session is the node's own: the fan-out, which merges the
//! viewers' wishes and limits their rate, and the feed, which cuts pictures into packets.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::picture::Picture;
use crate::{
    fanout::{self, Demand, Publisher},
    media::{AccessUnit, Codec, Layer, Privacy, Rendition, Timestamp},
    peer::{
        CameraId,
        feed::{Feed, Packetised, PictureIds},
        ring::Ring,
    },
};

/// Pictures a second.
const RATE: u32 = 30;
/// How many times as long as others a keyframe is, of a picture without much motion.
const KEYFRAME: f64 = 6.0;
/// When the first picture comes. A camera runs by a clock of its own.
const PHASE: Duration = Duration::from_millis(7);
/// Within as many pictures an encoder's rate control makes good for what was longer than its share.
const REPAID_WITHIN: f64 = 15.0;
/// A picture has at least this share of its bytes, whatever is to be made good.
const LEAST: f64 = 0.4;

/// What gives pictures.
pub(super) struct Source {
    publisher: Publisher<AccessUnit>,
    feed: Feed,
    random: StdRng,
    start: Instant,
    /// Bytes of a picture on average.
    share: f64,
    /// Bytes above the share so far.
    debt: f64,
    pictures: u32,
    keyframes: u32,
    /// Of the next picture, unless it is a keyframe.
    next: Layer,
    /// The number of the last picture of the base.
    base: u32,
}

impl Source {
    /// A source that gives its first picture soon after `start`, in so many bits a second.
    pub(super) fn new(codec: Codec, bitrate: u64, seed: u64, start: Instant) -> Self {
        let rendition = Rendition::top(codec);
        let privacy = Privacy::default();
        let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &privacy);
        let mut feed = Feed::new(
            CameraId::default(),
            broadcast,
            rendition,
            &PictureIds::default(),
            &privacy,
        );
        feed.enter();
        Self {
            publisher,
            feed,
            random: StdRng::seed_from_u64(seed),
            start,
            share: bitrate as f64 / 8.0 / f64::from(RATE),
            debt: 0.0,
            pictures: 0,
            keyframes: 0,
            next: Layer::Base,
            base: 0,
        }
    }

    /// When the next picture comes.
    pub(super) fn deadline(&self) -> Instant {
        self.start + PHASE + Duration::from_secs(1) * self.pictures / RATE
    }

    /// Keyframes so far.
    pub(super) fn keyframes(&self) -> u32 {
        self.keyframes
    }

    /// Pictures so far.
    pub(super) fn pictures(&self) -> u32 {
        self.pictures
    }

    pub(super) fn request_keyframe(&self) {
        self.feed.request_keyframe();
    }

    /// What was sent last.
    pub(super) fn ring(&self) -> &Ring {
        self.feed.ring()
    }

    /// Nobody watches any more.
    pub(super) fn leave(&mut self) {
        self.feed.leave();
    }

    /// The picture that is due, as sessions get it; while anybody watches.
    pub(super) fn picture(&mut self, now: Instant) -> Option<Packetised> {
        let is_keyframe = self.pictures == 0 || self.publisher.take_orders(now).keyframe;
        let picture = Picture {
            number: self.pictures,
            is_keyframe,
            base: self.base,
            layer: Layer::Base,
        };
        let layer = if is_keyframe { Layer::Base } else { self.next };
        self.next = match layer {
            Layer::Base => Layer::Upper,
            Layer::Upper => Layer::Base,
        };
        let length = self.length(is_keyframe);
        self.publisher.publish(&AccessUnit {
            data: Picture { layer, ..picture }.write(self.feed.rendition().codec, length),
            captured_at: Timestamp::from_monotonic(now.saturating_duration_since(self.start)),
            is_keyframe,
            layer,
        });
        if layer == Layer::Base {
            self.base = self.pictures;
        }
        self.pictures += 1;
        self.keyframes += u32::from(is_keyframe);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(unit)) = self.feed.poll_unit(&mut context) else {
            assert!(!self.feed.is_used(), "it was published just now");
            return None;
        };
        Some(self.feed.packetise(unit).expect("it is a picture"))
    }

    /// As long as an encoder of a constant bitrate would make it.
    fn length(&mut self, is_keyframe: bool) -> usize {
        let varies = self.random.random_range(0.7..1.3);
        let length = if is_keyframe {
            self.share * KEYFRAME * varies
        } else {
            (self.share * varies - self.debt / REPAID_WITHIN).max(self.share * LEAST)
        };
        self.debt += length - self.share;
        length as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(packetised: &Packetised) -> usize {
        packetised.payloads.iter().map(|payload| payload.len()).sum()
    }

    #[test]
    fn the_bitrate_is_kept_and_keyframes_are_several_times_as_long() {
        let mut source = Source::new(Codec::H264, 1_000_000, 1, Instant::now());
        let (mut all, mut keyframes) = (0, 0);
        for number in 0..300 {
            if number % 100 == 50 {
                source.request_keyframe();
            }
            let picture = source.picture(source.deadline()).expect("a picture");
            all += bytes(&picture);
            if picture.unit.is_keyframe {
                keyframes += bytes(&picture);
            }
        }
        assert_eq!((source.pictures(), source.keyframes()), (300, 4));
        let bitrate = all as f64 * 8.0 / 10.0;
        assert!((0.95..1.1).contains(&(bitrate / 1e6)), "{bitrate}");
        let ratio = (keyframes as f64 / 4.0) / ((all - keyframes) as f64 / 296.0);
        assert!((4.0..8.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn wishes_in_a_crowd_make_few_keyframes() {
        let mut source = Source::new(Codec::Vp8, 1_000_000, 1, Instant::now());
        while source.pictures() < 300 {
            source.request_keyframe();
            source.picture(source.deadline());
        }
        assert!(source.keyframes() <= 28, "{} in 10 s", source.keyframes());
    }
}
