//! For people: a line for each interval, which on a terminal overwrites the one before, and a summary.

use std::{
    fmt::{self, Display},
    io::{self, Write},
};

use super::{
    Reporter,
    latency::Spread,
    statistics::{Audio, Figures, Totalled},
    words,
};
use crate::{
    call::{Audience, Outcome, Slate},
    receive::Codec,
    record::Recorded,
};

/// Back to the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Writes sentences to `asides` and figures to `out`.
pub struct Text<Out: Write, Asides: Write> {
    out: Out,
    asides: Asides,
    /// Where `out` is a terminal, how many columns it has at the moment: a line can be overwritten if it fits.
    columns: Option<fn() -> usize>,
}

impl<Out: Write, Asides: Write> Text<Out, Asides> {
    /// A reporter that writes there.
    pub fn new(out: Out, asides: Asides, columns: Option<fn() -> usize>) -> Self {
        Self { out, asides, columns }
    }

    fn clear(&mut self) -> io::Result<()> {
        if self.columns.is_some() {
            self.out.write_all(CLEAR_LINE.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }
}

impl<Out: Write, Asides: Write> Audience for Text<Out, Asides> {
    fn tell(&mut self, text: &str) {
        // Without an output there is nobody to tell; the next interval notices.
        let _ = self.clear();
        let _ = writeln!(self.asides, "{text}");
    }

    fn interval(&mut self, figures: &Figures) -> bool {
        let line = Line(figures).to_string();
        let written = match self.columns {
            Some(columns) => {
                // The last column stays free: some terminals go to the next line as soon as it is written.
                let fitting: String = line.chars().take(columns().saturating_sub(1)).collect();
                write!(self.out, "{CLEAR_LINE}{fitting}")
            }
            None => writeln!(self.out, "{line}"),
        };
        written.and_then(|()| self.out.flush()).is_ok()
    }

    fn slate(&mut self, _: f64, slate: Option<&Slate>) {
        self.tell(&words(slate));
    }
}

impl<Out: Write, Asides: Write> Reporter for Text<Out, Asides> {
    fn finish(&mut self, outcome: &Outcome, recorded: &[Recorded]) -> io::Result<()> {
        self.clear()?;
        let total = &outcome.total;
        if outcome.ending.exit_code(total.frames) != 0 {
            writeln!(self.asides, "pinhole-view: {}", outcome.ending)?;
        }
        if total.frames > 0 {
            let node = outcome.node.as_deref().unwrap_or_default();
            writeln!(
                self.out,
                "{node}: {} after {:.1} s",
                outcome.ending, total.seconds
            )?;
            if let Some(slate) = &outcome.slate {
                writeln!(self.out, "  a slate in the end: {slate}")?;
            }
            write!(self.out, "{}", Summary(total))?;
        }
        for file in recorded {
            let seconds = file.duration_ms as f64 / 1000.0;
            writeln!(
                self.out,
                "  recorded {}: {} pictures, {seconds:.1} s",
                file.path.display(),
                file.frames
            )?;
        }
        self.out.flush()
    }
}

/// The codec and size of a picture.
struct Shape(Option<Codec>, Option<u32>, Option<u32>);

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape(Some(codec), Some(width), Some(height)) => write!(f, "{codec} {width}x{height}"),
            _ => f.write_str("no picture yet"),
        }
    }
}

struct Line<'a>(&'a Figures);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(figures) = self;
        let shape = Shape(figures.codec, figures.width, figures.height);
        write!(
            f,
            "{:6.1} s  {shape}  {:.1} fps  {:.0} kbit/s",
            figures.second, figures.fps, figures.kbps
        )?;
        write!(
            f,
            "  loss {:.1} %  jitter {:.1} ms",
            figures.loss_percent, figures.jitter_ms
        )?;
        if let Some(Spread { median, p95, .. }) = figures.latency_ms {
            write!(f, "  latency {median:.1}/{p95:.1} ms")?;
        }
        if let Some(Audio { kbps, .. }) = figures.audio {
            write!(f, "  audio {kbps:.0} kbit/s")?;
        }
        Ok(())
    }
}

