//! From one kind of Y'CbCr to that which all encoders get, [`Colour::VIDEO`].

use crate::media::{Colour, ColourMatrix, ColourRange};

/// Binary digits behind the point. With 14 a factor up to 2 fits a signed 16-bit number, whose products every vector
/// unit has, and all three together are off by less than a hundredth of a step.
const DIGITS: u32 = 14;

/// Half a step, for rounding.
const HALF: i32 = 1 << (DIGITS - 1);

/// A linear change of samples. Grey stays grey: chroma does not depend on luma.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recolour {
    /// The new luma by the old luma, Cb and Cr.
    luma: [i16; 3],
    luma_offset: i32,
    /// The new Cb by the old Cb and Cr.
    cb: [i16; 2],
    cb_offset: i32,
    /// The new Cr by the old Cb and Cr.
    cr: [i16; 2],
    cr_offset: i32,
}

impl Recolour {
    /// What makes [`Colour::VIDEO`] of samples of `colour`; `None` where nothing is to be done.
    pub fn from(colour: Colour) -> Option<Self> {
        if colour == Colour::VIDEO {
            return None;
        }
        let (black, luma_span, chroma_span) = match colour.range {
            ColourRange::Limited => (16.0, 219.0, 224.0),
            ColourRange::Full => (0.0, 255.0, 255.0),
        };
        let (red, blue) = colour.matrix.shares();
        let green = 1.0 - red - blue;
        let (to_red, to_blue) = ColourMatrix::Bt601.shares();
        let to_green = 1.0 - to_red - to_blue;
        // How far red and blue are from luma, by the old Cr and Cb from -½ to ½, and the new luma from the old.
        let (red_by_cr, blue_by_cb) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
        let luma_by_cb = (to_blue - to_green * blue / green) * blue_by_cb;
        let luma_by_cr = (to_red - to_green * red / green) * red_by_cr;
        let (to_blue_by_cb, to_red_by_cr) = (2.0 * (1.0 - to_blue), 2.0 * (1.0 - to_red));

        let gain = 219.0 / luma_span;
        let luma = [
            gain,
            luma_by_cb * 219.0 / chroma_span,
            luma_by_cr * 219.0 / chroma_span,
        ];
        let span = 224.0 / chroma_span;
        let cb = [
            (blue_by_cb - luma_by_cb) / to_blue_by_cb * span,
            -luma_by_cr / to_blue_by_cb * span,
        ];
        let cr = [
            -luma_by_cb / to_red_by_cr * span,
            (red_by_cr - luma_by_cr) / to_red_by_cr * span,
        ];
        let neutral = |factors: &[f64]| 128.0 * (1.0 - factors.iter().sum::<f64>());
        Some(Self {
            luma: luma.map(fixed),
            luma_offset: offset(16.0 - black * gain - 128.0 * (luma[1] + luma[2])),
            cb: cb.map(fixed),
            cb_offset: offset(neutral(&cb)),
            cr: cr.map(fixed),
            cr_offset: offset(neutral(&cr)),
        })
    }

    /// What chroma adds to the luma that shares it.
    pub fn tint(&self, cb: u8, cr: u8) -> i32 {
        i32::from(cb) * i32::from(self.luma[1]) + i32::from(cr) * i32::from(self.luma[2]) + self.luma_offset
    }

    /// The new luma of a sample with that tint.
    pub fn luma(&self, luma: u8, tint: i32) -> u8 {
        byte(i32::from(luma) * i32::from(self.luma[0]) + tint)
    }

    /// A line of luma with its chroma, a sample of which serves two.
    pub fn luma_line(&self, from: &[u8], cb: &[u8], cr: &[u8], to: &mut [u8]) {
        let (pairs, last) = from.as_chunks::<2>();
        let (to_pairs, to_last) = to.as_chunks_mut::<2>();
        for (((from, to), &cb), &cr) in pairs.iter().zip(to_pairs).zip(cb).zip(cr) {
            let tint = self.tint(cb, cr);
            to[0] = self.luma(from[0], tint);
            to[1] = self.luma(from[1], tint);
        }
        if let ([from], [to], Some(&cb), Some(&cr)) = (last, to_last, cb.last(), cr.last()) {
            *to = self.luma(*from, self.tint(cb, cr));
        }
    }

    /// A line of luma without chroma.
    pub fn grey_line(&self, from: &[u8], to: &mut [u8]) {
        let tint = self.tint(128, 128);
        for (&from, to) in from.iter().zip(to) {
            *to = self.luma(from, tint);
        }
    }

    /// Lines of chroma, in place.
    pub fn chroma_lines(&self, cb: &mut [u8], cr: &mut [u8]) {
        let mixed = |(factors, offset): ([i16; 2], i32), cb: u8, cr: u8| {
            byte(i32::from(cb) * i32::from(factors[0]) + i32::from(cr) * i32::from(factors[1]) + offset)
        };
        for (cb, cr) in cb.iter_mut().zip(cr) {
            let (old_cb, old_cr) = (*cb, *cr);
            *cb = mixed((self.cb, self.cb_offset), old_cb, old_cr);
            *cr = mixed((self.cr, self.cr_offset), old_cb, old_cr);
        }
    }
}

/// A factor as a fixed-point number.
pub fn fixed(factor: f64) -> i16 {
    (factor * f64::from(1 << DIGITS)).round() as i16
}

/// A sample's value as a fixed-point number, with the half that rounds.
pub fn offset(value: f64) -> i32 {
    (value * f64::from(1 << DIGITS)).round() as i32 + HALF
}

/// The byte that a fixed-point number is nearest to; its half is in it already.
pub fn byte(fixed: i32) -> u8 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within a byte's range"
    )]
    let byte = (fixed >> DIGITS).clamp(0, 255) as u8;
    byte
}
