//! H.264 that the camera or a hardware encoder makes, made fit for viewers who come at any time.
//!
//! What leaves here:
//!
//! - starts at an IDR picture, and does so again after whatever was lost or damaged: the pictures between refer to what
//!   nobody has;
//! - has all parameter sets in the same unit before each IDR picture, however seldom the camera sends them; elsewhere only
//!   those that have changed, which may come in a unit of their own;
//! - has slices and parameter sets only. Delimiters and fillers carry nothing. Supplemental information (SEI) is not needed
//!   for the samples of any picture (ITU-T H.264, section 7.4.1), a viewer that shows each picture at once has no use for
//!   timing, and each would cost a packet. Of scalable streams only the base layer is a stream of its own (annex G).

mod sets;

use std::ops::Range;

use bytes::Bytes;

use super::ConvertError;
use crate::media::{
    AccessUnit, Frame,
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
    /// Where the slices of the unit at hand lie. Here for its memory only.
    slices: Vec<Range<usize>>,
    said: Said,
}

/// What was complained of already.
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
            slices: Vec::new(),
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
        let is_keyframe = match self.look_through(frame.data) {
            Ok(is_keyframe) => is_keyframe,
            Err(damage) => {
                self.in_step = false;
                return Err(ConvertError::H264(damage));
            }
        };
        if self.slices.is_empty() {
            return Ok(None);
        }
        if is_keyframe && !self.sets.are_complete() {
            if !std::mem::replace(&mut self.said.no_sets, true) {
                tracing::warn!(
                    "the H.264 of {} has no parameter sets yet; without them nobody can decode it",
                    self.whose
                );
            }
            return Ok(None);
        }
        self.in_step |= is_keyframe;
        Ok(self.in_step.then(|| AccessUnit {
            data: self.put_together(frame.data, is_keyframe),
            captured_at: frame.captured_at,
            is_keyframe,
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

    /// Finds the slices, remembers the parameter sets, and tells whether it is an IDR picture.
    fn look_through(&mut self, data: &[u8]) -> Result<bool, &'static str> {
        self.slices.clear();
        let (mut any, mut is_keyframe) = (false, false);
        for unit in nal_units(data) {
            any = true;
            if unit.is_damaged() {
                return Err("a part of it has no valid header");
            }
            match unit.kind() {
                Kind::SequenceParameters => {
                    if let Some(stream) = self.sets.put_sequence(unit.bytes)? {
                        tracing::info!(%stream, "the H.264 of {} is passed on", self.whose);
                    }
                }
                Kind::PictureParameters => self.sets.put_picture(unit.bytes)?,
                kind @ (Kind::Slice | Kind::Idr) => {
                    is_keyframe |= kind == Kind::Idr;
                    self.check_order(&unit);
                    self.slices.push(unit.at..unit.at + unit.bytes.len());
                }
                Kind::Sei | Kind::Delimiter | Kind::Prelude | Kind::Other => {}
            }
        }
        if any {
            Ok(is_keyframe)
        } else {
            Err("it has no start code")
        }
    }

    fn check_order(&mut self, unit: &NalUnit<'_>) {
        if !self.said.bidirectional && unit.is_bidirectional() {
            self.said.bidirectional = true;
            tracing::warn!(
                "the H.264 of {} has B pictures; viewers show them late or out of order, so switch them off there (for x264: \
                 -tune zerolatency)",
                self.whose
            );
        }
    }

    /// The one copy of a unit: out of the driver's memory into memory that viewers may share.
    fn put_together(&mut self, data: &[u8], is_keyframe: bool) -> Bytes {
        let sets = self.sets.take(is_keyframe);
        let slices = self.slices.iter().filter_map(|range| data.get(range.clone()));
        let length = |part: &[u8]| START_CODE.len() + part.len();
        let whole = sets.clone().map(length).sum::<usize>() + slices.clone().map(length).sum::<usize>();
        let mut unit = Vec::with_capacity(whole);
        for part in sets.chain(slices) {
            unit.extend_from_slice(&START_CODE);
            unit.extend_from_slice(part);
        }
        unit.into()
    }
}

#[cfg(test)]
mod tests;
