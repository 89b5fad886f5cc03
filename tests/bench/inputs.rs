//! What each kind of camera costs before an encoder sees its picture, beside ffmpeg doing the same to the same frames.
//!
//! Both are one thread, and both have each frame put into one buffer first, as a driver does it: ffmpeg reads them from a file
//! that the kernel has cached, ours are copied. What that alone costs is subtracted. Counted is CPU time.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pinhole_e2e::scratch::Scratch;
use pinhole_node::encode::{Converter, Passthrough, Planes};
use pinhole_node::media::{Colour, Frame, FrameRate, FrameSize, PixelFormat, Timestamp, VideoFormat};
use rustix::time::{ClockId, clock_gettime};

use crate::{machine, print, progress};

/// As ffmpeg writes them.
const SIZES: [&str; 2] = ["1280x720", "1920x1080"];
/// Frames in a file: all different, and few enough that the greatest of them lie in memory.
const FRAMES: usize = 30;
/// Frames that a figure is made of.
const LEAST: usize = 300;
/// Each is measured so often, ours and ffmpeg's by turns, and the least counts: what else the machine does only adds.
const ROUNDS: usize = 3;

/// A kind of camera.
struct Input {
    pixel: PixelFormat,
    /// What ffmpeg calls the layout.
    name: &'static str,
    colour: Colour,
    /// What is done to the frames, in words.
    work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// To the planes that encoders take.
    Convert,
    /// H.264 for viewers who have it: looked through, not decoded.
    PassOn,
}

const fn raw(pixel: PixelFormat, name: &'static str) -> Input {
    let colour = match pixel {
        PixelFormat::Grey | PixelFormat::Rgb24 | PixelFormat::Bgr24 => Colour::JPEG,
        _ => Colour::VIDEO,
    };
    Input {
        pixel,
        name,
        colour,
        work: Work::Convert,
    }
}

const INPUTS: [Input; 13] = [
    raw(PixelFormat::Yu12, "yuv420p"),
    Input {
        colour: Colour::JPEG,
        ..raw(PixelFormat::Yu12, "yuvj420p")
    },
    raw(PixelFormat::Nv12, "nv12"),
    raw(PixelFormat::Nv21, "nv21"),
    raw(PixelFormat::Yuyv, "yuyv422"),
    raw(PixelFormat::Uyvy, "uyvy422"),
    raw(PixelFormat::Yvyu, "yvyu422"),
    raw(PixelFormat::Grey, "gray"),
    raw(PixelFormat::Rgb24, "rgb24"),
    raw(PixelFormat::Bgr24, "bgr24"),
    Input {
        colour: Colour::JPEG,
        ..raw(PixelFormat::Mjpeg, "yuvj422p")
    },
    raw(PixelFormat::H264, "yuv420p"),
    Input {
        work: Work::PassOn,
        ..raw(PixelFormat::H264, "yuv420p")
    },
];

/// Prints the table.
pub fn measure() -> anyhow::Result<()> {
    for size in SIZES {
        let mut text = format!(
            "### Input paths at {size}: CPU per frame, one thread each\n\n\
             | camera's format | what is done | pinhole, ms | ffmpeg, ms | ffmpeg to pinhole | alike, dB (Y, U, V) | load |\n\
             |---|---|--:|--:|--:|--:|--:|\n"
        );
        for input in &INPUTS {
            progress(&format!("{} {} at {size}", input.pixel, input.name));
            text.push_str(&row(input, size)?);
        }
        print(text.trim_end())?;
    }
    Ok(())
}

fn row(input: &Input, written_size: &str) -> anyhow::Result<String> {
    let size: FrameSize = written_size.parse()?;
    let scratch = Scratch::new("inputs");
    let file = write_frames(input, written_size, scratch.path())?;
    let bytes = fs::read(&file)?;
    let frames = cut(input.pixel, size, &bytes)?;
    let format = VideoFormat {
        pixel: input.pixel,
        size,
        stride: input.pixel.least_stride(size.width),
        colour: input.colour,
        rate: FrameRate::per_second(30),
    };
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        ours = ours.min(own(input.work, &frames, format)?);
        theirs = theirs.min(ffmpeg(input, written_size, &file)?);
    }
    let likeness = match input.work {
        Work::Convert => {
            let planes = first_planes(&frames, format)?;
            likeness(&planes, &their_planes(input, written_size, &file)?, size)
        }
        Work::PassOn => "-".to_owned(),
    };
    let what = match (input.work, input.pixel) {
        (Work::PassOn, _) => "passed on",
        (_, PixelFormat::Mjpeg | PixelFormat::H264) => "decoded",
        _ if input.colour == Colour::VIDEO && input.pixel == PixelFormat::Yu12 => "nothing",
        _ => "converted",
    };
    // Below this neither clock says anything.
    const FLOOR: f64 = 0.002;
    let ratio = if ours < FLOOR {
        "-".to_owned()
    } else {
        format!("{:.1}", theirs / ours)
    };
    let mut text = String::new();
    writeln!(
        text,
        "| {}, {} | {what} | {ours:.3} | {theirs:.3} | {ratio} | {likeness} | {} |",
        input.pixel,
        input.colour,
        machine::load()?
    )?;
    Ok(text)
}