struct Summary<'a>(&'a Totalled);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary(total) = self;
        if let Some(first) = total.time_to_first_frame_ms {
            writeln!(f, "  first picture {first:.0} ms after the offer")?;
        }
        let shape = Shape(total.codec, total.width, total.height);
        write!(f, "  {} pictures of {shape}, {:.1} fps", total.frames, total.fps)?;
        writeln!(f, ", longest gap {:.0} ms", total.longest_gap_ms)?;
        write!(f, "  {:.0} kbit/s, {} packets", total.kbps, total.packets)?;
        write!(
            f,
            ", {} late, {} lost ({:.2} %)",
            total.packets_late, total.packets_lost, total.loss_percent
        )?;
        writeln!(f, ", jitter {:.1} ms", total.jitter_ms)?;
        write!(
            f,
            "  {} keyframes, {} asked for",
            total.keyframes, total.keyframe_requests
        )?;
        writeln!(f, ", {} gaps, {} pictures of no use", total.gaps, total.discarded)?;
        if let Some(Spread {
            median,
            p95,
            min,
            max,
        }) = total.latency_ms
        {
            writeln!(
                f,
                "  latency {median:.1} ms median, {p95:.1} ms p95 ({min:.1} to {max:.1})"
            )?;
        }
        if let Some(audio) = total.audio {
            writeln!(
                f,
                "  audio {:.0} kbit/s, {:.2} % lost",
                audio.kbps, audio.loss_percent
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{call::Ending, receive::decode::Picture, report::statistics::Statistics};

    fn seen() -> (Statistics, Instant) {
        let start = Instant::now();
        let mut statistics = Statistics::new(start);
        for n in 0..30 {
            let at = start + Duration::from_millis(n * 33);
            let latency_ms = Some(40.0);
            statistics.picture(Picture {
                codec: Codec::H264,
                width: 1280,
                height: 720,
                at,
                latency_ms,
                changed: true,
            });
        }
        (statistics, start + Duration::from_secs(1))
    }

    fn written(columns: Option<fn() -> usize>, ending: Ending, with_pictures: bool) -> (String, String) {
        let (mut out, mut asides) = (Vec::new(), Vec::new());
        let mut text = Text::new(&mut out, &mut asides, columns);
        let (mut statistics, now) = seen();
        if !with_pictures {
            statistics = Statistics::new(now);
        }
        assert!(text.interval(&statistics.interval(now)));
        text.tell("the signaling server is back");
        text.slate(1.0, Some(&Slate::Private));
        let outcome = Outcome {
            ending,
            node: Some("porch".to_owned()),
            slate: Some(Slate::Private),
            total: statistics.total(now),
        };
        text.finish(&outcome, &[]).expect("a vector takes everything");
        let string = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (string(out), string(asides))
    }

    #[test]
    fn a_pipe_gets_plain_lines() {
        let (out, asides) = written(None, Ending::TimeUp, true);
        assert!(!out.contains('\x1b') && !out.contains('\r'), "{out:?}");
        assert!(out.starts_with("   1.0 s  H.264 1280x720  30.0 fps"), "{out}");
        assert!(out.contains("latency 40.0/40.0 ms"), "{out}");
        assert!(out.contains("porch: the time is up after 1.0 s"), "{out}");
        assert!(
            out.contains("  a slate in the end: the camera is private\n"),
            "{out}"
        );
        assert_eq!(asides, "the signaling server is back\nthe camera is private\n");
    }

    #[test]
    fn a_terminal_gets_one_line_that_is_overwritten() {
        let (out, _) = written(Some(|| 40), Ending::TimeUp, true);
        assert_eq!(out.matches(CLEAR_LINE).count(), 4);
        let live = out.split(CLEAR_LINE).nth(1).expect("the line of the second");
        assert_eq!(live.chars().count(), 39, "{live:?}");
        assert!(!live.contains('\n'), "{live:?}");
    }

    #[test]
    fn a_failure_is_said_on_the_side() {
        let (out, asides) = written(None, Ending::NoAnswer, false);
        assert!(
            asides.contains("pinhole-view: the node did not answer"),
            "{asides}"
        );
        assert!(!out.contains("porch:"), "{out}");
    }
}
