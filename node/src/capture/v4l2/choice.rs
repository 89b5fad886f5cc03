//! Which of a camera's modes to take.
//!
//! Each has a price: what it lacks of the wish, and what it takes to get its frames to the encoder. The lowest wins.
//!
//! | | price |
//! |---|---|
//! | half the pixels wanted, or twice as many | 1.39, twice the logarithm: a size is asked for with care |
//! | another shape, as 4:3 for 16:9 | 0.29, the logarithm |
//! | half the rate | 0.69, the logarithm |
//! | twice the rate | 0.35: nothing is lost, but each frame is encoded |
//! | the format | 0 to 0.2, see [`format_price`]; nothing for one that a hardware encoder takes; 1.5 for a picture without colours |
//! | H.264 of the camera's own | -0.1 or 0.3, as [`OwnEncoding`] says: it spares all encoding, but is not ours to judge |
//!
//! So a format that is dear to unpack is taken for a rate that is a fifth higher, and not for less; and a camera that
//! reaches 720p at no more than 5 fps raw but 30 as MJPEG gives MJPEG.

use super::mode::{Mode, is_possible};
use crate::{
    capture::{OwnEncoding, Want},
    media::{FrameRate, FrameSize, PixelFormat},
};

/// Differences in rate below this share of the wanted one don't matter: 29.97 is as good as 30.
const SAME_RATE: f64 = 0.05;

/// The mode to ask for, and the rate.
pub fn choose<'a>(modes: &'a [Mode], want: &'a Want) -> Option<(&'a Mode, FrameRate)> {
    offers(modes, want)
        .min_by(|a, b| a.price.total_cmp(&b.price))
        .map(|offer| (offer.mode, offer.rate))
}

/// In words why `chosen` was taken, for the log.
pub fn reason(modes: &[Mode], want: &Want, chosen: PixelFormat) -> String {
    if want.format.is_some() {
        return "the configuration names the format".to_owned();
    }
    let others: Vec<Offer<'_>> = offers(modes, want)
        .filter(|offer| offer.pixel != chosen)
        .collect();
    let better = others
        .iter()
        .filter(|offer| format_price(offer.pixel, want) < format_price(chosen, want))
        .min_by(|a, b| a.price.total_cmp(&b.price));
    if let Some(Offer {
        mode, rate, pixel, ..
    }) = better
    {
        let size = mode.size.map_or(String::new(), |size| format!(" {size}"));
        return format!("{pixel} would be better, but comes no nearer than{size} {rate}");
    }
    let mut names: Vec<String> = others.iter().map(|offer| offer.pixel.to_string()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        "its only usable format".to_owned()
    } else {
        format!("better than {}", names.join(", "))
    }
}

/// Whether nobody would notice that a rate is not the wanted one.
pub fn is_same_rate(rate: FrameRate, want: FrameRate) -> bool {
    (rate.as_f64() / want.as_f64() - 1.0).abs() < SAME_RATE
}

/// A mode that can be encoded here, at its best rate.
struct Offer<'a> {
    mode: &'a Mode,
    pixel: PixelFormat,
    rate: FrameRate,
    price: f64,
}

fn offers<'a>(modes: &'a [Mode], want: &'a Want) -> impl Iterator<Item = Offer<'a>> {
    modes.iter().filter_map(move |mode| {
        let pixel = mode.pixel?;
        let is_other = want.format.is_some_and(|wanted| wanted != pixel);
        let is_refused = pixel == PixelFormat::H264 && want.own_encoding == OwnEncoding::Never;
        if is_other || is_refused || !mode.size.is_none_or(is_possible) {
            return None;
        }
        let rates = mode.rates.iter().copied();
        // Of those that are as good as the wanted one the same one: 59.94 where there is 60 as well.
        let off = |rate: FrameRate| (rate.as_f64() - want.rate.as_f64()).abs();
        let nearest = rates.min_by(|&a, &b| {
            let by_price = rate_price(a, want.rate).total_cmp(&rate_price(b, want.rate));
            by_price.then(off(a).total_cmp(&off(b)))
        });
        let rate = nearest.unwrap_or(want.rate);
        let size_price = mode.size.map_or(0.0, |size| size_price(size, want.size));
        Some(Offer {
            mode,
            pixel,
            rate,
            price: size_price + rate_price(rate, want.rate) + format_price(pixel, want),
        })
    })
}

