//! Streams from a camera and reports what it sees: `capture_probe DEVICE [SIZE [FPS [SECONDS [FORMAT [CONTROL=VALUE…]]]]]`.
//!
//! It ends with an error where the device fails or stalls.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pinhole_node::{
    capture::{self, Controls, OwnEncoding, Want},
    encode::Converter,
    media::{FrameRate, Timestamp},
};

const PATIENCE: Duration = Duration::from_millis(500);

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_target(false).without_time().init();
    let mut arguments = std::env::args().skip(1);
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
        rate: FrameRate::per_second(arguments.next().unwrap_or_else(|| "30".to_owned()).parse()?),
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

    let camera = capture::camera(&device, Vec::new());
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
    let fault = loop {
        if Instant::now() >= end {
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
        if let Err(error) = converter.to_yu12(&frame) {
            damaged += 1;
            println!("frame {}: {error}", frame.sequence);
        }
        converting += start.elapsed();
    };
    let span = match (first, last) {
        (Some((_, first)), Some((_, last))) => last.since(first).as_secs_f64(),
        _ => 0.0,
    };
    let each = |total: Duration| total.as_secs_f64() * 1000.0 / f64::from(frames.max(1));
    println!(
        "{frames} frames, {:.2} fps, {lost} lost, {damaged} damaged, {waits} waits; {:.2} ms old, {:.2} ms to convert",
        f64::from(frames - 1) / span.max(0.001),
        each(age),
        each(converting),
    );
    match fault {
        Some(error) => bail!(error),
        None if frames == 0 => bail!("no frames"),
        None => Ok(()),
    }
}
