//! What converting and encoding cost: CPU time per frame of every codec, size and format.

use std::{hint::black_box, time::Duration};

use pinhole_node::{
    encode::{Converter, software},
    media::{
        Codec, Colour, ColourMatrix, ColourRange, Frame, FrameRate, FrameSize, Orders, PixelFormat,
        Timestamp, VideoFormat,
    },
};

const FRAMES: u32 = 90;

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> anyhow::Result<()> {
    for (size, bitrate) in [("640x480", "1M"), ("1280x720", "2M"), ("1920x1080", "4M")] {
        let size: FrameSize = size.parse()?;
        let scene = Scene::new(size);
        let mut least = None;
        for (pixel, colour) in paths() {
            let mut converter = Converter::new();
            let cost = cpu_time(|| {
                for number in 0..FRAMES {
                    let frame = scene.frame(pixel, number);
                    let format = VideoFormat {
                        colour,
                        ..frame.format
                    };
                    black_box(converter.to_yu12(&Frame { format, ..frame }).is_ok());
                }
            });
            let least = *least.get_or_insert(milliseconds(cost));
            println!(
                "{size} {pixel}, {colour}, to YU12: {:.2} ms, {:.1} times the first",
                milliseconds(cost),
                milliseconds(cost) / least
            );
        }
        let jpeg = scene.jpeg()?;
        let mut converter = Converter::new();
        let cost = cpu_time(|| {
            for _ in 0..FRAMES {
                black_box(converter.to_yu12(&scene.compressed(&jpeg)).is_ok());
            }
        });
        println!(
            "{size} MJPEG of {} bytes to YU12: {:.2} ms",
            jpeg.len(),
            milliseconds(cost)
        );
        for codec in Codec::ALL {
            let format = scene.frame(PixelFormat::Yu12, 0).format;
            let mut encoder = software(codec, format, bitrate.parse()?)?;
            let (mut bytes, mut largest, mut missing) = (0, 0, 0);
            let mut failure = None;
            let cost = cpu_time(|| {
                for number in 0..FRAMES {
                    match encoder.encode(&scene.frame(PixelFormat::Yu12, number), Orders::default()) {
                        Ok(Some(unit)) => {
                            bytes += unit.data.len();
                            largest = largest.max(unit.data.len());
                        }
                        Ok(None) => missing += 1,
                        Err(error) => failure = Some(error),
                    }
                }
            });
            if let Some(error) = failure {
                return Err(error.into());
            }
            println!(
                "{size} {codec}: {:.2} ms of CPU, {:.0} kbit/s of {bitrate}, largest {largest} bytes, {missing} left out",
                milliseconds(cost),
                bytes as f64 * 8.0 * 30.0 / f64::from(FRAMES) / 1000.0,
            );
        }
    }
    Ok(())
}

/// What there is to convert: each format as cameras have it, and the formats of 4:2:0 and 4:2:2 with other colours.
fn paths() -> [(PixelFormat, Colour); 13] {
    let hd = Colour {
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
    };
    [
        (PixelFormat::Yv12, Colour::VIDEO),
        (PixelFormat::Nv12, Colour::VIDEO),
        (PixelFormat::Nv21, Colour::VIDEO),
        (PixelFormat::Grey, Colour::VIDEO),
        (PixelFormat::Yuyv, Colour::VIDEO),
        (PixelFormat::Uyvy, Colour::VIDEO),
        (PixelFormat::Yvyu, Colour::VIDEO),
        (PixelFormat::Yu12, hd),
        (PixelFormat::Nv12, hd),
        (PixelFormat::Yuyv, hd),
        (PixelFormat::Grey, Colour::JPEG),
        (PixelFormat::Rgb24, Colour::JPEG),
        (PixelFormat::Bgr24, Colour::JPEG),
    ]
}

/// A drifting picture with detail and grain. It is one large plane that frames are windows into, so that making a
/// frame costs nothing.
struct Scene {
    size: FrameSize,
    stride: u32,
    data: Vec<u8>,
}

impl Scene {
    fn new(size: FrameSize) -> Self {
        let stride = (3 * size.width + 1024).next_multiple_of(64);
        let mut grain = 0x2545_f491_u32;
        let lines = 3 * size.height + 256;
        let data = (0..lines * stride)
            .map(|at| {
                grain ^= grain << 13;
                grain ^= grain >> 17;
                grain ^= grain << 5;
                let (x, y) = ((at % stride) as f32, (at / stride) as f32);
                let wave = (x / 19.0).sin() + (y / 13.0).sin() + (x * y / 90000.0).sin();
                (128.0 + 32.0 * wave) as u8 + (grain % 6) as u8
            })
            .collect();
        Self { size, stride, data }
    }

    /// The first frame as a webcam would send it, in 4:2:2.
    fn jpeg(&self) -> anyhow::Result<Vec<u8>> {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let stride = self.stride as usize;
        let luma = self.data.chunks(stride).take(height);
        let mut planes: Vec<u8> = luma.flat_map(|line| &line[..width]).copied().collect();
        let chroma = self.data.chunks(stride).skip(height).take(2 * height);
        planes.extend(chroma.flat_map(|line| &line[..width / 2]));
        let mut compressor = turbojpeg::Compressor::new()?;
        compressor.set_quality(85)?;
        compressor.set_subsamp(turbojpeg::Subsamp::Sub2x1)?;
        Ok(compressor.compress_yuv_to_vec(turbojpeg::YuvImage {
            pixels: &planes[..],
            width,
            align: 1,
            height,
            subsamp: turbojpeg::Subsamp::Sub2x1,
        })?)
    }

    fn compressed<'a>(&self, jpeg: &'a [u8]) -> Frame<'a> {
        let frame = self.frame(PixelFormat::Mjpeg, 0);
        Frame {
            data: jpeg,
            format: VideoFormat {
                colour: Colour::JPEG,
                ..frame.format
            },
            captured_at: frame.captured_at,
            sequence: 0,
            dmabuf: None,
        }
    }

    fn frame(&self, pixel: PixelFormat, number: u32) -> Frame<'_> {
        // There and back, by a line and four pixels a frame.
        let step = (number % 128).min(128 - number % 128);
        let offset = step * (self.stride + 4);
        Frame {
            format: VideoFormat {
                pixel,
                size: self.size,
                stride: self.stride,
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            },
            captured_at: Timestamp::from_monotonic(
                Duration::from_secs(1) + number * Duration::from_nanos(33_333_333),
            ),
            sequence: number,
            dmabuf: None,
            data: &self.data[offset as usize..],
        }
    }
}

/// CPU time of the whole process, all threads, that `work` takes.
fn cpu_time(work: impl FnOnce()) -> Duration {
    let clock = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    };
    let start = clock();
    work();
    clock() - start
}

fn milliseconds(total: Duration) -> f64 {
    total.as_secs_f64() * 1000.0 / f64::from(FRAMES)
}
