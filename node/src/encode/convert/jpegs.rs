//! JPEGs as cameras and programs write them: many kinds, and of each what may be odd about it.

use turbojpeg::{Colorspace, Compressor, Image, PixelFormat as Pixels, Subsamp};

use super::{
    super::Planes,
    tests::{SUBSAMPLINGS, frame},
    *,
};
use crate::media::jpeg::variants::{Dice, cut_short, in_a_buffer};

/// Soft and rough at once, so that all of its coefficients are needed.
struct Scene {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Scene {
    fn new(dice: &mut Dice) -> Self {
        let (width, height) = (24 + dice.below(80), 24 + dice.below(60));
        let phase = dice.below(200);
        let mut pixels = Vec::with_capacity(width * height * 4);
        for y in 0..height {
            for x in 0..width {
                let rough = dice.below(40);
                pixels.extend([3 * x + y, x + 3 * y, 2 * (x + y), 0].map(|soft| {
                    let folded = (soft + phase) % 400;
                    (folded.min(400 - folded) + rough) as u8
                }));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    fn lines(&self, first: usize, count: usize, format: Pixels) -> Image<&[u8]> {
        let count = count.min(self.height - first);
        let pitch = 4 * self.width;
        Image {
            pixels: &self.pixels[first * pitch..(first + count) * pitch],
            width: self.width,
            pitch,
            height: count,
            format,
        }
    }

    fn all(&self, format: Pixels) -> Image<&[u8]> {
        self.lines(0, self.height, format)
    }

    fn size(&self) -> String {
        format!("{}x{}", self.width, self.height)
    }
}

/// An image of one kind or another, and its name.
fn image(scene: &Scene, dice: &mut Dice) -> (Vec<u8>, String) {
    let subsamp = SUBSAMPLINGS[dice.below(SUBSAMPLINGS.len())];
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(50 + dice.below(45) as i32).unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    match dice.below(7) {
        0 => {
            compressor.set_progressive(true).unwrap();
            let file = compressor.compress_to_vec(scene.all(Pixels::RGBX)).unwrap();
            (file, format!("progressive {subsamp:?}"))
        }
        1 => {
            compressor.set_optimize(true).unwrap();
            let file = compressor.compress_to_vec(scene.all(Pixels::RGBX)).unwrap();
            (file, format!("{subsamp:?} with tables of its own"))
        }
        2 => {
            compressor.set_subsamp(Subsamp::None).unwrap();
            compressor.set_colorspace(Colorspace::RGB).unwrap();
            let file = compressor.compress_to_vec(scene.all(Pixels::RGBX)).unwrap();
            (file, "RGB".to_owned())
        }
        3 => {
            compressor.set_subsamp(Subsamp::None).unwrap();
            let space = [Colorspace::CMYK, Colorspace::YCCK][dice.below(2)];
            compressor.set_colorspace(space).unwrap();
            let file = compressor.compress_to_vec(scene.all(Pixels::CMYK)).unwrap();
            (file, format!("{space:?}"))
        }
        4 => {
            let file = with_restarts(scene, &mut compressor, subsamp);
            (file, format!("{subsamp:?} with restart markers"))
        }
        _ => {
            let file = compressor.compress_to_vec(scene.all(Pixels::RGBX)).unwrap();
            (file, format!("{subsamp:?}"))
        }
    }
}

/// A restart begins the coding anew, as an image of its own does. So one of strips is an image with restart markers.
fn with_restarts(scene: &Scene, compressor: &mut Compressor, subsamp: Subsamp) -> Vec<u8> {
    let (across, down) = subsamp.mcu_size();
    let mut file = Vec::new();
    for (number, first) in (0..scene.height).step_by(down).enumerate() {
        let strip = compressor
            .compress_to_vec(scene.lines(first, down, Pixels::RGBX))
            .unwrap();
        let scan = position(&strip, &[0xff, 0xda]);
        let data = scan + 2 + usize::from(strip[scan + 3]);
        if number == 0 {
            file.extend_from_slice(&strip[..scan]);
            let interval = scene.width.div_ceil(across) as u8;
            file.extend([0xff, 0xdd, 0, 4, 0, interval]);
            file.extend_from_slice(&strip[scan..data]);
        } else {
            file.extend([0xff, 0xd0 + (number as u8 - 1) % 8]);
        }
        file.extend_from_slice(&strip[data..strip.len() - 2]);
    }
    let header = position(&file, &[0xff, 0xc0]);
    file[header + 6] = scene.height as u8;
    file.extend([0xff, 0xd9]);
    file
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes.windows(wanted.len()).position(|part| part == wanted);
    found.expect("it is there")
}

/// The visible samples, all planes.
fn decoded(converter: &mut Converter, data: &[u8], size: &str) -> Result<Vec<u8>, ConvertError> {
    let converted = converter.to_yu12(&frame(PixelFormat::Mjpeg, size, 0, data))?;
    let planes = Planes::of(&converted).unwrap();
    let (width, height) = (planes.size.width as usize, planes.size.height as usize);
    let lines = |plane: &[u8], stride: usize, width: usize, height: usize| {
        let lines = plane.chunks(stride).take(height);
        lines.flat_map(|line| &line[..width]).copied().collect::<Vec<_>>()
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    Ok([
        lines(planes.y, planes.stride, width, height),
        lines(planes.u, planes.chroma_stride, half_width, half_height),
        lines(planes.v, planes.chroma_stride, half_width, half_height),
    ]
    .concat())
}

#[test]
fn a_picture_whose_data_are_whole_is_a_picture_and_one_that_is_cut_short_is_none() {
    let mut converter = Converter::new();
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..80 {
        let mut dice = Dice::new(seed);
        let scene = Scene::new(&mut dice);
        let (file, kind) = image(&scene, &mut dice);
        let size = scene.size();
        let expected = decoded(&mut converter, &file, &size)
            .unwrap_or_else(|error| panic!("seed {seed}, {kind} of {size}: {error}"));
        for number in 0..8 {
            let written = in_a_buffer(&file, &mut dice);
            let seen = decoded(&mut converter, &written, &size)
                .unwrap_or_else(|error| panic!("seed {seed}, {number}, {kind} of {size}: {error}"));
            assert!(
                seen == expected,
                "seed {seed}, {number}, {kind} of {size}: another picture"
            );
        }
        for number in 0..4 {
            let cut = cut_short(&file, &mut dice);
            match decoded(&mut converter, &cut, &size) {
                Err(ConvertError::Jpeg(_)) => {}
                Err(other) => panic!("seed {seed}, {number}, {kind} of {size}: {other}"),
                Ok(_) => panic!("seed {seed}, {number}, {kind} of {size}: half a picture"),
            }
        }
        kinds.insert(kind);
    }
    assert!(kinds.len() >= 20, "{kinds:?}");
}

#[test]
fn restart_markers_change_nothing() {
    let mut converter = Converter::new();
    for (seed, subsamp) in SUBSAMPLINGS.into_iter().enumerate() {
        let scene = Scene::new(&mut Dice::new(seed as u64));
        let mut compressor = Compressor::new().unwrap();
        compressor.set_subsamp(subsamp).unwrap();
        let plain = compressor.compress_to_vec(scene.all(Pixels::RGBX)).unwrap();
        let restarted = with_restarts(&scene, &mut compressor, subsamp);
        let size = scene.size();
        let seen = [plain, restarted].map(|file| decoded(&mut converter, &file, &size).unwrap());
        assert!(seen[0] == seen[1], "{subsamp:?} of {size}");
    }
}

#[test]
fn inks_and_lights_become_their_colours() {
    // An orange, as it is seen: red 230, green 120, blue 40, and a grey beside it.
    const COLOURS: [[u8; 3]; 2] = [[230, 120, 40], [90, 90, 90]];
    let scene = |pixel: fn([u8; 3]) -> [u8; 4]| {
        let line: Vec<u8> = (0..64).flat_map(|x| pixel(COLOURS[x / 32])).collect();
        Scene {
            width: 64,
            height: 32,
            pixels: line.repeat(32),
        }
    };
    let light = scene(|[red, green, blue]| [red, green, blue, 0]);
    // What each ink leaves, and no black: Adobe's way, which the library writes.
    let left = scene(|[red, green, blue]| [red, green, blue, 255]);
    let ink = scene(|[red, green, blue]| [255 - red, 255 - green, 255 - blue, 0]);
    let compress = |scene: &Scene, format, space| {
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(98).unwrap();
        compressor.set_subsamp(Subsamp::None).unwrap();
        compressor.set_colorspace(space).unwrap();
        compressor.compress_to_vec(scene.all(format)).unwrap()
    };
    let mut plain = compress(&ink, Pixels::CMYK, Colorspace::CMYK);
    let adobe = position(&plain, &[0xff, 0xee]);
    plain.drain(adobe..adobe + 16);
    let mut converter = Converter::new();
    for (what, file) in [
        ("YCbCr", compress(&light, Pixels::RGBX, Colorspace::YCbCr)),
        ("RGB", compress(&light, Pixels::RGBX, Colorspace::RGB)),
        ("CMYK by Adobe", compress(&left, Pixels::CMYK, Colorspace::CMYK)),
        ("YCCK by Adobe", compress(&left, Pixels::CMYK, Colorspace::YCCK)),
        ("CMYK", plain),
    ] {
        let seen = decoded(&mut converter, &file, "64x32").expect(what);
        let (luma, chroma) = (64 * 32, 32 * 16);
        for (field, [red, green, blue]) in COLOURS.into_iter().enumerate() {
            let [red, green, blue] = [red, green, blue].map(|part| f64::from(part) / 255.0);
            let y = 0.299 * red + 0.587 * green + 0.114 * blue;
            let expected = [
                16.0 + 219.0 * y,
                128.0 + 224.0 * (blue - y) / 1.772,
                128.0 + 224.0 * (red - y) / 1.402,
            ];
            let (at, half) = (16 * 64 + 16 + 32 * field, 8 * 32 + 8 + 16 * field);
            let found = [at, luma + half, luma + chroma + half].map(|at| f64::from(seen[at]));
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 3.0,
                    "{what}: {found}, not {expected:.1}"
                );
            }
        }
    }
}