/// What it takes to make YU12 of a frame, in the order of what `encode_bench` measures, and what crosses the bus.
fn format_price(pixel: PixelFormat, want: &Want) -> f64 {
    if want.encoder_formats.contains(&pixel) {
        // Nothing is unpacked, and perhaps nothing copied. The packed formats are a third more to move.
        return match pixel {
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Yvyu | PixelFormat::Vyuy => 0.01,
            _ => 0.0,
        };
    }
    let copied = if want.encoder_formats.is_empty() {
        0.0
    } else {
        0.015
    };
    copied + unpacking_price(pixel, want)
}

/// The same where software encodes.
fn unpacking_price(pixel: PixelFormat, want: &Want) -> f64 {
    match pixel {
        PixelFormat::H264 => match want.own_encoding {
            // Neither this nor an encoder.
            OwnEncoding::Preferred => -0.1,
            // Of what has colours the last resort.
            OwnEncoding::Possible | OwnEncoding::Never => 0.3,
        },
        // As the encoders take it.
        PixelFormat::Yu12 => 0.0,
        // The planes are copied.
        PixelFormat::Yv12 => 0.01,
        // One of them is unwoven.
        PixelFormat::Nv12 | PixelFormat::Nv21 => 0.02,
        // The same, and it is a third more to begin with.
        PixelFormat::Nv16 | PixelFormat::Nv61 => 0.04,
        // Everything is.
        PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Yvyu | PixelFormat::Vyuy => 0.05,
        // Twice as many bytes, and each takes arithmetic.
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => 0.12,
        // A third more of them.
        PixelFormat::Xbgr32 | PixelFormat::Xrgb32 | PixelFormat::Bgrx32 | PixelFormat::Rgbx32 => 0.14,
        // Fewer, but what is missing of each colour shows in soft gradients.
        PixelFormat::Rgb565 => 0.18,
        // It has to be decoded, and has lost detail.
        PixelFormat::Mjpeg => 0.2,
        // The least work of all, but who has the choice wants colours.
        PixelFormat::Grey => 1.5,
        // And nobody sees the bits that are more.
        PixelFormat::Y10 | PixelFormat::Y16 => 1.52,
    }
}

fn size_price(size: FrameSize, want: FrameSize) -> f64 {
    let across = (f64::from(size.width) / f64::from(want.width.max(1))).ln();
    let down = (f64::from(size.height) / f64::from(want.height.max(1))).ln();
    2.0 * (across + down).abs() + (across - down).abs()
}