/// ffmpeg with what every run has: quiet, nothing to ask, one thread.
fn command() -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-nostdin",
            "-hide_banner",
            "-y",
            "-threads",
            "1",
            "-filter_threads",
            "1",
        ])
        .stdin(Stdio::null());
    command
}

/// What says how the file is to be read.
fn reading(command: &mut Command, input: &Input, size: &str, file: &Path) {
    match input.pixel {
        PixelFormat::Mjpeg => command.args(["-f", "mjpeg"]),
        PixelFormat::H264 => command.args(["-f", "h264"]),
        _ => command.args(["-f", "rawvideo", "-pixel_format", input.name, "-video_size", size]),
    };
    command.arg("-i").arg(file);
}

/// The conversion, into what ours makes of it. Of ffmpeg's scalers the quickest.
fn converting(input: &Input) -> String {
    let range = if input.colour == Colour::JPEG {
        "full"
    } else {
        "limited"
    };
    format!(
        "scale=flags=fast_bilinear:in_color_matrix=bt601:out_color_matrix=bt601:in_range={range}:out_range=limited,format=yuv420p"
    )
}

/// A moving picture with noise in it, as this camera would deliver it.
fn write_frames(input: &Input, size: &str, into: &Path) -> anyhow::Result<PathBuf> {
    let file = into.join("frames");
    let mut command = command();
    let source = format!("testsrc2=size={size}:rate=30,noise=alls=6:allf=t,format=yuv444p");
    command.args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v"]);
    let frames = if input.pixel == PixelFormat::H264 {
        FRAMES + LEAST
    } else {
        FRAMES
    };
    command.arg(frames.to_string());
    let range = if input.colour == Colour::JPEG {
        "full"
    } else {
        "limited"
    };
    let scale = format!(
        "scale=in_range=limited:out_range={range}:out_color_matrix=bt601,format={}",
        input.name
    );
    command.args(["-vf", &scale]);
    match input.pixel {
        PixelFormat::Mjpeg => command.args(["-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg"]),
        PixelFormat::H264 => command.args([
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "baseline",
            "-tune",
            "zerolatency",
            "-x264-params",
            "aud=1:sliced-threads=0:keyint=30",
            "-b:v",
            "4M",
            "-f",
            "h264",
        ]),
        _ => command.args(["-f", "rawvideo"]),
    };
    ensure!(
        command.arg(&file).status().context("ffmpeg")?.success(),
        "ffmpeg makes no {}",
        input.name
    );
    Ok(file)
}

/// The frames of such a file.
fn cut(pixel: PixelFormat, size: FrameSize, bytes: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    // A start of image, and the delimiter that each access unit begins with.
    let starts: Vec<usize> = match pixel {
        PixelFormat::Mjpeg => places(bytes, &[0xff, 0xd8, 0xff]),
        PixelFormat::H264 => places(bytes, &[0, 0, 0, 1, 9]),
        _ => {
            let format = VideoFormat {
                pixel,
                size,
                stride: pixel.least_stride(size.width),
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            };
            (0..bytes.len()).step_by(format.least_bytes()).collect()
        }
    };
    ensure!(
        starts.len() >= FRAMES,
        "{} frames of {pixel} where there should be {FRAMES}",
        starts.len()
    );
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    Ok(starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &bytes[start..end])
        .collect())
}

fn places(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(mark.len()).enumerate();
    windows
        .filter(|(_, window)| *window == mark)
        .map(|(at, _)| at)
        .collect()
}

/// The CPU time of this thread.
fn clock() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// What a frame costs us, in ms.
fn own(work: Work, frames: &[&[u8]], format: VideoFormat) -> anyhow::Result<f64> {
    let mut converter = Converter::new();
    let mut passthrough = Passthrough::default();
    let mut sequence = 0;
    let worked = per_frame(frames, |data| {
        sequence += 1;
        let frame = Frame {
            format,
            captured_at: Timestamp::now(),
            sequence,
            data,
            dmabuf: None,
        };
        match work {
            Work::Convert => {
                std::hint::black_box(converter.to_yu12(&frame)?);
            }
            Work::PassOn => {
                std::hint::black_box(passthrough.take(&frame)?);
            }
        }
        Ok(())
    })?;
    let copied = per_frame(frames, |data| {
        std::hint::black_box(data);
        Ok(())
    })?;
    Ok((worked - copied).max(0.0))
}

/// What it costs to take each frame into the buffer and then to do `work`, in ms.
fn per_frame(frames: &[&[u8]], mut work: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut buffer = vec![0; frames.iter().map(|frame| frame.len()).max().unwrap_or(0)];
    let mut started = clock();
    let rounds = LEAST.div_ceil(frames.len());
    for round in 0..=rounds {
        if round == 1 {
            // The first one allocated.
            started = clock();
        }
        for frame in frames {
            let buffer = &mut buffer[..frame.len()];
            buffer.copy_from_slice(frame);
            work(buffer)?;
        }
    }
    Ok((clock() - started).as_secs_f64() * 1000.0 / (rounds * frames.len()) as f64)
}

