//! What was seen, interval by interval and in sum. No IO; the time comes in with every call.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::latency::{Samples, Spread};
use crate::receive::{Codec, decode::Picture, intake::VideoTotals, reception::Totals};

/// The audio that came along.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Audio {
    /// Thousands of bits per second of RTP payload.
    pub kbps: f64,
    /// Packets that arrived.
    pub packets: u64,
    /// Packets that never arrived.
    pub packets_lost: u64,
    /// The same in percent.
    pub loss_percent: f64,
    /// Interarrival jitter (RFC 3550).
    pub jitter_ms: f64,
}

/// An interval of watching: a second where the person asked for no other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Seconds from the start of the call to the end of the interval, to a tenth.
    pub second: f64,
    /// The codec of the last picture; none yet: `None`, as with the size.
    pub codec: Option<Codec>,
    /// Pixels in a line of the last picture.
    pub width: Option<u32>,
    /// Its lines.
    pub height: Option<u32>,
    /// Pictures decoded in it, per second.
    pub fps: f64,
    /// Thousands of bits of video payload per second.
    pub kbps: f64,
    /// Video packets of it that have not arrived (yet).
    pub packets_lost: u64,
    /// The same in percent.
    pub loss_percent: f64,
    /// Interarrival jitter of the video (RFC 3550).
    pub jitter_ms: f64,
    /// Pictures decoded since the start.
    pub frames: u64,
    /// Of these, the ones that differ from the one before.
    pub changed_frames: u64,
    /// From the clock drawn in the picture to its decoding; `None` where none is drawn.
    pub latency_ms: Option<Spread>,
    /// Its audio, if there is an audio track.
    pub audio: Option<Audio>,
}

/// The whole watch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Totalled {
    /// Seconds from the start of the call to its end.
    pub seconds: f64,
    /// The codec of the last picture.
    pub codec: Option<Codec>,
    /// Pixels in a line of the last picture.
    pub width: Option<u32>,
    /// Its lines.
    pub height: Option<u32>,
    /// From sending the offer to the first decoded picture.
    pub time_to_first_frame_ms: Option<f64>,
    /// Pictures decoded.
    pub frames: u64,
    /// Pictures that differ from the one before.
    pub changed_frames: u64,
    /// Pictures per second between the first and the last one.
    pub fps: f64,
    /// The longest time between two pictures.
    pub longest_gap_ms: f64,
    /// Thousands of bits of video payload per second, from the first picture to the last.
    pub kbps: f64,
    /// Video packets that arrived.
    pub packets: u64,
    /// Video packets that never arrived.
    pub packets_lost: u64,
    /// The same in percent.
    pub loss_percent: f64,
    /// Video packets that came after a later one: reordered, or sent again after a loss.
    pub packets_late: u64,
    /// Interarrival jitter of the video at the end (RFC 3550).
    pub jitter_ms: f64,
    /// Keyframes received.
    pub keyframes: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
    /// Holes in the video that nothing filled in time.
    pub gaps: u64,
    /// Whole pictures that could not be used because one before them was missing.
    pub discarded: u64,
    /// From the clock drawn in the picture to its decoding, over all pictures.
    pub latency_ms: Option<Spread>,
    /// The audio, if there was any.
    pub audio: Option<Audio>,
}

/// Collects what a watch is about.
pub struct Statistics {
    started: Instant,
    offered: Option<Instant>,
    time_to_first: Option<Duration>,
    first: Option<Instant>,
    last: Option<Picture>,
    frames: u64,
    changed: u64,
    longest_gap: Duration,
    latency: Samples,
    video: VideoTotals,
    audio: Option<Totals>,
    window: Window,
}

/// What the current interval began with.
struct Window {
    start: Instant,
    frames: u64,
    video: Totals,
    audio: Totals,
    latency: Samples,
}

