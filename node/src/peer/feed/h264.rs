//! H.264 as RTP payloads (RFC 6184, packetization mode 1).
//!
//! Every NAL unit of an access unit is on its way to the viewer, in order, so a decoder has whatever parameter sets the stream has: it
//! tells them apart by their numbers, which nobody here has to know.

use std::ops::Range;

use bytes::Bytes;

use crate::media::h264::{Kind, nal_units};

/// Payload structures (RFC 6184, table 1).
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// The fields of a NAL unit's header (section 1.3).
const FORBIDDEN_ZERO: u8 = 0x80;
const IMPORTANCE: u8 = 0x60;
const TYPE: u8 = 0x1f;
/// What the header of a fragment says (section 5.8).
const FIRST: u8 = 0x80;
const LAST: u8 = 0x40;

/// NAL unit types (ITU-T H.264, table 7-1) that carry nothing: access unit delimiters and fillers.
const EMPTY: [u8; 2] = [9, 12];

/// NAL units in an aggregate. libwebrtc reads the numbers of parameter sets of so many (`kMaxNalusPerPacket`), and an IDR picture
/// that names one further is none for it.
const MOST_TOGETHER: usize = 10;

/// Before the first NAL unit of an aggregate, and before each.
const AGGREGATE_HEADER: usize = 1;
const LENGTH: usize = 2;
const FRAGMENT_HEADER: usize = 2;

/// An access unit, as an Annex B byte stream, in RTP payloads of at most `largest` bytes, which are 3 at least. The last of them is
/// where the marker belongs.
///
/// A function of its bytes alone, for whatever bytes. It promises that
///
/// - no payload is empty or longer than `largest`, and none is of a structure of another packetization mode;
/// - put together again, the payloads give the NAL units of the stream, byte for byte and in its order, without start codes and zeros
///   between them (`media::h264::nal_units`); except for those that carry nothing, and those of types that RTP has another use for
///   (0, 24 to 31), which no access unit has;
/// - parameter sets that follow each other share a payload (STAP-A) where they fit into one; what fits alone goes as it is, and the
///   rest in fragments (FU-A);
/// - only what shares a payload and fragments are copied; everything else is a slice of `unit`.
pub(super) fn payloads(unit: &Bytes, largest: usize) -> Vec<Bytes> {
    // An aggregate has lengths of 16 bits, as UDP has.
    let largest = largest.clamp(FRAGMENT_HEADER + 1, usize::from(u16::MAX));
    let mut cutting = Cutting {
        unit,
        largest,
        payloads: Vec::with_capacity(unit.len() / largest + 4),
        together: Vec::new(),
        length: AGGREGATE_HEADER,
    };
    for nal in nal_units(unit) {
        let kind = nal.bytes[0] & TYPE;
        if EMPTY.contains(&kind) || !(1..STAP_A).contains(&kind) {
            continue;
        }
        let range = nal.at..nal.at + nal.bytes.len();
        match nal.kind() {
            Kind::SequenceParameters | Kind::PictureParameters => cutting.add(range),
            _ => {
                cutting.join();
                cutting.alone(range);
            }
        }
    }
    cutting.join();
    cutting.payloads
}

struct Cutting<'a> {
    unit: &'a Bytes,
    largest: usize,
    payloads: Vec<Bytes>,
    /// Parameter sets that may share the next payload …
    together: Vec<Range<usize>>,
    /// … which has this length then.
    length: usize,
}

impl Cutting<'_> {
    /// A parameter set, with those before it where there is room.
    fn add(&mut self, set: Range<usize>) {
        let more = LENGTH + set.len();
        if self.together.len() == MOST_TOGETHER || self.length + more > self.largest {
            self.join();
        }
        self.length += more;
        self.together.push(set);
    }

    /// The parameter sets that wait.
    fn join(&mut self) {
        let (sets, length) = (std::mem::take(&mut self.together), self.length);
        self.length = AGGREGATE_HEADER;
        match sets.as_slice() {
            [] => {}
            [only] => self.alone(only.clone()),
            several => self.payloads.push(aggregate(self.unit, several, length)),
        }
    }

    /// A NAL unit by itself.
    fn alone(&mut self, nal: Range<usize>) {
        if nal.len() <= self.largest {
            return self.payloads.push(self.unit.slice(nal));
        }
        let Some((header, body)) = self.unit[nal].split_first() else {
            return;
        };
        let pieces = body.chunks(self.largest - FRAGMENT_HEADER);
        let last = pieces.len() - 1;
        for (number, piece) in pieces.enumerate() {
            // Memory of its own: what one viewer has to get once more keeps nothing else.
            let mut payload = Vec::with_capacity(FRAGMENT_HEADER + piece.len());
            let first = if number == 0 { FIRST } else { 0 };
            let end = if number == last { LAST } else { 0 };
            payload.push(header & !TYPE | FU_A);
            payload.push(first | end | header & TYPE);
            payload.extend_from_slice(piece);
            self.payloads.push(payload.into());
        }
    }
}

/// Several NAL units in one payload of this length (section 5.7.1). It is as important as the most important of them, and damaged where
/// one is.
fn aggregate(unit: &[u8], sets: &[Range<usize>], length: usize) -> Bytes {
    let headers = || sets.iter().filter_map(|set| unit.get(set.start));
    let damaged = headers().fold(0, |all, header| all | header & FORBIDDEN_ZERO);
    let importance = headers().map(|header| header & IMPORTANCE).max().unwrap_or(0);
    let mut payload = Vec::with_capacity(length);
    payload.push(damaged | importance | STAP_A);
    for set in sets {
        payload.extend_from_slice(&(set.len() as u16).to_be_bytes());
        payload.extend_from_slice(&unit[set.clone()]);
    }
    payload.into()
}

#[cfg(test)]
mod tests;
