//! A decoded picture against what it should be, to the last column.

use std::path::Path;
use std::process::Command;

/// How near the whole picture must come to the source, each plane by itself. A plane that is shifted, swapped or of
/// another range has less than 25 dB; what the codecs lose of these pictures leaves 35 and more.
const LEAST_DECIBELS: f64 = 32.0;

/// How near the middle of a bar must come to its colour, in steps of 256.
const TOLERANCE: u8 = 4;

/// A picture in 4:2:0, without padding.
pub struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Picture {
    /// The last of the pictures that are in `data`, one behind the other.
    pub fn last(mut data: Vec<u8>, (width, height): (usize, usize)) -> Self {
        let length = width * height + 2 * width.div_ceil(2) * height.div_ceil(2);
        assert!(
            !data.is_empty() && data.len().is_multiple_of(length),
            "{} bytes are no pictures of {width}x{height}",
            data.len()
        );
        let data = data.split_off(data.len() - length);
        Self { width, height, data }
    }

    /// The last picture of a recording.
    pub fn last_of(recording: &Path, size: (usize, usize)) -> Self {
        let mut decode = Command::new("ffmpeg");
        decode.args(["-v", "error", "-i"]).arg(recording);
        decode.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
        Self::last(output(&mut decode), size)
    }

    /// ffmpeg's bars.
    pub fn smpte_bars((width, height): (usize, usize)) -> Self {
        let mut draw = Command::new("ffmpeg");
        draw.args(["-v", "error", "-f", "lavfi", "-i"]);
        draw.arg(format!("smptebars=size={width}x{height}"));
        draw.args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
        Self::last(output(&mut draw), (width, height))
    }

    /// The planes, each with its width.
    fn planes(&self) -> [(&[u8], usize); 3] {
        let chroma_width = self.width.div_ceil(2);
        let (luma, chroma) = self.data.split_at(self.width * self.height);
        let (cb, cr) = chroma.split_at(chroma_width * self.height.div_ceil(2));
        [(luma, self.width), (cb, chroma_width), (cr, chroma_width)]
    }

    /// vivid's eight bars of full colours: white, yellow, cyan, green, magenta, red, blue, black.
    pub fn bars((width, height): (usize, usize), is_grey: bool) -> Self {
        // vivid's grey is the luma of BT.709, over the whole range.
        let (red_share, blue_share) = if is_grey { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let bars = [0b111, 0b110, 0b011, 0b010, 0b101, 0b100, 0b001, 0b000];
        let bars = bars.map(|bits: u8| {
            let [red, green, blue] = [4, 2, 1].map(|bit| f64::from(u8::from(bits & bit != 0)));
            let luma = red_share * red + (1.0 - red_share - blue_share) * green + blue_share * blue;
            let chroma = match is_grey {
                true => [0.0, 0.0],
                false => [(blue - luma) / 1.772, (red - luma) / 1.402],
            };
            let [cb, cr] = chroma.map(|chroma| 128.0 + 224.0 * chroma);
            [16.0 + 219.0 * luma, cb, cr].map(|value| value.round() as u8)
        });
        let plane = |part: usize, width: usize, height: usize| {
            let line = move |_| (0..width).map(move |x| bars[x * 8 / width][part]);
            (0..height).flat_map(line)
        };
        let mut data: Vec<u8> = plane(0, width, height).collect();
        for part in [1, 2] {
            data.extend(plane(part, width / 2, height / 2));
        }
        Self { width, height, data }
    }

    /// That it is near enough to its source; gives how near the worst plane is, in decibels.
    pub fn assert_near(&self, source: &Self, what: &str) -> f64 {
        assert_eq!((self.width, self.height), (source.width, source.height), "{what}");
        let mut worst = f64::INFINITY;
        let planes = self
            .planes()
            .into_iter()
            .zip(source.planes())
            .zip(["Y", "Cb", "Cr"]);
        for (((seen, width), (meant, _)), name) in planes {
            let squares = seen
                .iter()
                .zip(meant)
                .map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
            let decibels = 10.0 * (255.0 * 255.0 * seen.len() as f64 / squares.sum::<f64>().max(1.0)).log10();
            assert!(decibels >= LEAST_DECIBELS, "{what}: {name} has {decibels:.1} dB");
            worst = worst.min(decibels);
            // The middles of sixteen fields across, well within each bar.
            let line = seen.len() / width / 4 * width;
            for field in 0..8 {
                let at = line + (2 * field + 1) * width / 16;
                let off = seen[at].abs_diff(meant[at]);
                assert!(
                    off <= TOLERANCE,
                    "{what}: {name} of bar {field} is {}, not {}",
                    seen[at],
                    meant[at]
                );
            }
        }
        worst
    }
}

/// What is on the terminal of a command of the host.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("ffmpeg is installed (dev/install test)");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
    output.stdout
}
