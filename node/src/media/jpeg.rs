//! What a JPEG image is made of (ITU-T T.81, annex B): segments and scans, found without decoding anything.
//!
//! A picture whose data are whole is a picture. Cameras leave out an image's end or its Huffman tables, write something in front of it, fill
//! the rest of a buffer with zeros or with what was in it before, tell a wrong length of a segment that nobody reads, and put another
//! image with an end of its own into a header. Decoders differ in what they make of each; so they get what [`mend`] makes of it.
//! What is missing of the picture itself stays missing: that shows when it is decoded.

use std::ops::Range;

use super::FrameSize;

/// Two bytes, of which the first is this, mark what an image is made of.
const MARK: u8 = 0xff;
/// `SOI`
pub const START_OF_IMAGE: u8 = 0xd8;
/// `EOI`
pub const END_OF_IMAGE: u8 = 0xd9;
/// `SOS`
pub const START_OF_SCAN: u8 = 0xda;
/// `APP0`, which is JFIF's.
const APP0: u8 = 0xe0;
/// `APP14`, which is Adobe's.
const APP14: u8 = 0xee;

/// Zeros behind the last scan of an image without an end are what a buffer was filled up with, but for so many: a scan may end with some
/// of its own.
const MOST_ZEROS: usize = 4;

/// Where the first image in `bytes` begins.
pub fn start(bytes: &[u8]) -> Option<usize> {
    const START: [u8; 3] = [MARK, START_OF_IMAGE, MARK];
    bytes.windows(START.len()).position(|three| three == START)
}

/// What a frame header (`SOF0` to `SOF15`) says of the picture (B.2.2): precision, lines, samples in a line.
pub fn size(code: u8, parameters: &[u8]) -> Option<FrameSize> {
    let &[_precision, h1, h0, w1, w0, ..] = parameters else {
        return None;
    };
    let size = FrameSize {
        width: u16::from_be_bytes([w1, w0]).into(),
        height: u16::from_be_bytes([h1, h0]).into(),
    };
    let possible = 16..=8192;
    let is_possible = possible.contains(&size.width) && possible.contains(&size.height);
    (is_frame_header(code) && is_possible).then_some(size)
}

/// `SOF0` to `SOF15`, without the three of that range that are something else (table B.1).
fn is_frame_header(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc)
}

/// A part of an image, by its place in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A marker by its code, and its parameters.
    Segment(u8, Range<usize>),
    /// Entropy-coded data, without what is behind them and belongs to no image.
    Scan(Range<usize>),
    /// The image ends here, behind its end marker.
    End(usize),
    /// It ends here without one: another begins, or the bytes are over.
    Cut(usize),
}

/// Goes from part to part of the image that the bytes begin with. The bytes may come little by little: they are those of the call before,
/// with more behind them.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Nothing before this is looked at again, but for the start of a scan.
    at: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At a marker.
    Marker,
    /// Somewhere between markers, because a length was wrong.
    Lost,
    /// Within the entropy-coded data that begin at `from`. What is behind `end` is none of them.
    Scan { from: usize, end: Option<usize> },
}

/// What a marker's parameters look like.
enum Judged {
    /// They end here.
    Sound(usize),
    Wrong,
    /// They have not all come.
    Unknown,
}

impl Default for Walk {
    /// Behind the start marker.
    fn default() -> Self {
        Self {
            at: 2,
            place: Place::Marker,
        }
    }
}

