//! The encoders against independent decoders.

use std::time::Duration;

use ::openh264::formats::YUVSource;

use super::{vpx::decoder, *};
use crate::media::{Colour, FrameRate, Layer, PixelFormat, Timestamp, clock, h264::nal_units};

const RATE: FrameRate = FrameRate::per_second(30);

/// A picture that we own.
struct Picture {
    format: VideoFormat,
    data: Vec<u8>,
    captured_at: Timestamp,
}

impl Picture {
    fn frame(&self) -> Frame<'_> {
        Frame {
            format: self.format,
            captured_at: self.captured_at,
            sequence: 0,
            dmabuf: None,
            data: &self.data,
        }
    }
}

/// Smooth hills of light with a grain, that drift: costly enough to need the whole bitrate.
fn hills(size: FrameSize, number: u32) -> Picture {
    let stride = size.width.next_multiple_of(2) + 32;
    let mut grain = 0x2545_f491_u32;
    let wave = |at: u32, length: f32| 45.0 * (at as f32 / length).sin();
    let across: Vec<f32> = (0..stride).map(|x| wave(x + 3 * number, 19.0)).collect();
    let luma = (0..size.height).flat_map(|y| {
        let down = 128.0 + wave(y + 2 * number, 13.0);
        across.iter().map(move |across| down + across)
    });
    let luma = luma.map(|hill| {
        grain ^= grain << 13;
        grain ^= grain >> 17;
        grain ^= grain << 5;
        hill as u8 + (grain % 8) as u8
    });
    let mut data: Vec<u8> = luma.collect();
    data.resize(
        data.len() + 2 * (stride.div_ceil(2) * size.height.div_ceil(2)) as usize,
        120,
    );
    Picture {
        format: VideoFormat {
            pixel: PixelFormat::Yu12,
            size,
            stride,
            colour: Colour::VIDEO,
            rate: RATE,
        },
        data,
        captured_at: Timestamp::from_monotonic(Duration::from_millis(1000 + u64::from(number) * 1000 / 30)),
    }
}

/// The luma of decoded pictures.
enum Decoder {
    H264(Box<::openh264::decoder::Decoder>),
    Vp8(decoder::Decoder),
}

impl Decoder {
    fn new(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264(Box::new(::openh264::decoder::Decoder::new().unwrap())),
            Codec::Vp8 => Self::Vp8(decoder::Decoder::new()),
        }
    }

    fn decode(&mut self, unit: &AccessUnit) -> decoder::Image {
        match self {
            Self::H264(library) => {
                let image = library.decode(&unit.data).unwrap().expect("a picture at once");
                let ((width, height), (stride, ..)) = (image.dimensions(), image.strides());
                let y = image
                    .y()
                    .chunks(stride)
                    .take(height)
                    .flat_map(|line| &line[..width])
                    .copied()
                    .collect();
                decoder::Image { width, height, y }
            }
            Self::Vp8(library) => library.decode(&unit.data),
        }
    }
}

/// Peak signal to noise ratio of the luma, in dB.
fn psnr(original: &Picture, decoded: &decoder::Image) -> f64 {
    let frame = original.frame();
    let planes = Planes::of(&frame).unwrap();
    let lines = planes
        .y
        .chunks(planes.stride)
        .zip(decoded.y.chunks(decoded.width));
    let squares: f64 = lines
        .flat_map(|(a, b)| a.iter().zip(b))
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 * decoded.y.len() as f64 / squares.max(1.0)).log10()
}

fn size(written: &str) -> FrameSize {
    written.parse().unwrap()
}

fn encoder(codec: Codec, picture: &Picture, bitrate: &str) -> Box<dyn VideoEncoder> {
    software(codec, picture.format, bitrate.parse().unwrap()).unwrap()
}

