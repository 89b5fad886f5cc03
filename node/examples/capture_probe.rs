//! Streams from a camera and reports what it sees: `capture_probe DEVICE [SIZE [FPS [SECONDS [FORMAT [CONTROL=VALUE…]]]]] [--picture FILE]`.
//!
//! With `--picture` it writes a picture into FILE as encoders get it, 4:2:0 without padding, and ends; SECONDS is how long that may take.
//! It ends with an error where the device fails or stalls.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use pinhole_node::{
    capture::{self, Controls, Others, OwnEncoding, Want},
    encode::{Converter, Planes},
    media::{Frame, Inlet, Timestamp},
};

const PATIENCE: Duration = Duration::from_millis(500);
/// Which picture is kept: what a driver had in its buffers beforehand is over by then.
const KEPT: u32 = 4;

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_target(false).without_time().init();
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let picture = take_picture(&mut arguments)?;
    let mut arguments = arguments.into_iter();
    let device = arguments.next().unwrap_or_else(|| "auto".to_owned());
    if device == "list" {
        for found in capture::v4l2::discover() {
            println!(
                "{}: {} ({}, {})",
                found.path.display(),
                found.card,
                found.driver,
                found.bus
            );
        }
        return Ok(());
    }
    let mut want = Want {
        size: arguments
            .next()
            .unwrap_or_else(|| "1280x720".to_owned())
            .parse()?,
        rate: arguments.next().unwrap_or_else(|| "30".to_owned()).parse()?,
        format: None,
        own_encoding: OwnEncoding::Preferred,
        encoder_formats: Vec::new(),
        controls: Controls::new(),
    };
    let seconds = arguments.next().unwrap_or_else(|| "5".to_owned()).parse()?;
    let format = arguments.next().filter(|format| format != "auto");
    want.format = format.map(|format| format.parse()).transpose()?;
    for control in arguments {
        let (name, value) = control.split_once('=').context("a control is NAME=VALUE")?;
        want.controls.insert(name.to_owned(), value.parse()?);
    }

    let camera = capture::camera(&device, Others::default(), Inlet::default());
    let asked = Instant::now();
    let mut source = camera.open(&want)?;
    println!(
        "{}: {} in {:.0?}",
        camera.describe(),
        source.format(),
        asked.elapsed()
    );

    let mut converter = Converter::new();
    let (mut frames, mut lost, mut damaged, mut waits) = (0, 0, 0, 0);
    let (mut first, mut last) = (None, None);
    let mut age = Duration::ZERO;
    let mut converting = Duration::ZERO;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut is_kept = false;
    let fault = loop {
        if is_kept || Instant::now() >= end {
            break None;
        }
        let since = Instant::now();
        let frame = match source.next(PATIENCE) {
            Ok(Some(frame)) => frame,
            Ok(None) => {
                waits += 1;
                println!("nothing for {:.0?}", since.elapsed());
                continue;
            }
            Err(error) => {
                println!(
                    "failed after {:.0?}, transient: {}",
                    since.elapsed(),
                    error.is_transient()
                );
                break Some(error);
            }
        };
        if first.is_none() {
            println!(
                "first frame after {:.0?}, number {}, {} bytes",
                asked.elapsed(),
                frame.sequence,
                frame.data.len()
            );
        }
        frames += 1;
        age += Timestamp::now().since(frame.captured_at);
        if let Some((sequence, _)) = last {
            lost += frame.sequence.wrapping_sub(sequence).saturating_sub(1);
        }
        last = Some((frame.sequence, frame.captured_at));
        first = first.or(last);
        let start = Instant::now();
        let converted = converter.to_yu12(&frame);
        converting += start.elapsed();
        match converted {
            Ok(converted) => {
                if let Some(file) = picture.as_deref().filter(|_| frames - damaged >= KEPT) {
                    keep(&converted, file)?;
                    is_kept = true;
                }
            }
            Err(error) => {
                damaged += 1;
                println!("frame {}: {error}", frame.sequence);
            }
        }
    };
    let span = match (first, last) {
        (Some((_, first)), Some((_, last))) => last.since(first).as_secs_f64(),
        _ => 0.0,
    };
    let each = |total: Duration| total.as_secs_f64() * 1000.0 / f64::from(frames.max(1));
    println!(
        "{frames} frames, {:.2} fps, {lost} lost, {damaged} damaged, {waits} waits; {:.2} ms old, {:.2} ms to convert",
        f64::from(frames.saturating_sub(1)) / span.max(0.001),
        each(age),
        each(converting),
    );
    match fault {
        Some(error) => bail!(error),
        None if frames == 0 => bail!("no frames"),
        None if picture.is_some() && !is_kept => bail!("no picture within {seconds} s that could be kept"),
        None => Ok(()),
    }
}

/// Takes `--picture FILE` out of the arguments.
fn take_picture(arguments: &mut Vec<String>) -> anyhow::Result<Option<PathBuf>> {
    let Some(at) = arguments.iter().position(|argument| argument == "--picture") else {
        return Ok(None);
    };
    if at + 1 == arguments.len() {
        bail!("--picture takes a FILE");
    }
    let file = arguments.drain(at..at + 2).nth(1);
    Ok(file.map(PathBuf::from))
}

fn keep(frame: &Frame<'_>, file: &Path) -> anyhow::Result<()> {
    let planes = Planes::of(frame)?;
    let (width, height) = (planes.size.width as usize, planes.size.height as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut out = BufWriter::new(File::create(file).with_context(|| file.display().to_string())?);
    for (plane, stride, width, height) in [
        (planes.y, planes.stride, width, height),
        (planes.u, planes.chroma_stride, half_width, half_height),
        (planes.v, planes.chroma_stride, half_width, half_height),
    ] {
        for line in plane.chunks(stride).take(height) {
            out.write_all(&line[..width])?;
        }
    }
    Ok(out.flush()?)
}