impl Walk {
    /// The next part; `None` where more bytes are needed to tell. With `is_all` no more will come, and there always is one. There is nothing
    /// behind [`Part::End`] and [`Part::Cut`].
    pub fn next(&mut self, bytes: &[u8], is_all: bool) -> Option<Part> {
        loop {
            match self.place {
                Place::Marker => {
                    let Some((mark, code)) = self.pair(bytes) else {
                        return is_all.then_some(Part::Cut(bytes.len()));
                    };
                    match (mark, code) {
                        (MARK, START_OF_IMAGE) => return Some(Part::Cut(self.at)),
                        (MARK, END_OF_IMAGE) => return Some(Part::End(self.at + 2)),
                        // A fill byte.
                        (MARK, MARK) => self.at += 1,
                        // Without parameters.
                        (MARK, 0x01 | 0xd0..=0xd7) => self.at += 2,
                        (MARK, code) if has_parameters(code) => match judge(bytes, self.at, is_all) {
                            Judged::Sound(end) => return Some(self.pass(code, end)),
                            Judged::Wrong => self.get_lost(),
                            Judged::Unknown => return None,
                        },
                        _ => self.get_lost(),
                    }
                }
                Place::Lost => {
                    self.seek(bytes);
                    let Some((_, code)) = self.pair(bytes) else {
                        return is_all.then_some(Part::Cut(bytes.len()));
                    };
                    let judged = match code {
                        START_OF_IMAGE => Judged::Sound(self.at),
                        code if has_parameters(code) => judge(bytes, self.at, is_all),
                        _ => Judged::Wrong,
                    };
                    match judged {
                        Judged::Sound(_) => self.place = Place::Marker,
                        Judged::Wrong => self.at += 1,
                        Judged::Unknown => return None,
                    }
                }
                Place::Scan { from, end } => {
                    self.seek(bytes);
                    let Some((_, code)) = self.pair(bytes) else {
                        if !is_all {
                            return None;
                        }
                        self.at = bytes.len();
                        return Some(self.leave_scan(from, end));
                    };
                    match code {
                        // A stuffed zero, a restart marker: still the same scan.
                        0x00 | 0xd0..=0xd7 => self.at += 2,
                        MARK => self.at += 1,
                        START_OF_IMAGE | END_OF_IMAGE => return Some(self.leave_scan(from, end)),
                        code if end.is_none() && comes_between_scans(code) => {
                            match judge(bytes, self.at, is_all) {
                                Judged::Sound(_) => return Some(self.leave_scan(from, end)),
                                Judged::Wrong => self.end_scan(from),
                                Judged::Unknown => return None,
                            }
                        }
                        _ if end.is_none() => self.end_scan(from),
                        _ => self.at += 2,
                    }
                }
            }
        }
    }

    /// Two bytes, where both are there.
    fn pair(&self, bytes: &[u8]) -> Option<(u8, u8)> {
        match bytes.get(self.at..)? {
            &[first, second, ..] => Some((first, second)),
            _ => None,
        }
    }

    /// To what may be a marker, or the end.
    fn seek(&mut self, bytes: &[u8]) {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == MARK);
        self.at = found.map_or(bytes.len(), |found| self.at + found);
    }

    /// Over a segment that ends at `end`.
    fn pass(&mut self, code: u8, end: usize) -> Part {
        let parameters = self.at + 4..end;
        self.at = end;
        if code == START_OF_SCAN {
            self.place = Place::Scan { from: end, end: None };
        }
        Part::Segment(code, parameters)
    }

    /// What comes next is sought right behind the marker: its length may be too large as well as too small.
    fn get_lost(&mut self) {
        self.at += 1;
        self.place = Place::Lost;
    }

    /// The scan was over before this.
    fn end_scan(&mut self, from: usize) {
        let end = Some(self.at);
        self.place = Place::Scan { from, end };
        self.at += 2;
    }

    fn leave_scan(&mut self, from: usize, end: Option<usize>) -> Part {
        self.place = Place::Marker;
        Part::Scan(from..end.unwrap_or(self.at))
    }
}

/// Whether a length follows. Reserved codes are none that a camera writes (table B.1).
fn has_parameters(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf | 0xda..=0xef | 0xfe)
}

/// Tables, comments and further scans.
fn comes_between_scans(code: u8) -> bool {
    matches!(code, 0xc4 | 0xcc | 0xda..=0xdd | 0xe0..=0xef | 0xfe)
}

/// Whether the segment at `at` has a length that can be true: what is known of its kind fits, and a marker is behind it.
fn judge(bytes: &[u8], at: usize, is_all: bool) -> Judged {
    let missing = if is_all { Judged::Wrong } else { Judged::Unknown };
    let Some(&[_, code, high, low]) = bytes.get(at..at + 4) else {
        return missing;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let end = at + 2 + length;
    let least = match code {
        START_OF_SCAN => 8,
        code if is_frame_header(code) => 11,
        0xdd => 4,
        _ => 2,
    };
    if length < least {
        return Judged::Wrong;
    }
    let counted = |place: usize| bytes.get(at + place).map(|count| usize::from(*count));
    let expected = match code {
        START_OF_SCAN => counted(4).map(|components| 6 + 2 * components),
        code if is_frame_header(code) => counted(9).map(|components| 8 + 3 * components),
        0xdd => Some(4),
        _ => Some(length),
    };
    match expected {
        None => return missing,
        Some(expected) if expected != length => return Judged::Wrong,
        Some(_) => {}
    }
    match bytes.get(end) {
        _ if bytes.len() < end => missing,
        Some(&MARK) => Judged::Sound(end),
        Some(_) if code == START_OF_SCAN => Judged::Sound(end),
        None if is_all => Judged::Sound(end),
        None => Judged::Unknown,
        Some(_) => Judged::Wrong,
    }
}

/// What an image has, besides its picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// It says that it is by Adobe's conventions: ink is counted from 255 downwards.
    pub is_adobe: bool,
}