/// Encodes pictures `numbers` of the hills and returns their mean size in bytes.
fn mean_size(
    encoder: &mut dyn VideoEncoder,
    size: FrameSize,
    numbers: std::ops::Range<u32>,
    mut orders: Orders,
) -> f64 {
    let count = f64::from(numbers.end - numbers.start);
    let mut sum = 0.0;
    for number in numbers {
        let unit = encoder.encode(&hills(size, number).frame(), orders).unwrap();
        sum += unit.expect("no frame is left out").data.len() as f64;
        orders = Orders::default();
    }
    sum / count
}

#[test]
fn what_is_encoded_is_decoded_nearly_the_same() {
    for codec in Codec::ALL {
        let size = size("640x360");
        let mut encoder = encoder(codec, &hills(size, 0), "4M");
        let mut decoder = Decoder::new(codec);
        for number in 0..20 {
            let picture = hills(size, number);
            let unit = encoder
                .encode(&picture.frame(), Orders::default())
                .unwrap()
                .unwrap();
            assert_eq!(unit.is_keyframe, number == 0, "{codec}: frame {number}");
            assert_eq!(unit.captured_at, picture.captured_at);
            let decoded = decoder.decode(&unit);
            assert_eq!((decoded.width, decoded.height), (640, 360));
            let quality = psnr(&picture, &decoded);
            assert!(quality > 30.0, "{codec}: frame {number} has {quality:.1} dB");
        }
    }
}

#[test]
fn a_keyframe_comes_with_the_frame_it_was_ordered_for() {
    for codec in Codec::ALL {
        let size = size("320x240");
        let mut encoder = encoder(codec, &hills(size, 0), "1M");
        for number in 0..12 {
            let keyframe = matches!(number, 5 | 6 | 9);
            let orders = Orders {
                keyframe,
                bitrate: None,
            };
            let unit = encoder
                .encode(&hills(size, number).frame(), orders)
                .unwrap()
                .unwrap();
            assert_eq!(
                unit.is_keyframe,
                keyframe || number == 0,
                "{codec}: frame {number}"
            );
            if keyframe {
                // A decoder that joins here gets a whole picture.
                let decoded = Decoder::new(codec).decode(&unit);
                assert!(psnr(&hills(size, number), &decoded) > 20.0, "{codec}");
            }
        }
    }
}

#[test]
fn without_the_upper_layer_the_base_is_decoded_to_the_same_pictures() {
    for codec in Codec::ALL {
        let size = size("640x360");
        let mut encoder = encoder(codec, &hills(size, 0), "1M");
        let [mut all, mut base] = [(); 2].map(|()| Decoder::new(codec));
        let mut expected = Layer::Base;
        for number in 0..60 {
            let keyframe = matches!(number, 0 | 21 | 22 | 40);
            let orders = Orders {
                keyframe,
                bitrate: (number == 31).then(|| Bitrate::from_bps(400_000)),
            };
            let mut picture = hills(size, number);
            if number > 45 {
                picture.format.rate = FrameRate::per_second(15);
            }
            let unit = encoder.encode(&picture.frame(), orders).unwrap();
            let unit = unit.expect("no frame is left out");
            if keyframe {
                expected = Layer::Base;
            }
            assert_eq!(unit.layer, expected, "{codec}: frame {number}");
            let decoded = all.decode(&unit);
            if expected == Layer::Base {
                assert!(
                    decoded.y == base.decode(&unit).y,
                    "{codec}: frame {number} differs"
                );
            }
            if codec == Codec::H264 {
                let mut slices = nal_units(&unit.data).filter(|part| part.kind().is_slice());
                assert!(slices.all(|slice| slice.is_reference() == (expected == Layer::Base)));
            }
            expected = match expected {
                Layer::Base => Layer::Upper,
                Layer::Upper => Layer::Base,
            };
        }
    }
}

