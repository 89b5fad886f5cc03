use std::time::{Duration, Instant};

use super::{account::Account, ladder::Ladder, line::Line, pictures::Shrinkers, snapshot::Snapshots};
use crate::{
    encode::{ConvertError, Converter, EncodeError},
    media::{Frame, Privacy, Rung, VideoFormat},
};

/// Where something took longer than so many frame intervals, the frame is not made later still: what is to come for it takes a
/// newer one.
pub(super) const LATE_FRAMES: u32 = 3;

/// What a frame meets on its way, besides encoders.
#[derive(Clone, Copy)]
pub(super) struct Outlet<'a> {
    pub(super) account: &'a Account,
    pub(super) snapshots: &'a Snapshots,
    pub(super) privacy: &'a Privacy,
    pub(super) ladder: &'a Ladder,
}

/// Gives one frame to every encoder that somebody watches, and tells what that took of this machine; a hardware encoder's time is
/// its own. One that `is_left_out` the encoders of this machine don't get, and nothing is told. The inner error costs this frame only.
pub(super) fn encode(
    lines: &mut [Line],
    (converter, shrinkers): (&mut Converter, &mut Shrinkers),
    outlet: Outlet<'_>,
    frame: &Frame<'_>,
    is_left_out: bool,
) -> Result<Result<Option<Duration>, ConvertError>, EncodeError> {
    let Outlet { account, ladder, .. } = outlet;
    let encodes = |line: &Line| line.is_watched() && line.is_possible();
    // A picture as a file is made from what is converted.
    let mut convert = outlet.snapshots.are_wanted();
    let mut shrink = false;
    let patience = LATE_FRAMES * frame.format.rate.interval();
    let mut preparing = Duration::ZERO;
    for line in lines.iter_mut().filter(|line| encodes(line)) {
        let rung = line.rendition().rung;
        let Some(quality) = ladder.quality(rung) else {
            continue;
        };
        // A frame that is left out is no reason for an encoder.
        if !is_left_out {
            let start = Instant::now();
            let made = quality.made(frame.format);
            let source = match rung {
                Rung::TOP => frame.format,
                // Hardware that takes the camera's frames as they are would make whole pictures of them.
                _ => VideoFormat {
                    rate: frame.format.rate,
                    ..made
                },
            };
            line.prepare(source, made, quality.bitrate)?;
            preparing += start.elapsed();
        }
        if line.takes(&frame.format) {
            line.encode(frame, quality.bitrate)?;
        } else {
            convert = true;
            shrink |= rung != Rung::TOP;
        }
    }
    if !convert {
        return Ok(Ok(Some(Duration::ZERO)));
    }
    // Where new encoders took long to make, a newer frame has come meanwhile. Hardware that takes long for each frame is no such case:
    // the others would never get any.
    if is_left_out || preparing > patience {
        account.left_out.one();
        return Ok(Ok(None));
    }
    let spoilt = |error| {
        account.damaged.one();
        Ok(Err(error))
    };
    let start = Instant::now();
    // Once for all.
    let whole = match converter.to_yu12(frame) {
        Ok(whole) => whole,
        Err(error) => return spoilt(error),
    };
    // Whoever had to do without the last one comes first.
    lines.sort_by_key(|line| !line.is_behind());
    // Once for all codecs.
    let pictures = match shrinkers.make(&whole, ladder, shrink) {
        Ok(pictures) => pictures,
        Err(error) => return spoilt(error.into()),
    };
    account.converted.record(start.elapsed());
    if outlet.snapshots.are_wanted() {
        outlet.snapshots.serve(&pictures.full, outlet.privacy);
    }
    let mut is_first = true;
    let mut by_hardware = Duration::ZERO;
    for line in lines.iter_mut().filter(|line| encodes(line)) {
        let rung = line.rendition().rung;
        let (Some(quality), Some(picture)) = (ladder.quality(rung), pictures.of(rung)) else {
            continue;
        };
        if line.takes(&frame.format) {
            continue;
        }
        if !std::mem::take(&mut is_first) && start.elapsed() > patience {
            line.leave_out();
        } else {
            let start = Instant::now();
            line.encode(&picture, quality.bitrate)?;
            if line.is_hardware() {
                by_hardware += start.elapsed();
            }
        }
    }
    Ok(Ok(Some(start.elapsed().saturating_sub(by_hardware))))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        encode::VideoEncoder,
        fanout::{self, Demand, Depth, Publisher},
        media::{
            AccessUnit, Bitrate, Codec, Colour, FrameRate, FrameSize, Orders, PixelFormat, Rendition,
            Timestamp,
        },
        pipeline::Bitrates,
    };

    const FORMAT: VideoFormat = VideoFormat {
        pixel: PixelFormat::Yu12,
        size: FrameSize {
            width: 32,
            height: 16,
        },
        stride: 32,
        colour: Colour::VIDEO,
        rate: FrameRate::per_second(1000),
    };

    /// Writes down what it gets, and takes so many frame intervals for it.
    struct Slow {
        codec: Codec,
        intervals: u32,
        got: Arc<Mutex<Vec<(Codec, u32)>>>,
    }

    impl VideoEncoder for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn encode(&mut self, frame: &Frame<'_>, _: Orders) -> Result<Option<AccessUnit>, EncodeError> {
            self.got.lock().unwrap().push((self.codec, frame.sequence));
            let start = Instant::now();
            while start.elapsed() <= self.intervals * FORMAT.rate.interval() {
                std::hint::spin_loop();
            }
            Ok(None)
        }
    }

    #[test]
    fn no_encoder_waits_longer_for_another_than_a_few_frames_and_each_gets_its_turn() {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (account, snapshots, privacy) = (Account::default(), Snapshots::default(), Privacy::default());
        let (publishers, broadcast) =
            fanout::broadcast(Codec::ALL.map(Rendition::top), &Demand::default(), &privacy);
        let watch = |rendition| broadcast.subscribe(rendition, Depth::PICTURES);
        let _viewers: Vec<_> = broadcast.renditions().map(watch).collect();
        let bitrate = Bitrate::from_bps(1_000_000);
        // Far longer than anything else here can take, so that the second one gets nothing after the first.
        let mut lines = publishers.map(|publisher: Publisher<AccessUnit>| {
            let encoder = Box::new(Slow {
                codec: publisher.rendition().codec,
                intervals: LATE_FRAMES + 1,
                got: got.clone(),
            });
            Line::with_encoder(publisher, encoder, FORMAT, bitrate)
        });
        let outlet = Outlet {
            account: &account,
            snapshots: &snapshots,
            privacy: &privacy,
            ladder: &Ladder::of(
                FORMAT,
                Bitrates {
                    full: bitrate,
                    small: None,
                },
            ),
        };
        let (mut converter, mut shrinkers) = (Converter::default(), Shrinkers::default());
        let data = vec![128; FORMAT.least_bytes()];
        for sequence in 0..4 {
            let frame = Frame {
                format: FORMAT,
                captured_at: Timestamp::now(),
                sequence,
                dmabuf: None,
                data: &data,
            };
            let tools = (&mut converter, &mut shrinkers);
            encode(&mut lines, tools, outlet, &frame, false)
                .expect("they don't fail")
                .expect("it is a whole frame")
                .expect("it is encoded");
        }
        let [first, second] = Codec::ALL;
        assert_eq!(
            *got.lock().unwrap(),
            [(first, 0), (second, 1), (first, 2), (second, 3)]
        );
    }
}
