//! How much of a camera's picture each rendition has.

use std::time::Duration;

use super::{
    Bitrates, Settings,
    account::Overload,
    governor::{Governor, Relief, Step},
};
use crate::{
    encode::{Converter, Scale, Shrinker},
    media::{Bitrate, Codec, FrameRate, FrameSize, PixelFormat, Rendition, Rung, Timestamp, VideoFormat},
};

/// What there may be of every camera: the whole picture and a small one, in each codec.
pub const RENDITIONS: [Rendition; Codec::ALL.len() * Rung::ALL.len()] = [
    Rendition::top(Codec::ALL[0]),
    Rendition::top(Codec::ALL[1]),
    Rendition::small(Codec::ALL[0]),
    Rendition::small(Codec::ALL[1]),
];

/// What a rung has at this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quality {
    /// What the governor has left of the camera's picture, …
    pub(super) scale: Scale,
    /// … and what of that this rung has.
    pub(super) then: Scale,
    pub(super) size: FrameSize,
    pub(super) rate: FrameRate,
    pub(super) bitrate: Bitrate,
}

impl Quality {
    /// What becomes of a camera's frames on their way to an encoder of this machine.
    pub(super) fn made(&self, camera: VideoFormat) -> VideoFormat {
        VideoFormat {
            rate: self.rate,
            ..Shrinker::output(Shrinker::output(Converter::output(camera), self.scale), self.then)
        }
    }
}

/// Which size, rate and bitrate each rung has: what is asked for and what the camera gives, less what the governor has taken back
/// because this machine is too slow. Without clock or IO.
#[derive(Debug)]
pub(super) struct Ladder {
    bitrates: Bitrates,
    /// What the camera gives, or gave last; before its first picture what is asked of it.
    picture: Picture,
    /// What encoding costs is the machine's and the camera's matter, not that of one opening.
    governor: Governor,
}

#[derive(Clone, Copy, Debug)]
enum Picture {
    Wanted(FrameSize, FrameRate),
    Seen(VideoFormat),
}

impl Ladder {
    pub(super) fn new(settings: &Settings) -> Self {
        let (size, rate) = (settings.want.size, settings.want.rate);
        Self {
            bitrates: settings.bitrates,
            picture: Picture::Wanted(size, rate),
            governor: Governor::new(rate),
        }
    }

    /// For such pictures.
    #[cfg(test)]
    pub(super) fn of(format: VideoFormat, bitrates: Bitrates) -> Self {
        Self {
            bitrates,
            picture: Picture::Seen(format),
            governor: Governor::new(format.rate),
        }
    }

    /// What is asked for has changed. Viewers' pictures don't jump because of that before the camera's do.
    pub(super) fn obey(&mut self, settings: &Settings) {
        self.bitrates = settings.bitrates;
        if let Picture::Wanted(size, rate) = &mut self.picture {
            (*size, *rate) = (settings.want.size, settings.want.rate);
        }
    }

    /// The camera was opened, and gives such pictures. Where it gives as many as before, what was learnt then holds.
    pub(super) fn opened(&mut self, format: VideoFormat) {
        self.governor.opened(format.rate);
        self.see(format);
    }

    /// A frame has come.
    pub(super) fn see(&mut self, format: VideoFormat) {
        self.picture = Picture::Seen(format);
    }

    /// The rungs there are, the top one first.
    pub(super) fn rungs(&self) -> impl Iterator<Item = (Rung, Quality)> + use<> {
        let small = self.small().map(|small| (Rung::SMALL, small));
        std::iter::once((Rung::TOP, self.top())).chain(small)
    }

    /// What a rung has now; `None` where there is no such rung.
    pub(super) fn quality(&self, rung: Rung) -> Option<Quality> {
        self.rungs()
            .find_map(|(known, quality)| (known == rung).then_some(quality))
    }

    /// What the top rung has now.
    pub(super) fn top(&self) -> Quality {
        let (size, rate) = match self.picture {
            Picture::Wanted(size, rate) => (size, rate),
            Picture::Seen(format) => (format.size, format.rate),
        };
        let relief = self.relief();
        Quality {
            scale: relief.scale,
            then: Scale::Full,
            size: relief.scale.of(size),
            rate: relief.rate(rate),
            bitrate: self.bitrates.full,
        }
    }