#[test]
fn the_bitrate_is_kept_and_follows_orders() {
    for codec in Codec::ALL {
        let size = size("640x360");
        let mut encoder = encoder(codec, &hills(size, 0), "2M");
        mean_size(&mut *encoder, size, 0..30, Orders::default());
        let kilobits = |bytes: f64| bytes * 8.0 * RATE.as_f64() / 1000.0;
        let before = kilobits(mean_size(&mut *encoder, size, 30..75, Orders::default()));
        assert!(
            (1200.0..2600.0).contains(&before),
            "{codec}: {before:.0} kbit/s at 2M"
        );
        let order = |bitrate: &str| Orders {
            keyframe: false,
            bitrate: Some(bitrate.parse().unwrap()),
        };
        mean_size(&mut *encoder, size, 75..105, order("600k"));
        let low = kilobits(mean_size(&mut *encoder, size, 105..150, Orders::default()));
        assert!((300.0..850.0).contains(&low), "{codec}: {low:.0} kbit/s at 600k");
        mean_size(&mut *encoder, size, 150..180, order("3M"));
        let high = kilobits(mean_size(&mut *encoder, size, 180..225, Orders::default()));
        assert!(
            (1800.0..3900.0).contains(&high),
            "{codec}: {high:.0} kbit/s at 3M"
        );
    }
}

#[test]
fn at_a_lower_rate_the_bits_go_to_fewer_pictures_without_a_keyframe() {
    const TEN: FrameRate = FrameRate::per_second(10);
    for codec in Codec::ALL {
        let size = size("640x360");
        let mut encoder = encoder(codec, &hills(size, 0), "1500k");
        // Pictures with their times, and what they have on average once the encoder has settled.
        let mut mean = |numbers: std::ops::Range<u32>, rate: FrameRate, step: u32| {
            let mut sizes = Vec::new();
            for number in numbers.step_by(step as usize) {
                let mut picture = hills(size, number);
                picture.format.rate = rate;
                let unit = encoder.encode(&picture.frame(), Orders::default()).unwrap();
                let unit = unit.expect("no frame is left out");
                assert_eq!(unit.is_keyframe, number == 0, "{codec}: picture {number}");
                sizes.push(unit.data.len() as f64);
            }
            let settled = &sizes[sizes.len() / 2..];
            settled.iter().sum::<f64>() / settled.len() as f64
        };
        let all = mean(0..90, RATE, 1);
        let third = mean(90..270, TEN, 3);
        let again = mean(270..360, RATE, 1);
        for (name, share, range) in [
            ("at a third of the rate", third / all, 2.0..4.0),
            ("again at the full rate", again / all, 0.7..1.4),
        ] {
            assert!(
                range.contains(&share),
                "{codec} {name}: {share:.2} times the size"
            );
        }
    }
}

#[test]
fn odd_sizes_are_cut_to_what_the_codec_can_show() {
    for (codec, shown) in [(Codec::H264, (322, 178)), (Codec::Vp8, (323, 179))] {
        let picture = hills(size("323x179"), 0);
        let unit = encoder(codec, &picture, "2M")
            .encode(&picture.frame(), Orders::default())
            .unwrap()
            .unwrap();
        let decoded = Decoder::new(codec).decode(&unit);
        assert_eq!((decoded.width, decoded.height), shown, "{codec}");
        assert!(psnr(&picture, &decoded) > 28.0, "{codec}: shifted?");
    }
}

#[test]
fn frames_of_another_shape_are_refused() {
    for codec in Codec::ALL {
        let mut encoder = encoder(codec, &hills(size("320x240"), 0), "1M");
        let other = encoder.encode(&hills(size("640x480"), 0).frame(), Orders::default());
        assert!(matches!(other, Err(EncodeError::FormatChanged { .. })), "{codec}");
        let whole = hills(size("320x240"), 0);
        let short = Frame {
            data: &whole.data[..whole.data.len() - 1],
            ..whole.frame()
        };
        let short = encoder.encode(&short, Orders::default());
        assert!(matches!(short, Err(EncodeError::Layout { .. })), "{codec}");
        let unconverted = VideoFormat {
            pixel: PixelFormat::Yuyv,
            ..whole.format
        };
        let error = software(codec, unconverted, Bitrate::from_bps(1_000_000))
            .err()
            .expect("refused");
        assert!(error.to_string().contains("YU12"), "{error}");
    }
}

