/// How often the numbers of a stream have begun anew before its first one: so often that what was reordered at the very beginning is not
/// below zero.
const BEFORE: u64 = 1 << 16;

/// The sequence numbers of one stream (RFC 3550, section 5.1), continued beyond their 16 bits.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    newest: Option<u64>,
}

impl Numbers {
    /// The whole number of a packet, which is the one that is nearest to the newest (RFC 3711, section 3.3.1).
    pub(super) fn take(&mut self, sequence: u16) -> u64 {
        let newest = self.newest.unwrap_or(BEFORE << 16 | u64::from(sequence));
        let ahead = sequence.wrapping_sub(newest as u16) as i16;
        let number = newest.wrapping_add_signed(ahead.into());
        self.newest = Some(newest.max(number));
        number
    }

    /// The highest so far.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// How often they have begun anew.
    pub(super) fn wraps(&self) -> u64 {
        self.newest.map_or(0, |newest| (newest >> 16) - BEFORE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_where_they_begin_anew_in_either_direction() {
        let mut numbers = Numbers::default();
        let first = numbers.take(2);
        let mut take = |sequence| numbers.take(sequence).cast_signed() - first.cast_signed();
        assert_eq!([take(1), take(0), take(65_535), take(3)], [-1, -2, -3, 1]);
        assert_eq!(
            [take(30_000), take(60_000), take(5), take(65_534)],
            [29_998, 59_998, 65_539, 65_532]
        );
        assert_eq!((numbers.wraps(), numbers.newest()), (1, Some(first + 65_539)));
    }
}
