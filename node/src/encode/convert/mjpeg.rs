//! Motion JPEG, by libjpeg-turbo straight to planes: no detour through RGB.

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, Subsamp, YuvImage};

use super::{ConvertError, Output, rgb};
use crate::media::{self, ColourRange, Frame};

/// What libjpeg-turbo says of the bytes that many cameras leave in front of a JPEG's end marker. The picture is
/// whole. In front of any other marker they are what is left of damaged data.
const HARMLESS: &str = "extraneous bytes before marker 0xd9";

/// Decodes JPEGs of any kind that a camera may send to 4:2:0 in limited range.
pub struct Decoder {
    library: Decompressor,
    /// The image, out of reach of whoever fills the device's buffers: the library reads a JPEG's header twice, and
    /// writes as much as the second reading says into memory measured by the first.
    jpeg: Vec<u8>,
    /// The planes as they are in the JPEG, or its pixels.
    planes: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Result<Self, ConvertError> {
        Ok(Self {
            library: library()?,
            jpeg: Vec::new(),
            planes: Vec::new(),
        })
    }

    /// Decodes `frame`, which must be at least as large as `output`: some cameras pad theirs to whole blocks.
    pub fn decode(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) -> Result<(), ConvertError> {
        let outcome = self.try_to_decode(frame, output);
        if outcome.is_err() {
            // What a damaged picture has left in the library must not damage the next.
            self.library = library()?;
        }
        outcome
    }

    fn try_to_decode(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) -> Result<(), ConvertError> {
        let traits = media::jpeg::mend(frame.data, &mut self.jpeg)
            .map_err(|flaw| ConvertError::Jpeg(flaw.to_string()))?;
        let header = self.library.read_header(&self.jpeg).map_err(jpeg)?;
        check_size(&header, output)?;
        match (header.colorspace, header.subsamp) {
            (Colorspace::YCbCr | Colorspace::Gray, subsamp) if subsamp != Subsamp::Unknown => {
                self.decode_planes(&header, output)
            }
            (Colorspace::CMYK | Colorspace::YCCK, _) => {
                self.decode_pixels(&header, PixelFormat::CMYK)?;
                uncover(&mut self.planes, traits.is_adobe);
                self.take_pixels::<4>(&header, output);
                Ok(())
            }
            _ => {
                self.decode_pixels(&header, PixelFormat::RGB)?;
                self.take_pixels::<3>(&header, output);
                Ok(())
            }
        }
    }

    /// Straight to planes.
    fn decode_planes(
        &mut self,
        header: &DecompressHeader,
        output: &mut Output<'_>,
    ) -> Result<(), ConvertError> {
        let layout = Layout::of(header);
        self.planes.resize(layout.length, 0);
        let image = YuvImage {
            pixels: &mut self.planes[..],
            width: header.width,
            align: 1,
            height: header.height,
            subsamp: header.subsamp,
        };
        let outcome = self.library.decompress_to_yuv(&self.jpeg, image);
        whole(outcome)?;
        layout.squeeze(&self.planes, output);
        Ok(())
    }

    /// By way of pixels, for what has no planes of luma and chroma: no camera is known to send it, but programs do.
    fn decode_pixels(&mut self, header: &DecompressHeader, format: PixelFormat) -> Result<(), ConvertError> {
        let pitch = header.width * format.size();
        self.planes.resize(pitch * header.height, 0);
        let image = Image {
            pixels: &mut self.planes[..],
            width: header.width,
            pitch,
            height: header.height,
            format,
        };
        whole(self.library.decompress(&self.jpeg, image))
    }

    /// From pixels of so many bytes, the first three of which are red, green and blue.
    fn take_pixels<const BYTES: usize>(&self, header: &DecompressHeader, output: &mut Output<'_>) {
        let pixels = rgb::Pixels {
            data: &self.planes,
            stride: header.width * BYTES,
            range: ColourRange::Full,
        };
        rgb::convert(&pixels, output, |pixel: &[u8; BYTES]| {
            [pixel[0], pixel[1], pixel[2]]
        });
    }
}

fn library() -> Result<Decompressor, ConvertError> {
    let mut library = Decompressor::new().map_err(jpeg)?;
    // A camera sends one scan, or ten of a progressive picture; a crafted JPEG with thousands would hold up the stream.
    library.set_scan_limit(16).map_err(jpeg)?;
    Ok(library)
}

/// Larger by a few blocks is padding, smaller or much larger is another picture.
fn check_size(header: &DecompressHeader, output: &Output<'_>) -> Result<(), ConvertError> {
    let (width, height) = (header.width, header.height);
    let fits = |actual: usize, wanted: usize| (wanted..wanted + 64).contains(&actual);
    if fits(width, output.width()) && fits(height, output.height()) && !header.is_lossless {
        return Ok(());
    }
    let kind = if header.is_lossless { "lossless of " } else { "" };
    Err(ConvertError::JpegKind {
        actual: format!("{kind}{width}x{height}"),
        expected: format!("{}x{}", output.width(), output.height()),
    })
}