#[test]
fn several_threads_make_one_picture() {
    let picture = |number| hills(size("1280x720"), number);
    let (format, bitrate) = (picture(0).format, Bitrate::from_bps(4_000_000));
    let encoders: [(Codec, Box<dyn VideoEncoder>); 2] = [
        (
            Codec::H264,
            Box::new(openh264::Encoder::with_threads(format, bitrate, 3).unwrap()),
        ),
        (
            Codec::Vp8,
            Box::new(vpx::Encoder::with_threads(format, bitrate, 3).unwrap()),
        ),
    ];
    for (codec, mut encoder) in encoders {
        let mut decoder = Decoder::new(codec);
        for number in 0..5 {
            let unit = encoder
                .encode(&picture(number).frame(), Orders::default())
                .unwrap()
                .unwrap();
            let decoded = decoder.decode(&unit);
            assert!(psnr(&picture(number), &decoded) > 28.0, "{codec}: frame {number}");
        }
    }
}

#[test]
fn no_frame_is_left_out_however_low_the_bitrate() {
    for codec in Codec::ALL {
        let size = size("640x360");
        let mut encoder = encoder(codec, &hills(size, 0), "1");
        mean_size(&mut *encoder, size, 0..30, Orders::default());
    }
}

#[test]
fn h264_keyframes_carry_their_parameter_sets_and_nothing_else_does() {
    let picture = |number| hills(size("1280x720"), number);
    let mut encoder = encoder(Codec::H264, &picture(0), "2M");
    for number in 0..6 {
        let orders = Orders {
            keyframe: number == 4,
            bitrate: None,
        };
        let unit = encoder.encode(&picture(number).frame(), orders).unwrap().unwrap();
        let starts = unit
            .data
            .windows(5)
            .filter(|window| window.starts_with(&[0, 0, 0, 1]));
        let kinds: Vec<u8> = starts.map(|window| window[4] & 31).collect();
        if unit.is_keyframe {
            assert_eq!(kinds[..3], [7, 8, 5], "SPS, PPS, slices of an IDR picture");
            assert!(kinds[2..].iter().all(|&kind| kind == 5), "{kinds:?}");
            // profile_idc 66, constraint_set0 and 1, level_idc 31: fits profile-level-id 42e01f.
            assert_eq!(unit.data[5], 66);
            assert_eq!(unit.data[6] & 0xc0, 0xc0);
            assert_eq!(unit.data[7], 31);
        } else {
            assert!(kinds.iter().all(|&kind| kind == 1), "{kinds:?}");
        }
    }
}

#[test]
fn the_clock_in_the_picture_survives_both_codecs() {
    for codec in Codec::ALL {
        for (written, bitrate) in [("1280x720", "2M"), ("640x480", "600k"), ("320x240", "300k")] {
            let size = size(written);
            let (width, stride) = (size.width as usize, hills(size, 0).format.stride as usize);
            let mut encoder = encoder(codec, &hills(size, 0), bitrate);
            let mut decoder = Decoder::new(codec);
            for number in 0..12 {
                let mut picture = hills(size, number);
                let time = Duration::from_micros(1_763_812_345_678_900 + 33_300 * u64::from(number));
                clock::draw(clock::encode(time), &mut picture.data, stride, width);
                let unit = encoder.encode(&picture.frame(), Orders::default()).unwrap();
                let decoded = decoder.decode(&unit.expect("no frame is left out"));
                let shown = clock::read_clock(&decoded.y, decoded.width, decoded.width);
                let ticks = 17_638_123_456_789 + 333 * u64::from(number);
                assert_eq!(shown, Some(ticks), "{codec} {written}: frame {number}");
            }
        }
    }
}
