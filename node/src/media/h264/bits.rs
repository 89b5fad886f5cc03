/// The bits of a NAL unit's payload, without the bytes that prevent start codes in it (ITU-T H.264, section 7.3.1).
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The byte of the next bit.
    at: usize,
    /// Bits of it that were read.
    read: u8,
    /// Zero bytes in a row before it.
    zeros: u8,
}

impl<'a> Bits<'a> {
    /// Of what stands behind a NAL unit's header.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            read: 0,
            zeros: 0,
        }
    }

    /// The next bit; `None` at the end.
    pub(super) fn bit(&mut self) -> Option<bool> {
        if self.read == 0 && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        let byte = *self.bytes.get(self.at)?;
        let bit = byte >> (7 - self.read) & 1 == 1;
        self.read += 1;
        if self.read == 8 {
            self.read = 0;
            self.at += 1;
            self.zeros = if byte == 0 {
                self.zeros.saturating_add(1)
            } else {
                0
            };
        }
        Some(bit)
    }

    /// The next `count` bits, 32 at most, as a number.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |number: u32, _| Some(number << 1 | u32::from(self.bit()?)))
    }

    /// A number by its Exp-Golomb code, `ue(v)` (section 9.1).
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// A number with a sign, `se(v)` (section 9.1.1).
    pub(super) fn signed(&mut self) -> Option<i32> {
        let code = self.unsigned()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { half } else { -half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_are_read() {
        // 1, 010, 011, 00100, 00101, and the end.
        let mut bits = Bits::of(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let numbers: Vec<_> = (0..5).map_while(|_| bits.unsigned()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        let mut bits = Bits::of(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let numbers: Vec<_> = (0..5).map_while(|_| bits.signed()).collect();
        assert_eq!(numbers, [0, 1, -1, 2, -2]);
        assert_eq!(Bits::of(&[0; 20]).unsigned(), None, "longer than any number");
        assert_eq!(Bits::of(&[0, 1]).unsigned(), None, "cut short");
    }

    #[test]
    fn bytes_that_prevent_start_codes_are_left_out() {
        let mut bits = Bits::of(&[0, 0, 3, 1, 3]);
        assert_eq!(bits.number(32), Some(0x0000_0103));
        assert_eq!(bits.bit(), None);
    }
}
