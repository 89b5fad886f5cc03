//! Runs a camera's pipeline as the node does, with one viewer of H.264, and reports what that gets:
//! `pipeline_probe DEVICE SIZE FPS FORMAT ENCODER…`, where ENCODER is `hardware` or `software`, the preferred one first.
//!
//! The kernel's virtual encoder stands in for hardware; it makes FWHT and not H.264, so that what comes tells who encoded it. It runs until it is
//! killed. `SIGHUP` has the camera opened anew, as a changed configuration does.

use std::time::Duration;

use anyhow::{Context, bail};
use pinhole_node::{
    capture::{self, Controls, OwnEncoding, Want},
    encode::{Way, m2m::CodedFormat},
    fanout::{self, Demand, Depth},
    media::{AccessUnit, Bitrate, Codec, FrameRate, Inlet, Privacy, Rendition},
    pipeline::{Bitrates, Pipeline, Settings},
};
use pinhole_service::watchdog::Watchdog;
use tokio::signal::unix::{SignalKind, signal};

/// Every so many pictures its figures are told, and a keyframe is asked for.
const ROUND: u64 = 15;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "its output is its purpose")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .init();
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| arguments.next().with_context(|| format!("{what} is missing"));
    let device = next("the device")?;
    let want = Want {
        size: next("the size")?.parse()?,
        rate: FrameRate::per_second(next("the rate")?.parse()?),
        format: match next("the format")?.as_str() {
            "auto" => None,
            name => Some(name.parse()?),
        },
        own_encoding: OwnEncoding::Never,
        encoder_formats: Vec::new(),
        controls: Controls::new(),
    };
    let ways = arguments.map(|way| match way.as_str() {
        "hardware" => Ok(Way::Hardware),
        "software" => Ok(Way::Software),
        _ => bail!("{way} is no encoder"),
    });
    let settings = Settings {
        want,
        bitrates: Bitrates {
            full: Bitrate::from_bps(4_000_000),
            small: None,
        },
        ways: ways.collect::<anyhow::Result<_>>()?,
        hardware: CodedFormat::Fwht,
    };

    let mut hangup = signal(SignalKind::hangup())?;
    let (demand, privacy) = (Demand::default(), Privacy::default());
    let rendition = Rendition::top(Codec::H264);
    let (publishers, broadcast) = fanout::broadcast([rendition], &demand, &privacy);
    let pulse = Watchdog::default().pulse("the camera's thread", Duration::from_secs(60));
    let pipeline = Pipeline::start(
        capture::camera(&device, capture::Others::default(), Inlet::default()),
        settings.clone(),
        publishers.into(),
        demand,
        privacy,
        pulse,
        tracing::Span::none(),
    )?;
    let account = pipeline.account();
    let line = account.line(rendition);
    let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let mut viewer = viewer.context("there is no such rendition")?;
    println!("watching");
    let (mut count, mut before) = (0_u64, "");
    loop {
        let unit = tokio::select! {
            unit = viewer.next() => unit.context("the pipeline has ended")?,
            _ = hangup.recv() => {
                println!("opening anew");
                pipeline.replace(capture::camera(&device, capture::Others::default(), Inlet::default()), settings.clone());
                continue;
            }
        };
        let kind = kind(&unit);
        if kind != before {
            println!(
                "pictures are {kind}, by {}, the first is {}",
                line.encoder().unwrap_or_default(),
                if unit.is_keyframe {
                    "a keyframe"
                } else {
                    "no keyframe"
                }
            );
            before = kind;
        }
        count += 1;
        if count.is_multiple_of(ROUND) {
            println!(
                "{count} pictures, {} keyframes, {} imported, {} copied, {} converted",
                line.keyframes.get(),
                line.imported.get(),
                line.copied.get(),
                account.converted.read().count(),
            );
            viewer.request_keyframe();
        }
    }
}

fn kind(unit: &AccessUnit) -> &'static str {
    if unit.data.starts_with(&[0x4f; 4]) {
        "FWHT"
    } else if unit.data.starts_with(&[0, 0, 0, 1]) {
        "H.264"
    } else {
        "something else"
    }
}
