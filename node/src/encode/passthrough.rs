//! H.264 that the camera or a hardware encoder makes, made fit for viewers who come at any time.
//!
//! What leaves here:
//!
//! - starts at an IDR picture, and does so again after whatever was lost or damaged: the pictures between refer to what
//!   nobody has;
//! - has all parameter sets in the same unit before each IDR picture, however seldom the camera sends them; elsewhere only
//!   those that have changed, which may come in a unit of their own. However many there are, each holds for what the camera sent
//!   behind it, and for nothing before it;
//! - has slices and parameter sets only. Delimiters and fillers carry nothing. Supplemental information (SEI) is not needed
//!   for the samples of any picture (ITU-T H.264, section 7.4.1), a viewer that shows each picture at once has no use for
//!   timing, and each would cost a packet. Of scalable streams only the base layer is a stream of its own (annex G).

mod sets;

use std::ops::Range;

use bytes::Bytes;
use pinhole_service::quiet::Quiet;

use super::ConvertError;
use crate::media::{
    AccessUnit, Frame, Layer,
    h264::{Kind, NalUnit, nal_units},
};
use sets::ParameterSets;

/// What a unit is put together with: the long form, because parameter sets and the first unit need that one (annex B.1.2).
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A jump in the count of frames that is larger means that the count starts anew, not that so many were lost.
const CREDIBLE_GAP: u32 = 10_000;

/// The stream of a camera, looked through. One for each time that the camera is opened.
pub struct Passthrough {
    /// Whose stream it is, for the log.
    whose: &'static str,
    sets: ParameterSets,
    /// Whether a viewer could decode the next picture.
    in_step: bool,
    /// The count of the last frame.
    sequence: Option<u32>,
    /// What of the unit at hand goes on to viewers, from its first slice on. Here for its memory only.
    parts: Vec<Part>,
    said: Said,
}

/// A slice, or a parameter set behind one.
struct Part {
    range: Range<usize>,
    is_slice: bool,
}

/// What was complained of already. Cameras are opened often, so not even that every time.
#[derive(Default)]
struct Said {
    no_sets: bool,
    bidirectional: bool,
}

impl Default for Passthrough {
    fn default() -> Self {
        Self::of("the camera")
    }
}

impl Passthrough {
    /// For the stream of `whose`.
    pub(super) fn of(whose: &'static str) -> Self {
        Self {
            whose,
            sets: ParameterSets::default(),
            in_step: false,
            sequence: None,
            parts: Vec::new(),
            said: Said::default(),
        }
    }

    /// The unit of a frame, for viewers; `None` where it holds no picture, or one that nobody could decode.
    ///
    /// # Errors
    ///
    /// The frame is damaged. Nothing comes up to the next IDR picture then.
    pub fn take(&mut self, frame: &Frame<'_>) -> Result<Option<AccessUnit>, ConvertError> {
        if self.has_gap(frame.sequence) {
            self.in_step = false;
        }
        let unit = self.pass(frame.data);
        if unit.is_err() {
            self.in_step = false;
        }
        let unit = unit.map_err(ConvertError::H264)?;
        Ok(unit.map(|(data, kind)| AccessUnit {
            data,
            captured_at: frame.captured_at,
            is_keyframe: kind.is_keyframe,
            layer: kind.layer,
        }))
    }

    /// Whether nothing can come before the next keyframe, so that it is worth asking for one.
    pub fn needs_keyframe(&self) -> bool {
        !self.in_step
    }

    fn has_gap(&mut self, sequence: u32) -> bool {
        let before = self.sequence.replace(sequence);
        let step = before.map_or(1, |before| sequence.wrapping_sub(before));
        (2..=CREDIBLE_GAP).contains(&step)
    }

