//! ITU-T G.711: 8 bits a sample, in steps that grow with the sample.

/// The two laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law (PCMU): North America, Japan.
    Mu,
    /// A-law (PCMA): everywhere else.
    A,
}

impl Law {
    /// A sample of 16 bits as its code.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => encode_mu(sample),
            Law::A => encode_a(sample),
        }
    }

    /// The sample of 16 bits that a code stands for.
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::Mu => MU[usize::from(code)],
            Law::A => A[usize::from(code)],
        }
    }
}

/// The decoder's outputs (G.711, tables 1 and 2), in 16 bits.
static MU: [i16; 256] = decoded(Law::Mu);
static A: [i16; 256] = decoded(Law::A);

/// What the µ-law's segments are shifted by (33 in 14 bits), here in 16 bits.
const BIAS: i16 = 33 << 2;
/// On the line every second bit of the A-law is inverted; with the sign, which is one for positive samples.
const EVEN_BITS: u8 = 0x55;

const fn decoded(law: Law) -> [i16; 256] {
    let mut samples = [0; 256];
    let mut code: usize = 0;
    while code < samples.len() {
        #[allow(clippy::cast_possible_truncation, reason = "an index below 256")]
        let byte = code as u8;
        samples[code] = match law {
            Law::Mu => decode_mu(byte),
            Law::A => decode_a(byte),
        };
        code += 1;
    }
    samples
}

const fn decode_mu(code: u8) -> i16 {
    let bits = !code;
    let (segment, step) = (bits >> 4 & 7, (bits & 15) as i16);
    // At most 33 * 4 + 15 * 8 shifted by 7, less the bias: 32124.
    let magnitude = (((step << 3) + BIAS) as i32) << segment;
    #[allow(clippy::cast_possible_truncation, reason = "32124 at most")]
    let magnitude = (magnitude - BIAS as i32) as i16;
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

const fn decode_a(code: u8) -> i16 {
    let bits = code ^ EVEN_BITS;
    let (segment, step) = (bits >> 4 & 7, (bits & 15) as i16);
    let middle = (step << 4) + 8;
    let magnitude = if segment == 0 {
        middle
    } else {
        (middle + 0x100) << (segment - 1)
    };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

fn encode_mu(sample: i16) -> u8 {
    /// Larger ones would leave the eight segments.
    const MOST: u16 = 32_635;
    let biased = sample.unsigned_abs().min(MOST) + BIAS.unsigned_abs();
    // The bias makes bit 7 the lowest highest one.
    let segment = 8 - biased.leading_zeros();
    let code = segment_and_step(segment, biased >> (segment + 3));
    !(code | if sample < 0 { 0x80 } else { 0 })
}

fn encode_a(sample: i16) -> u8 {
    // One's complement: zero has one code on each side.
    let magnitude = (if sample < 0 { !sample } else { sample }).unsigned_abs();
    let segment = (16 - magnitude.leading_zeros()).saturating_sub(8);
    let code = segment_and_step(segment, magnitude >> (segment.max(1) + 3));
    (code | if sample < 0 { 0 } else { 0x80 }) ^ EVEN_BITS
}

/// `segment` is 7 at most; of the step the lowest four bits count.
#[allow(clippy::cast_possible_truncation, reason = "three and four bits")]
fn segment_and_step(segment: u32, step: u16) -> u8 {
    (segment as u8) << 4 | (step & 15) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // The ends of the tables of G.711 and what is around zero.
        for (law, code, sample) in [
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::Mu, 0xff, 0),
            (Law::Mu, 0x7f, 0),
            (Law::Mu, 0xfe, 8),
            (Law::Mu, 0xef, 132),
            (Law::A, 0xaa, 32_256),
            (Law::A, 0x2a, -32_256),
            (Law::A, 0xd5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xc5, 264),
        ] {
            assert_eq!(law.decode(code), sample, "{law:?} {code:#x}");
        }
        assert_eq!((Law::Mu.encode(0), Law::A.encode(0)), (0xff, 0xd5));
    }

    #[test]
    fn what_was_decoded_has_the_same_code_again() {
        for code in 0..=255 {
            // The µ-law has two zeros.
            if code != 0x7f {
                assert_eq!(Law::Mu.encode(Law::Mu.decode(code)), code, "µ {code:#x}");
            }
            assert_eq!(Law::A.encode(Law::A.decode(code)), code, "A {code:#x}");
        }
    }

    #[test]
    fn every_sample_comes_back_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            for law in [Law::Mu, Law::A] {
                let back = law.decode(law.encode(sample));
                let error = i32::from(back).abs_diff(sample.into());
                // A step is a sixteenth of the segment, which is at most half of what it holds; the largest samples are cut.
                let allowed = 16 + i32::from(sample).unsigned_abs() / 32;
                assert!(error <= allowed, "{law:?} {sample} became {back}");
            }
        }
    }
}