/// What a frame costs ffmpeg, in ms: the difference between a long run and a short one, without what it takes to read.
fn ffmpeg(input: &Input, size: &str, file: &Path) -> anyhow::Result<f64> {
    let filter = converting(input);
    let (work, read): (&[&str], Option<&[&str]>) = match input.work {
        Work::Convert => (
            &["-vf", &filter, "-f", "null"],
            Some(&["-c", "copy", "-f", "null"]),
        ),
        // A file of its own is the nearest that it has to passing a stream on.
        Work::PassOn => (&["-c", "copy", "-f", "h264"], None),
    };
    let cost = |options: &[&str]| -> anyhow::Result<f64> {
        let long = run(input, size, file, options, 1 + LEAST / FRAMES)?;
        let short = run(input, size, file, options, 1)?;
        Ok((long - short) * 1000.0 / (LEAST / FRAMES * FRAMES) as f64)
    };
    let reading = match read {
        Some(options) => cost(options)?,
        None => 0.0,
    };
    Ok((cost(work)? - reading).max(0.0))
}

/// The CPU time of one run in seconds, as ffmpeg counts it.
fn run(input: &Input, size: &str, file: &Path, options: &[&str], times: usize) -> anyhow::Result<f64> {
    let mut command = command();
    command.arg("-benchmark");
    // A bare stream of H.264 can't be begun again; its file is long enough.
    if input.pixel != PixelFormat::H264 {
        command.args(["-stream_loop", &(times - 1).to_string()]);
    }
    reading(&mut command, input, size, file);
    command.args(["-frames:v", &(times * FRAMES).to_string()]);
    command.args(options).arg(if options.contains(&"null") {
        "-"
    } else {
        "/dev/null"
    });
    let output = command.output().context("ffmpeg")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said
        .lines()
        .find_map(|line| line.split_once("bench: utime=").map(|(_, rest)| rest));
    let Some(line) = line.filter(|_| output.status.success()) else {
        bail!("ffmpeg failed: {said}");
    };
    let mut seconds = line
        .split(&['s', ' ', '='][..])
        .filter_map(|part| part.parse::<f64>().ok());
    let (user, system) = (seconds.next(), seconds.next());
    Ok(user.context("ffmpeg's benchmark line")? + system.context("ffmpeg's benchmark line")?)
}

/// The first frame's planes without padding.
fn first_planes(frames: &[&[u8]], format: VideoFormat) -> anyhow::Result<[Vec<u8>; 3]> {
    let mut converter = Converter::new();
    let frame = Frame {
        format,
        captured_at: Timestamp::now(),
        sequence: 0,
        data: frames[0],
        dmabuf: None,
    };
    let converted = converter.to_yu12(&frame)?;
    let planes = Planes::of(&converted)?;
    let tight = |plane: &[u8], stride: usize, width: usize| {
        plane
            .chunks(stride)
            .flat_map(|line| line[..width].to_vec())
            .collect::<Vec<u8>>()
    };
    let (width, half) = (format.size.width as usize, format.size.width.div_ceil(2) as usize);
    Ok([
        tight(planes.y, planes.stride, width),
        tight(planes.u, planes.chroma_stride, half),
        tight(planes.v, planes.chroma_stride, half),
    ])
}

/// The same by ffmpeg.
fn their_planes(input: &Input, size: &str, file: &Path) -> anyhow::Result<[Vec<u8>; 3]> {
    let mut command = command();
    command.args(["-v", "error"]);
    reading(&mut command, input, size, file);
    let output = command
        .args(["-vf", &converting(input), "-frames:v", "1", "-f", "rawvideo", "-"])
        .output()?;
    let size: FrameSize = size.parse()?;
    let luma = (size.width * size.height) as usize;
    ensure!(
        output.stdout.len() == luma * 3 / 2,
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (y, chroma) = output.stdout.split_at(luma);
    let (u, v) = chroma.split_at(luma / 4);
    Ok([y.to_vec(), u.to_vec(), v.to_vec()])
}

/// The signal-to-noise ratio of each plane, were one the other with noise.
fn likeness(ours: &[Vec<u8>; 3], theirs: &[Vec<u8>; 3], size: FrameSize) -> String {
    let db = |plane: usize| {
        let squares = ours[plane]
            .iter()
            .zip(&theirs[plane])
            .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
        let error: u64 = squares.sum();
        if error == 0 {
            return "the same".to_owned();
        }
        let mean = error as f64 / ours[plane].len() as f64;
        format!("{:.0}", 10.0 * (255.0 * 255.0 / mean).log10())
    };
    debug_assert_eq!(ours[0].len(), (size.width * size.height) as usize);
    format!("{}, {}, {}", db(0), db(1), db(2))
}