    /// What viewers get of a frame, and what that is.
    fn pass(&mut self, data: &[u8]) -> Result<Option<(Bytes, Passed)>, &'static str> {
        let Found {
            is_keyframe,
            is_decodable,
            is_reference,
        } = self.look_through(data)?;
        if is_keyframe && !is_decodable {
            self.tell_of_missing_sets();
        }
        if is_keyframe {
            self.in_step = is_decodable;
        }
        let is_passed = !self.parts.is_empty() && self.in_step;
        // Parameter sets that come with a picture are for those behind it as well.
        let has_sets = self.sets.length(is_keyframe) > 0 || self.parts.iter().any(|part| !part.is_slice);
        let layer = match is_keyframe || is_reference || has_sets {
            true => Layer::Base,
            false => Layer::Upper,
        };
        self.put_together(data, is_keyframe, is_passed)
            .map(|unit| is_passed.then_some((unit, Passed { is_keyframe, layer })))
    }

    /// Finds the slices, and remembers the parameter sets before them.
    fn look_through(&mut self, data: &[u8]) -> Result<Found, &'static str> {
        self.parts.clear();
        let mut any = false;
        let mut found = Found {
            is_keyframe: false,
            is_decodable: true,
            is_reference: false,
        };
        for unit in nal_units(data) {
            any = true;
            if unit.is_damaged() {
                return Err("a part of it has no valid header");
            }
            let (kind, range) = (unit.kind(), unit.at..unit.at + unit.bytes.len());
            match kind {
                Kind::SequenceParameters | Kind::PictureParameters if self.parts.is_empty() => {
                    self.learn(unit.bytes)?;
                }
                Kind::SequenceParameters | Kind::PictureParameters => self.parts.push(Part {
                    range,
                    is_slice: false,
                }),
                Kind::Slice | Kind::Idr => {
                    if kind == Kind::Idr && !std::mem::replace(&mut found.is_keyframe, true) {
                        found.is_decodable = self.has_sets_for(&unit);
                    }
                    found.is_reference |= unit.is_reference();
                    self.check_order(&unit);
                    self.parts.push(Part {
                        range,
                        is_slice: true,
                    });
                }
                Kind::Sei | Kind::Delimiter | Kind::Prelude | Kind::Other => {}
            }
        }
        if any {
            Ok(found)
        } else {
            Err("it has no start code")
        }
    }

    fn learn(&mut self, set: &[u8]) -> Result<(), &'static str> {
        static STREAMS: Quiet = Quiet::new(10);
        if let Some(stream) = self.sets.put(set)?
            && let Some(others) = STREAMS.may_say()
        {
            tracing::info!(%stream, others, "the H.264 of {} is passed on", self.whose);
        }
        Ok(())
    }

    fn has_sets_for(&self, slice: &NalUnit<'_>) -> bool {
        slice
            .picture_parameters()
            .map_or(self.sets.are_complete(), |set| self.sets.are_there_for(set))
    }

    fn tell_of_missing_sets(&mut self) {
        static MISSING: Quiet = Quiet::new(5);
        if !std::mem::replace(&mut self.said.no_sets, true)
            && let Some(others) = MISSING.may_say()
        {
            tracing::warn!(
                others,
                "the H.264 of {} has no parameter sets for its pictures yet; without them nobody can decode it",
                self.whose
            );
        }
    }

    fn check_order(&mut self, unit: &NalUnit<'_>) {
        static BIDIRECTIONAL: Quiet = Quiet::new(5);
        if !self.said.bidirectional && unit.is_bidirectional() {
            self.said.bidirectional = true;
            if let Some(others) = BIDIRECTIONAL.may_say() {
                tracing::warn!(
                    others,
                    "the H.264 of {} has B pictures; viewers show them late or out of order, so switch them off there (for \
                     x264: -tune zerolatency)",
                    self.whose
                );
            }
        }
    }

    /// The one copy of a unit: out of the driver's memory into memory that viewers may share. Of one that is not passed on, only the
    /// parameter sets are remembered.
    fn put_together(
        &mut self,
        data: &[u8],
        is_keyframe: bool,
        is_passed: bool,
    ) -> Result<Bytes, &'static str> {
        let parts = std::mem::take(&mut self.parts);
        let mut unit = Vec::new();
        if is_passed {
            let length = |part: &Part| START_CODE.len() + part.range.len();
            unit.reserve_exact(self.sets.length(is_keyframe) + parts.iter().map(length).sum::<usize>());
            self.sets.write(is_keyframe, &mut unit);
        }
        for part in &parts {
            let Some(bytes) = data.get(part.range.clone()) else {
                continue;
            };
            if !part.is_slice {
                self.learn(bytes)?;
            } else if is_passed {
                self.sets.write(false, &mut unit);
                unit.extend_from_slice(&START_CODE);
                unit.extend_from_slice(bytes);
            }
        }
        self.parts = parts;
        Ok(unit.into())
    }
}

/// What a look at a frame has found.
struct Found {
    /// An IDR picture.
    is_keyframe: bool,
    /// No IDR picture of which parameter sets are missing.
    is_decodable: bool,
    /// Others may refer to it.
    is_reference: bool,
}

/// What a unit is that is passed on.
struct Passed {
    is_keyframe: bool,
    layer: Layer,
}

#[cfg(test)]
mod tests;