/// Why bytes are no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing in it begins as an image does.
    #[error("it has no start")]
    NoStart,
    /// It has no scan, or not one for each part of the picture.
    #[error("it ends before the picture does")]
    CutShort,
}

/// Writes the first image in `bytes` to `mended` as the standard has it: with its start, its end and nothing around them, and of its header
/// what concerns the picture.
///
/// # Errors
/// There is none, or it has not all scans.
pub fn mend(bytes: &[u8], mended: &mut Vec<u8>) -> Result<Traits, Flaw> {
    let mut rest = bytes;
    let mut flaw = Flaw::NoStart;
    while let Some(start) = start(rest) {
        let image = &rest[start..];
        let length = match mend_one(image, mended) {
            Ok(traits) => return Ok(traits),
            Err(length) => length,
        };
        // What was only begun is no image, and another may be behind it; one that has a scan is what the camera meant.
        flaw = Flaw::CutShort;
        match length {
            Some(length) => rest = &image[length..],
            None => break,
        }
    }
    Err(flaw)
}

/// The same of the image that `image` begins with. Fails with its length, where it was over before its first scan.
fn mend_one(image: &[u8], mended: &mut Vec<u8>) -> Result<Traits, Option<usize>> {
    mended.clear();
    mended.extend([MARK, START_OF_IMAGE]);
    let mut walk = Walk::default();
    let mut traits = Traits::default();
    let mut missing = Missing::default();
    let mut has_scan = false;
    let mut last = 0..0;
    let (end, is_marked) = loop {
        match walk.next(image, true) {
            Some(Part::Segment(code, parameters)) => {
                let marker = parameters.start - 4;
                let content = &image[parameters.clone()];
                match code {
                    APP14 => traits.is_adobe |= content.starts_with(b"Adobe"),
                    START_OF_SCAN => missing.has_come(content),
                    code if is_frame_header(code) => missing = Missing::of(content),
                    _ => {}
                }
                if concerns_picture(code, content) {
                    mended.extend_from_slice(&image[marker..parameters.end]);
                }
            }
            Some(Part::Scan(scan)) => {
                has_scan = true;
                last = scan.clone();
                mended.extend_from_slice(&image[scan]);
            }
            Some(Part::End(end)) => break (end, true),
            Some(Part::Cut(end)) => break (end, false),
            None => break (image.len(), false),
        }
    };
    if !has_scan {
        return Err(Some(end));
    }
    if missing.is_any() {
        return Err(None);
    }
    if !is_marked {
        let kept = without_filling(&image[last.clone()]);
        mended.truncate(mended.len() - (last.len() - kept));
    }
    mended.extend([MARK, END_OF_IMAGE]);
    Ok(traits)
}

/// Texts, thumbnails and what camera makers write are left out. What says which colours the numbers are stays.
fn concerns_picture(code: u8, content: &[u8]) -> bool {
    match code {
        APP0 => content.starts_with(b"JFIF\0"),
        APP14 => content.starts_with(b"Adobe"),
        0xe1..=0xef | 0xfe => false,
        _ => true,
    }
}

/// How much of a scan is left without what fills a buffer behind it.
fn without_filling(scan: &[u8]) -> usize {
    let end = |byte: u8, scan: &[u8]| {
        scan.iter()
            .rposition(|other| *other != byte)
            .map_or(0, |last| last + 1)
    };
    let marks = end(MARK, scan);
    if marks < scan.len() {
        return marks;
    }
    let zeros = end(0, scan);
    let own = if scan[..zeros].ends_with(&[MARK]) {
        // Stuffed.
        1
    } else {
        MOST_ZEROS
    };
    scan.len().min(zeros + own)
}

/// The parts of the picture (luma, chroma) of which there was no scan yet.
#[derive(Default)]
struct Missing(Vec<u8>);

impl Missing {
    /// All of a frame header (B.2.2).
    fn of(header: &[u8]) -> Self {
        let parts = header.get(6..).unwrap_or_default().chunks_exact(3);
        Self(parts.map(|part| part[0]).collect())
    }

    /// A scan's (B.2.3).
    fn has_come(&mut self, scan: &[u8]) {
        let parts = usize::from(scan.first().copied().unwrap_or(0));
        for part in scan.get(1..).unwrap_or_default().chunks_exact(2).take(parts) {
            self.0.retain(|missing| *missing != part[0]);
        }
    }

    fn is_any(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod variants;