/// Whether all of the picture was in the data.
fn whole(outcome: turbojpeg::Result<()>) -> Result<(), ConvertError> {
    match outcome {
        Err(error) if !error.to_string().contains(HARMLESS) => Err(jpeg(error)),
        _ => Ok(()),
    }
}

/// Ink on paper becomes light. Adobe's programs, and who follows them, write how much of the paper each ink leaves uncovered.
fn uncover(pixels: &mut [u8], is_adobe: bool) {
    let left = |ink: u8| if is_adobe { ink } else { 255 - ink };
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let key = u16::from(left(pixel[3]));
        for ink in &mut pixel[..3] {
            #[allow(clippy::cast_possible_truncation, reason = "a share of a byte")]
            let light = ((u16::from(left(*ink)) * key + 127) / 255) as u8;
            *ink = light;
        }
    }
}

/// How libjpeg-turbo lays out the planes of a JPEG: without gaps, each as large as whole chroma samples need.
struct Layout {
    luma_stride: usize,
    luma_lines: usize,
    chroma_stride: usize,
    chroma_lines: usize,
    /// How many luma samples share a chroma sample, each way; `None` without chroma.
    sharing: Option<(usize, usize)>,
    length: usize,
}

impl Layout {
    fn of(header: &DecompressHeader) -> Self {
        let (width, height) = (header.width, header.height);
        let sharing = match header.subsamp {
            Subsamp::Gray => None,
            known => Some(known.size()),
        };
        let (across, down) = sharing.unwrap_or((1, 1));
        let luma_stride = width.next_multiple_of(across);
        let luma_lines = height.next_multiple_of(down);
        let (chroma_stride, chroma_lines) = match sharing {
            Some(_) => (luma_stride / across, luma_lines / down),
            None => (0, 0),
        };
        Self {
            luma_stride,
            luma_lines,
            chroma_stride,
            chroma_lines,
            sharing,
            length: luma_stride * luma_lines + 2 * chroma_stride * chroma_lines,
        }
    }

    /// From full to limited range, and from any subsampling to 4:2:0.
    fn squeeze(&self, planes: &[u8], output: &mut Output<'_>) {
        let (y, chroma) = planes.split_at(self.luma_stride * self.luma_lines);
        let width = output.width();
        for (from, to) in y.chunks(self.luma_stride).zip(output.y.chunks_mut(output.stride)) {
            for (&from, to) in from.iter().zip(&mut to[..width]) {
                *to = limited_luma(from);
            }
        }
        let Some(sharing) = self.sharing else {
            output.u.fill(128);
            output.v.fill(128);
            return;
        };
        let chroma_width = output.chroma_width();
        let (u, v) = chroma.split_at(self.chroma_stride * self.chroma_lines);
        for (from, to) in [(u, &mut *output.u), (v, &mut *output.v)] {
            for (number, to) in to.chunks_mut(output.chroma_stride).enumerate() {
                self.chroma_line(from, sharing, number, &mut to[..chroma_width]);
            }
        }
    }

    /// Line `number` of a 4:2:0 chroma plane out of `plane`.
    fn chroma_line(&self, plane: &[u8], (across, down): (usize, usize), number: usize, line: &mut [u8]) {
        // The lines of the JPEG's plane that this one stands for: two without vertical subsampling, else one.
        let first = (2 * number / down).min(self.chroma_lines - 1);
        let second = ((2 * number + 1) / down).min(self.chroma_lines - 1);
        let upper = &plane[first * self.chroma_stride..][..self.chroma_stride];
        let lower = &plane[second * self.chroma_stride..][..self.chroma_stride];
        match across {
            1 => {
                let last = self.chroma_stride - 1;
                for (x, to) in line.iter_mut().enumerate() {
                    let (left, right) = (2 * x, (2 * x + 1).min(last));
                    let sum = [upper[left], upper[right], lower[left], lower[right]].map(u16::from);
                    *to = limited_chroma((sum.iter().sum::<u16>() + 2) / 4);
                }
            }
            2 => {
                for ((&upper, &lower), to) in upper.iter().zip(lower).zip(line) {
                    *to = limited_chroma((u16::from(upper) + u16::from(lower)).div_ceil(2));
                }
            }
            wider => {
                for (x, to) in line.iter_mut().enumerate() {
                    let from = 2 * x / wider;
                    *to = limited_chroma((u16::from(upper[from]) + u16::from(lower[from])).div_ceil(2));
                }
            }
        }
    }
}

/// 0 to 255 becomes 16 to 235, within a half of `16 + 219 y / 255`.
fn limited_luma(full: u8) -> u8 {
    ((u16::from(full) * 220 + 16 * 256 + 110) >> 8) as u8
}

/// 0 to 255 becomes 16 to 240 about 128, within a half of `128 + 224 (c - 128) / 255`.
fn limited_chroma(full: u16) -> u8 {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "240 at most for what a mean of bytes can be"
    )]
    let limited = ((full * 225 + 128 * 31 + 128) >> 8) as u8;
    limited
}

fn jpeg(error: turbojpeg::Error) -> ConvertError {
    ConvertError::Jpeg(error.to_string())
}