fn rate_price(rate: FrameRate, want: FrameRate) -> f64 {
    if is_same_rate(rate, want) {
        return 0.0;
    }
    let faster = (rate.as_f64() / want.as_f64()).ln();
    if faster < 0.0 { -faster } else { faster / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(fourcc: &[u8; 4], size: &str, rates: &[u32]) -> Mode {
        Mode {
            fourcc: *fourcc,
            pixel: PixelFormat::of_fourcc(*fourcc),
            size: Some(size.parse().unwrap()),
            rates: rates.iter().map(|&rate| FrameRate::per_second(rate)).collect(),
        }
    }

    fn want(size: &str, rate: u32) -> Want {
        Want {
            size: size.parse().unwrap(),
            rate: FrameRate::per_second(rate),
            format: None,
            own_encoding: OwnEncoding::Preferred,
            encoder_formats: Vec::new(),
            controls: crate::capture::Controls::new(),
        }
    }

    fn chosen(modes: &[Mode], size: &str, rate: u32) -> Option<String> {
        choose(modes, &want(size, rate)).map(|(mode, rate)| {
            let fourcc = String::from_utf8_lossy(&mode.fourcc);
            format!("{fourcc} {} {rate}", mode.size.unwrap())
        })
    }

    fn webcam() -> Vec<Mode> {
        vec![
            mode(b"YUYV", "1280x720", &[10, 5]),
            mode(b"YUYV", "640x480", &[30, 15]),
            mode(b"MJPG", "1280x720", &[30, 15]),
            mode(b"MJPG", "640x480", &[30]),
        ]
    }

    #[test]
    fn a_webcam_gives_jpeg_where_raw_pictures_are_too_slow() {
        let webcam = webcam();
        assert_eq!(chosen(&webcam, "1280x720", 30).unwrap(), "MJPG 1280x720 30 fps");
        assert_eq!(chosen(&webcam, "1280x720", 10).unwrap(), "YUYV 1280x720 10 fps");
        assert_eq!(chosen(&webcam, "640x480", 30).unwrap(), "YUYV 640x480 30 fps");
        assert_eq!(chosen(&webcam, "800x600", 25).unwrap(), "YUYV 640x480 30 fps");
    }

    #[test]
    fn the_choice_has_a_reason() {
        let webcam = webcam();
        assert_eq!(
            reason(&webcam, &want("1280x720", 30), PixelFormat::Mjpeg),
            "YUYV would be better, but comes no nearer than 1280x720 10 fps"
        );
        assert_eq!(
            reason(&webcam, &want("640x480", 30), PixelFormat::Yuyv),
            "better than MJPEG"
        );
        assert_eq!(
            reason(&webcam[..2], &want("640x480", 30), PixelFormat::Yuyv),
            "its only usable format"
        );
    }

    #[test]
    fn at_the_same_size_and_rate_the_least_work_wins() {
        let order = [
            "H264", "YU12", "YV12", "NV12", "NV16", "VYUY", "RGB3", "XR24", "RGBP", "MJPG", "GREY", "Y16 ",
        ];
        let all: Vec<Mode> = order
            .iter()
            .rev()
            .map(|code| mode(code.as_bytes().try_into().unwrap(), "1280x720", &[30]))
            .collect();
        for (count, code) in order.iter().rev().enumerate() {
            let expected = format!("{code} 1280x720 30 fps");
            assert_eq!(chosen(&all[..=count], "1280x720", 30).unwrap(), expected);
        }
    }

    #[test]
    fn what_a_hardware_encoder_takes_is_preferred() {
        let modes = ["MJPG", "YU12", "NV12", "YUYV"]
            .map(|code| mode(code.as_bytes().try_into().unwrap(), "1280x720", &[30]));
        for (formats, expected) in [
            (vec![], "YU12"),
            (vec![PixelFormat::Nv12, PixelFormat::Yuyv], "NV12"),
            (vec![PixelFormat::Yuyv], "YUYV"),
        ] {
            let want = Want {
                encoder_formats: formats,
                ..want("1280x720", 30)
            };
            let (mode, _) = choose(&modes, &want).unwrap();
            assert_eq!(String::from_utf8_lossy(&mode.fourcc), expected);
        }
        let slow = [mode(b"NV12", "1280x720", &[10]), mode(b"MJPG", "1280x720", &[30])];
        let want = Want {
            encoder_formats: vec![PixelFormat::Nv12],
            ..want("1280x720", 30)
        };
        let (mode, _) = choose(&slow, &want).unwrap();
        assert_eq!(&mode.fourcc, b"MJPG", "but not at any price");
    }

    #[test]
    fn a_camera_encodes_by_itself_where_that_is_wanted() {
        let modes = [
            mode(b"YUYV", "1280x720", &[30]),
            mode(b"MJPG", "1280x720", &[30]),
            mode(b"H264", "1280x720", &[30]),
            mode(b"H264", "1920x1080", &[30]),
            mode(b"GREY", "1920x1080", &[30]),
        ];
        for (own_encoding, size, expected) in [
            (OwnEncoding::Preferred, "1280x720", "H264 1280x720"),
            (OwnEncoding::Preferred, "1920x1080", "H264 1920x1080"),
            (OwnEncoding::Possible, "1280x720", "YUYV 1280x720"),
            (OwnEncoding::Possible, "1920x1080", "H264 1920x1080"),
            (OwnEncoding::Never, "1280x720", "YUYV 1280x720"),
        ] {
            let want = Want {
                own_encoding,
                ..want(size, 30)
            };
            let (mode, _) = choose(&modes, &want).unwrap();
            let taken = format!("{} {}", String::from_utf8_lossy(&mode.fourcc), mode.size.unwrap());
            assert_eq!(taken, expected, "{own_encoding:?}");
        }
        for (own_encoding, is_taken) in [
            (OwnEncoding::Preferred, true),
            (OwnEncoding::Possible, true),
            (OwnEncoding::Never, false),
        ] {
            let named = Want {
                format: Some(PixelFormat::H264),
                own_encoding,
                ..want("640x480", 30)
            };
            let taken = choose(&modes, &named).map(|(mode, _)| mode.pixel);
            let expected = is_taken.then_some(Some(PixelFormat::H264));
            assert_eq!(taken, expected, "by name, {own_encoding:?}");
        }
        let modes = |raw| {
            [
                mode(b"H264", "1280x720", &[25]),
                mode(b"YUYV", "1280x720", &[raw]),
            ]
        };
        let (more, same) = (modes(30), modes(25));
        assert_eq!(
            chosen(&more, "1280x720", 30).unwrap(),
            "YUYV 1280x720 30 fps",
            "not at any price"
        );
        assert_eq!(chosen(&same, "1280x720", 30).unwrap(), "H264 1280x720 25 fps");
    }

    #[test]
    fn what_cannot_be_encoded_is_not_chosen() {
        let odd = [mode(b"BA81", "1280x720", &[30]), mode(b"YUYV", "640x480", &[30])];
        assert_eq!(chosen(&odd, "1280x720", 30).unwrap(), "YUYV 640x480 30 fps");
        assert_eq!(chosen(&odd[..1], "1280x720", 30), None);
        let mut tiny = mode(b"YUYV", "16x16", &[30]);
        tiny.size = Some(FrameSize { width: 8, height: 8 });
        assert_eq!(chosen(&[tiny], "16x16", 30), None);
    }

    #[test]
    fn a_format_that_is_named_is_the_only_one() {
        let webcam = webcam();
        let named = |format| Want {
            format: Some(format),
            ..want("640x480", 30)
        };
        let jpeg = named(PixelFormat::Mjpeg);
        let (mode, _) = choose(&webcam, &jpeg).unwrap();
        assert_eq!(
            (&mode.fourcc, mode.size),
            (b"MJPG", Some("640x480".parse().unwrap()))
        );
        assert_eq!(choose(&webcam, &named(PixelFormat::Nv12)), None);
        let why = reason(&webcam, &jpeg, PixelFormat::Mjpeg);
        assert_eq!(why, "the configuration names the format");
    }

    #[test]
    fn a_little_more_rate_is_not_worth_a_decoder() {
        let modes = |raw| {
            [
                mode(b"MJPG", "1280x720", &[30]),
                mode(b"YUYV", "1280x720", &[raw]),
            ]
        };
        assert_eq!(
            chosen(&modes(27), "1280x720", 30).unwrap(),
            "YUYV 1280x720 27 fps"
        );
        assert_eq!(
            chosen(&modes(20), "1280x720", 30).unwrap(),
            "MJPG 1280x720 30 fps"
        );
    }

    #[test]
    fn a_size_is_kept_unless_its_rate_is_no_video() {
        let modes = |rate| {
            [
                mode(b"YUYV", "1280x720", &[rate]),
                mode(b"YUYV", "640x480", &[30]),
            ]
        };
        assert_eq!(
            chosen(&modes(10), "1280x720", 30).unwrap(),
            "YUYV 1280x720 10 fps"
        );
        assert_eq!(chosen(&modes(2), "1280x720", 30).unwrap(), "YUYV 640x480 30 fps");
        let shapes = [mode(b"YUYV", "1024x768", &[30]), mode(b"YUYV", "1024x576", &[30])];
        assert_eq!(chosen(&shapes, "960x540", 30).unwrap(), "YUYV 1024x576 30 fps");
    }

    #[test]
    fn a_rate_too_fast_is_better_than_one_too_slow() {
        let modes = [mode(b"YUYV", "640x480", &[60, 15])];
        assert_eq!(chosen(&modes, "640x480", 30).unwrap(), "YUYV 640x480 60 fps");
    }

    #[test]
    fn the_very_rate_is_taken_where_the_camera_has_it() {
        let ntsc = |whole: u32| FrameRate {
            frames: whole * 1000,
            seconds: 1001,
        };
        let mut camera = mode(b"YUYV", "640x480", &[60, 30, 15]);
        camera.rates.extend([ntsc(60), ntsc(30), "7.5".parse().unwrap()]);
        let camera = [camera];
        for (wanted, expected) in [
            ("60", "60 fps"),
            ("59.94", "59.94 fps"),
            ("30000/1001", "29.97 fps"),
            ("30", "30 fps"),
            ("7.5", "7.5 fps"),
            ("7.6", "7.5 fps"),
        ] {
            let want = Want {
                rate: wanted.parse().unwrap(),
                ..want("640x480", 30)
            };
            let (_, rate) = choose(&camera, &want).unwrap();
            assert_eq!(rate.to_string(), expected, "{wanted}");
        }
    }

    #[test]
    fn ntsc_rates_count_as_whole_ones() {
        let mut slow = mode(b"YU12", "640x480", &[]);
        slow.rates = vec![FrameRate {
            frames: 30000,
            seconds: 1001,
        }];
        let modes = [mode(b"MJPG", "640x480", &[30]), slow];
        assert_eq!(chosen(&modes, "640x480", 30).unwrap(), "YU12 640x480 29.97 fps");
    }
}