impl Statistics {
    /// Begins now.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            offered: None,
            time_to_first: None,
            first: None,
            last: None,
            frames: 0,
            changed: 0,
            longest_gap: Duration::ZERO,
            latency: Samples::default(),
            video: VideoTotals::default(),
            audio: None,
            window: Window {
                start: now,
                frames: 0,
                video: Totals::default(),
                audio: Totals::default(),
                latency: Samples::default(),
            },
        }
    }

    /// The call begins; the time to the first picture counts from here.
    pub fn offered(&mut self, now: Instant) {
        self.offered.get_or_insert(now);
    }

    /// A picture was decoded.
    pub fn picture(&mut self, picture: Picture) {
        if self.first.is_none() {
            self.first = Some(picture.at);
            self.time_to_first = Some(picture.at - self.offered.unwrap_or(self.started));
        }
        if let Some(before) = &self.last {
            self.longest_gap = self.longest_gap.max(picture.at - before.at);
        }
        self.frames += 1;
        self.changed += u64::from(picture.changed);
        if let Some(latency) = picture.latency_ms {
            self.latency.add(latency);
            self.window.latency.add(latency);
        }
        self.last = Some(picture);
    }

    /// The counters of the video stream as they are now.
    pub fn video(&mut self, totals: VideoTotals) {
        self.video = totals;
    }

    /// The counters of the audio stream as they are now.
    pub fn audio(&mut self, totals: Totals) {
        self.audio = Some(totals);
    }

    /// Seconds from the start of the call, to a tenth.
    pub fn second(&self, now: Instant) -> f64 {
        ((now - self.started).as_secs_f64() * 10.0).round() / 10.0
    }

    /// Pictures decoded so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Ends an interval and tells what was in it.
    pub fn interval(&mut self, now: Instant) -> Figures {
        let elapsed = now - self.window.start;
        let video = self.video.packets.since(&self.window.video);
        let audio = self
            .audio
            .map(|totals| audio(&totals.since(&self.window.audio), elapsed));
        let figures = Figures {
            second: self.second(now),
            codec: self.last.map(|picture| picture.codec),
            width: self.last.map(|picture| picture.width),
            height: self.last.map(|picture| picture.height),
            fps: round(per_second((self.frames - self.window.frames) as f64, elapsed)),
            kbps: kbps(video.bytes, elapsed),
            packets_lost: video.lost(),
            loss_percent: round(video.loss_percent()),
            jitter_ms: round(video.jitter_ms),
            frames: self.frames,
            changed_frames: self.changed,
            latency_ms: self.window.latency.spread(),
            audio,
        };
        self.window.start = now;
        self.window.frames = self.frames;
        self.window.video = self.video.packets;
        self.window.audio = self.audio.unwrap_or_default();
        self.window.latency.clear();
        figures
    }

    /// Tells all of it.
    pub fn total(&self, now: Instant) -> Totalled {
        let packets = self.video.packets;
        let shown = match (self.first, &self.last) {
            (Some(first), Some(last)) => last.at - first,
            _ => Duration::ZERO,
        };
        let since_first = self.first.map_or(Duration::ZERO, |first| now - first);
        Totalled {
            seconds: round((now - self.started).as_secs_f64()),
            codec: self.last.map(|picture| picture.codec),
            width: self.last.map(|picture| picture.width),
            height: self.last.map(|picture| picture.height),
            time_to_first_frame_ms: self.time_to_first.map(milliseconds),
            frames: self.frames,
            changed_frames: self.changed,
            fps: round(per_second(self.frames.saturating_sub(1) as f64, shown)),
            longest_gap_ms: milliseconds(self.longest_gap),
            kbps: kbps(packets.bytes, since_first),
            packets: packets.received,
            packets_lost: packets.lost(),
            loss_percent: round(packets.loss_percent()),
            packets_late: packets.late,
            jitter_ms: round(packets.jitter_ms),
            keyframes: self.video.keyframes,
            keyframe_requests: self.video.keyframe_requests,
            gaps: self.video.gaps,
            discarded: self.video.discarded,
            latency_ms: self.latency.spread(),
            audio: self.audio.map(|totals| audio(&totals, since_first)),
        }
    }
}

