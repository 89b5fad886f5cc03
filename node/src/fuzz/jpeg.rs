use super::cuts;
use crate::{
    capture::command::cut_up,
    encode::Converter,
    media::{Colour, Frame, FrameRate, FrameSize, PixelFormat, Timestamp, VideoFormat},
};

/// Pictures that are decoded of one stream.
const MOST: usize = 4;
/// What a camera was asked for. A JPEG may be larger by some blocks.
const SIZE: FrameSize = FrameSize {
    width: 16,
    height: 16,
};

/// JPEG as a command writes it, one image behind the other, and as a camera gives it, each by itself.
pub fn jpeg(stream: &[u8]) -> bool {
    let images = cut_up(PixelFormat::Mjpeg, stream, [], false);
    for parts in cuts(stream) {
        assert_eq!(
            cut_up(PixelFormat::Mjpeg, stream, parts, false),
            images,
            "however it comes"
        );
    }
    let mut converter = Converter::new();
    let whole = decoded(&mut converter, stream);
    let mut any = whole.is_some();
    for image in images.iter().take(MOST) {
        let image = &stream[image.clone()];
        assert!(image.starts_with(&[0xff, 0xd8]), "an image begins so");
        any |= decoded(&mut converter, image).is_some();
    }
    // Tables that a picture lacks are those of an earlier one (ITU-T T.81, B.5), so what comes before may matter; but chance must not.
    decoded(&mut converter, stream);
    let again = decoded(&mut Converter::new(), stream);
    assert_eq!(again, whole, "the same from the beginning");
    any
}

/// The picture in YU12, where it can be decoded.
fn decoded(converter: &mut Converter, data: &[u8]) -> Option<Vec<u8>> {
    let frame = Frame {
        format: VideoFormat {
            pixel: PixelFormat::Mjpeg,
            size: SIZE,
            stride: 0,
            colour: Colour::JPEG,
            rate: FrameRate::per_second(30),
        },
        captured_at: Timestamp::from_monotonic(std::time::Duration::ZERO),
        sequence: 0,
        data,
        dmabuf: None,
    };
    match converter.to_yu12(&frame) {
        Ok(picture) => {
            assert_eq!(
                (picture.format.pixel, picture.format.size),
                (PixelFormat::Yu12, SIZE)
            );
            assert!(picture.data.len() >= picture.format.least_bytes(), "it is whole");
            Some(picture.data.to_vec())
        }
        Err(error) => {
            assert!(error.to_string().len() < 500, "for a log: {error}");
            None
        }
    }
}