    /// What the small rung has, which follows what the top one has now. There is none where it is not wanted, or where nothing smaller is
    /// left to see.
    fn small(&self) -> Option<Quality> {
        let bitrate = self.bitrates.small?;
        let top = self.top();
        let then = Scale::Half;
        let size = then.of(top.size);
        (size != top.size).then_some(Quality {
            then,
            size,
            bitrate,
            ..top
        })
    }

    /// Whether a frame of this time is encoded, before which `missed` others never came.
    pub(super) fn takes(&mut self, captured_at: Timestamp, missed: u64) -> bool {
        self.governor.takes(captured_at, missed)
    }

    /// Encoding a frame took so long, on a machine that is too hot or not. Tells when that changes what the rungs have.
    pub(super) fn took(&mut self, took: Duration, is_hot: bool, now: Timestamp) -> Option<Step> {
        self.governor.set_hot(is_hot);
        self.governor.took(took, now)
    }

    /// What viewers don't get because the machine is too slow.
    pub(super) fn overload(&self, is_hot: bool) -> Option<Overload> {
        let Quality { size, rate, .. } = self.top();
        let overload = Overload {
            level: self.governor.level(),
            rate,
            size,
            is_hot,
        };
        (self.relief() != Relief::NONE).then_some(overload)
    }