fn audio(totals: &Totals, elapsed: Duration) -> Audio {
    Audio {
        kbps: kbps(totals.bytes, elapsed),
        packets: totals.received,
        packets_lost: totals.lost(),
        loss_percent: round(totals.loss_percent()),
        jitter_ms: round(totals.jitter_ms),
    }
}

fn per_second(count: f64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

fn kbps(bytes: u64, elapsed: Duration) -> f64 {
    per_second(bytes as f64 * 8.0 / 1000.0, elapsed).round()
}

fn milliseconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1000.0)
}

/// To one decimal place, or two where the value is small: enough for people, and short in JSON.
fn round(value: f64) -> f64 {
    let scale = if value.abs() < 10.0 { 100.0 } else { 10.0 };
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(at: Instant, latency_ms: Option<f64>, changed: bool) -> Picture {
        Picture {
            codec: Codec::Vp8,
            width: 640,
            height: 360,
            at,
            latency_ms,
            changed,
        }
    }

    fn packets(received: u64, lost: u64, bytes: u64) -> VideoTotals {
        let packets = Totals {
            expected: received + lost,
            received,
            bytes,
            ..Totals::default()
        };
        VideoTotals {
            packets,
            ..VideoTotals::default()
        }
    }

    #[test]
    fn an_interval_tells_only_of_itself() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut statistics = Statistics::new(start);
        (0..25).for_each(|n| statistics.picture(picture(at(n * 40), Some(30.0), true)));
        statistics.video(packets(99, 1, 125_000));
        let first = statistics.interval(at(1000));
        assert_eq!(
            (first.second, first.fps, first.kbps, first.loss_percent),
            (1.0, 25.0, 1000.0, 1.0)
        );
        assert_eq!(first.latency_ms.map(|spread| spread.median), Some(30.0));

        statistics.picture(picture(at(1250), None, false));
        statistics.video(packets(199, 1, 131_250));
        let second = statistics.interval(at(1500));
        assert_eq!((second.second, second.fps, second.kbps), (1.5, 2.0, 100.0));
        assert_eq!(
            (
                second.packets_lost,
                second.frames,
                second.changed_frames,
                second.latency_ms
            ),
            (0, 26, 25, None)
        );
    }

    #[test]
    fn the_total_tells_of_everything() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut statistics = Statistics::new(start);
        statistics.offered(at(100));
        for n in 0..11 {
            statistics.picture(picture(at(350 + n * 100), Some(n as f64), n % 2 == 0));
        }
        statistics.picture(picture(at(1850), None, false));
        statistics.video(packets(300, 100, 250_000));
        let total = statistics.total(at(2350));
        assert_eq!(total.time_to_first_frame_ms, Some(250.0));
        assert_eq!((total.frames, total.changed_frames), (12, 6));
        assert_eq!((total.fps, total.longest_gap_ms), (7.33, 500.0));
        assert_eq!(
            (total.kbps, total.loss_percent, total.seconds),
            (1000.0, 25.0, 2.35)
        );
        assert_eq!(
            total.latency_ms.map(|spread| (spread.median, spread.max)),
            Some((5.0, 10.0))
        );
    }

    #[test]
    fn nothing_seen_is_nothing_divided_by_zero() {
        let start = Instant::now();
        let mut statistics = Statistics::new(start);
        let (second, total) = (statistics.interval(start), statistics.total(start));
        assert_eq!(
            (second.fps, second.kbps, total.fps, total.kbps),
            (0.0, 0.0, 0.0, 0.0)
        );
        assert_eq!(
            (total.time_to_first_frame_ms, total.codec, total.latency_ms),
            (None, None, None)
        );
    }
}
