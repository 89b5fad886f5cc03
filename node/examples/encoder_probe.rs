//! Encodes a camera in hardware and reports what it sees:
//! `encoder_probe DEVICE SIZE FPS FORMAT FRAMES FOLDER [OPTION…]`, where FORMAT may be `auto`.
//!
//! The kernel's virtual encoder stands in for hardware: it makes FWHT and not H.264. All else is what the node does. The options:
//! `copy` (the camera lends no memory), `keyframe=N` (order one for frame N), `bitrate=N:RATE` (another rate from frame N on).
//!
//! FOLDER gets what was encoded, `source.yuv`, as 4:2:0, and what came of it, `coded.fwht`. An encoder that fails is made anew, as soon as
//! there is one.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use pinhole_node::{
    capture::{self, Controls, OwnEncoding, Want},
    encode::{
        Chosen, Converter, Intake, Planes, Selection, Way,
        m2m::{self, CodedFormat},
    },
    media::{AccessUnit, Bitrate, Codec, Frame, FrameRate, Inlet, Orders},
};

const PATIENCE: Duration = Duration::from_millis(500);
/// Without a picture for so long it gives up.
const GIVES_UP: Duration = Duration::from_secs(60);

struct Scene {
    keyframes: Vec<u32>,
    bitrates: Vec<(u32, Bitrate)>,
    lends: bool,
}

struct Studio {
    source: BufWriter<File>,
    coded: BufWriter<File>,
    units: u32,
    keyframes: u32,
}

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_target(false).without_time().init();
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| arguments.next().with_context(|| format!("{what} is missing"));
    let device = next("the device")?;
    let size = next("the size")?.parse()?;
    let rate = FrameRate::per_second(next("the rate")?.parse()?);
    let format = next("the format")?;
    let frames: u32 = next("the number of frames")?.parse()?;
    let folder = PathBuf::from(next("the folder")?);
    let scene = Scene::read(arguments)?;

    let found = m2m::discover(CodedFormat::Fwht);
    for found in &found {
        println!("found {} ({})", found.path.display(), found.driver);
    }
    let mut selection = Selection::new(Codec::H264);
    selection.look(&[Way::Hardware], Some(CodedFormat::Fwht));
    let want = Want {
        size,
        rate,
        format: match format.as_str() {
            "auto" => None,
            name => Some(name.parse()?),
        },
        own_encoding: OwnEncoding::Never,
        encoder_formats: match scene.lends {
            true => selection.formats().to_vec(),
            false => Vec::new(),
        },
        controls: Controls::new(),
    };
    let mut source = capture::camera(&device, capture::Others::default(), Inlet::default()).open(&want)?;
    println!("camera {}", source.format());
    let mut converter = Converter::new();
    let mut studio = Studio {
        source: BufWriter::new(File::create(folder.join("source.yuv"))?),
        coded: BufWriter::new(File::create(folder.join("coded.fwht"))?),
        units: 0,
        keyframes: 0,
    };
    let mut bitrate = Bitrate::from_bps(20_000_000);
    let mut running: Option<Chosen> = None;
    let (mut sent, mut imported, mut copied) = (0, 0, 0);
    let mut waiting = false;
    let mut last = Instant::now();
    while sent < frames {
        if last.elapsed() > GIVES_UP {
            bail!("nothing was encoded for {GIVES_UP:?}");
        }
        let Some(frame) = source.next(PATIENCE)? else {
            continue;
        };
        let chosen = match &mut running {
            Some(chosen) => chosen,
            slot => {
                let raw = frame.format;
                match selection.choose(raw, Converter::output(raw), bitrate) {
                    Ok(chosen) => {
                        println!("encoder {} for {}", chosen.encoder.name(), chosen.format);
                        waiting = false;
                        slot.insert(chosen)
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut waiting, true) {
                            println!("waiting: {error}");
                        }
                        continue;
                    }
                }
            }
        };
        let orders = scene.orders(sent);
        bitrate = orders.bitrate.unwrap_or(bitrate);
        let planes = converter.to_yu12(&frame)?;
        let given = if chosen.format == frame.format {
            &frame
        } else {
            &planes
        };
        match chosen.encoder.encode(given, orders) {
            Ok(unit) => {
                last = Instant::now();
                let intake = chosen.encoder.intake();
                match intake {
                    Intake::InPlace => {}
                    Intake::Imported => imported += 1,
                    Intake::Copied => copied += 1,
                }
                studio.keep_source(&planes)?;
                if let Some(unit) = unit {
                    println!(
                        "unit {sent} {} {} bytes {intake:?}",
                        if unit.is_keyframe { "keyframe" } else { "picture" },
                        unit.data.len()
                    );
                    studio.keep(&unit)?;
                }
                while let Some(unit) = chosen.encoder.further() {
                    studio.keep(&unit)?;
                }
                selection.worked();
                sent += 1;
            }
            Err(error) => {
                println!("failed: {error}");
                selection.failed(&error);
                running = None;
            }
        }
    }
    if let Some(mut chosen) = running {
        for unit in chosen.encoder.finish() {
            studio.keep(&unit)?;
        }
    }
    studio.source.flush()?;
    studio.coded.flush()?;
    println!(
        "{sent} frames, {} units, {} keyframes, {imported} imported, {copied} copied",
        studio.units, studio.keyframes
    );
    Ok(())
}

impl Scene {
    fn read(options: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut scene = Self {
            keyframes: Vec::new(),
            bitrates: Vec::new(),
            lends: true,
        };
        for option in options {
            match option.split_once('=') {
                None if option == "copy" => scene.lends = false,
                Some(("keyframe", number)) => scene.keyframes.push(number.parse()?),
                Some(("bitrate", change)) => {
                    let (number, rate) = change.split_once(':').context("it is N:RATE")?;
                    scene.bitrates.push((number.parse()?, rate.parse()?));
                }
                _ => bail!("{option} is no option"),
            }
        }
        Ok(scene)
    }

    fn orders(&self, frame: u32) -> Orders {
        let bitrate = self.bitrates.iter().find(|(number, _)| *number == frame);
        Orders {
            keyframe: self.keyframes.contains(&frame),
            bitrate: bitrate.map(|(_, rate)| *rate),
        }
    }
}

impl Studio {
    fn keep(&mut self, unit: &AccessUnit) -> anyhow::Result<()> {
        self.units += 1;
        self.keyframes += u32::from(unit.is_keyframe);
        Ok(self.coded.write_all(&unit.data)?)
    }

    /// The picture without padding, and without an odd last column or line.
    fn keep_source(&mut self, planes: &Frame<'_>) -> anyhow::Result<()> {
        let planes = Planes::of(planes)?;
        let (width, height) = (planes.size.width as usize & !1, planes.size.height as usize & !1);
        for (data, stride, width, height) in [
            (planes.y, planes.stride, width, height),
            (planes.u, planes.chroma_stride, width / 2, height / 2),
            (planes.v, planes.chroma_stride, width / 2, height / 2),
        ] {
            for line in data.chunks(stride).take(height) {
                self.source.write_all(&line[..width])?;
            }
        }
        Ok(())
    }
}