    /// What a camera encodes by itself takes none of our time.
    fn relief(&self) -> Relief {
        match self.picture {
            Picture::Seen(format) if format.pixel == PixelFormat::H264 => Relief::NONE,
            Picture::Seen(_) | Picture::Wanted(..) => self.governor.relief(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capture::{Controls, OwnEncoding, Want},
        encode::m2m::CodedFormat,
        media::Colour,
    };

    fn settings(size: &str, rate: u32, kilobits: u64) -> Settings {
        Settings {
            want: Want {
                size: size.parse().expect("a size"),
                rate: FrameRate::per_second(rate),
                format: None,
                own_encoding: OwnEncoding::Never,
                encoder_formats: Vec::new(),
                controls: Controls::new(),
            },
            bitrates: Bitrates {
                full: Bitrate::from_bps(kilobits * 1000),
                small: Some(Bitrate::from_bps(kilobits * 250)),
            },
            ways: Vec::new(),
            hardware: CodedFormat::H264,
        }
    }

    fn camera(pixel: PixelFormat, size: &str, rate: u32) -> VideoFormat {
        VideoFormat {
            pixel,
            size: size.parse().expect("a size"),
            stride: 0,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(rate),
        }
    }

    fn words(ladder: &Ladder) -> String {
        let Quality {
            size, rate, bitrate, ..
        } = ladder.top();
        format!("{size} {rate} {bitrate}")
    }

    /// Has encoding take all of the time until the ladder steps back.
    fn overload(ladder: &mut Ladder, from: Timestamp, interval: Duration) -> (Step, Timestamp) {
        let mut now = from;
        for _ in 0..1000 {
            now = Timestamp::from_monotonic(now.as_duration() + interval);
            if ladder.takes(now, 0)
                && let Some(step) = ladder.took(interval * 4, false, now)
            {
                return (step, now);
            }
        }
        panic!("it takes all of it");
    }

    #[test]
    fn before_the_camera_it_is_what_is_asked_for_and_then_what_comes() {
        let mut ladder = Ladder::new(&settings("1280x720", 30, 2000));
        let asked = words(&ladder);
        ladder.obey(&settings("640x360", 30, 1000));
        let asked_anew = words(&ladder);
        ladder.opened(camera(PixelFormat::Yuyv, "1920x1080", 25));
        let given = words(&ladder);
        ladder.obey(&settings("640x360", 30, 500));
        let expected = |size: &str, rate: u32, kilobits: u64| {
            let (rate, bitrate) = (FrameRate::per_second(rate), Bitrate::from_bps(kilobits * 1000));
            format!("{size} {rate} {bitrate}")
        };
        assert_eq!(
            [asked, asked_anew, given, words(&ladder)],
            [
                expected("1280x720", 30, 2000),
                expected("640x360", 30, 1000),
                expected("1920x1080", 25, 1000),
                expected("1920x1080", 25, 500),
            ]
        );
    }

    #[test]
    fn it_steps_back_in_rate_and_then_in_size_and_tells_so() {
        let mut ladder = Ladder::new(&settings("1280x720", 30, 2000));
        let format = camera(PixelFormat::Yuyv, "1280x720", 30);
        ladder.opened(format);
        assert!(ladder.overload(false).is_none());
        let interval = format.rate.interval();
        let mut now = Timestamp::from_monotonic(Duration::from_secs(100));
        let mut steps = Vec::new();
        for _ in 0..3 {
            let step;
            (step, now) = overload(&mut ladder, now, interval);
            assert!(step.is_down);
            let Quality { size, rate, .. } = ladder.top();
            let told = ladder.overload(true).expect("something is given up");
            assert_eq!((told.size, told.rate, told.is_hot), (size, rate, true));
            let made = ladder.top().made(format);
            assert_eq!(
                (made.size, made.rate, made.pixel),
                (size, rate, PixelFormat::Yu12)
            );
            steps.push((told.level, size.to_string(), rate.as_f64()));
        }
        let step = |level, size: &str, rate| (level, size.to_owned(), rate);
        assert_eq!(
            steps,
            [
                step(1, "1280x720", 15.0),
                step(2, "1280x720", 10.0),
                step(3, "852x480", 10.0)
            ]
        );
        // Opened anew in the same mode; with a camera that encodes by itself in its place nothing is given up.
        ladder.opened(format);
        assert_eq!(ladder.overload(false).map(|told| told.level), Some(3));
        ladder.opened(camera(PixelFormat::H264, "1280x720", 30));
        assert!(ladder.overload(false).is_none());
        assert_eq!(ladder.top().size, format.size);
    }

    #[test]
    fn the_small_rung_follows_the_top_one() {
        let wanted = settings("1280x720", 30, 2000);
        let mut ladder = Ladder::new(&wanted);
        let all = |ladder: &Ladder| RENDITIONS.map(|rendition| ladder.quality(rendition.rung).is_some());
        assert_eq!(all(&ladder), [true; 4]);
        assert_eq!(ladder.quality(Rung(2)), None);
        let words = |ladder: &Ladder| {
            let small = ladder.quality(Rung::SMALL).expect("there is one");
            format!("{} {} {}", small.size, small.rate.as_f64(), small.bitrate)
        };
        let expected = |size: &str, rate: u32| format!("{size} {rate} {}", Bitrate::from_bps(500_000));
        assert_eq!(words(&ladder), expected("640x360", 30));
        // What the governor takes back it takes of both.
        let format = camera(PixelFormat::Yuyv, "1280x720", 30);
        ladder.opened(format);
        let mut now = Timestamp::from_monotonic(Duration::from_secs(100));
        for small in [
            expected("640x360", 15),
            expected("640x360", 10),
            expected("426x240", 10),
            expected("320x180", 10),
        ] {
            (_, now) = overload(&mut ladder, now, format.rate.interval());
            assert_eq!(words(&ladder), small);
            let quality = ladder.quality(Rung::SMALL).expect("there is one");
            assert_eq!(quality.made(format).size, quality.size);
        }
        let mut off = wanted;
        off.bitrates.small = None;
        ladder.obey(&off);
        assert_eq!(all(&ladder), [true, true, false, false], "nobody wants it");
    }

    #[test]
    fn of_a_picture_that_is_small_already_there_is_no_smaller_one() {
        let mut ladder = Ladder::new(&settings("1280x720", 30, 2000));
        for (size, has_smaller) in [
            ("128x96", false),
            ("128x128", true),
            ("160x120", false),
            ("320x240", true),
        ] {
            ladder.opened(camera(PixelFormat::Yuyv, size, 30));
            assert_eq!(ladder.quality(Rung::SMALL).is_some(), has_smaller, "{size}");
        }
        // Nor where the governor has left as little.
        let format = camera(PixelFormat::Yuyv, "240x180", 30);
        ladder.opened(format);
        let mut now = Timestamp::from_monotonic(Duration::from_secs(100));
        let has_smaller = [(); 4].map(|()| {
            (_, now) = overload(&mut ladder, now, format.rate.interval());
            ladder.quality(Rung::SMALL).is_some()
        });
        assert_eq!(has_smaller, [true, true, false, false]);
    }
}
