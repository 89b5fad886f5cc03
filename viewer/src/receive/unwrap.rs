//! RTP's counters are short and wrap (RFC 3550, section 5.1); these continue them in 64 bits.

/// Continues a 16-bit counter.
#[derive(Clone, Debug, Default)]
pub struct Unwrapper16(Option<u64>);

/// Continues a 32-bit counter.
#[derive(Clone, Debug, Default)]
pub struct Unwrapper32(Option<u64>);

/// Continued counters start here, so that values before the first one seen stay positive.
const START: u64 = 1 << 40;

impl Unwrapper16 {
    /// The continued value: the one nearest to the highest so far that ends in these 16 bits.
    pub fn unwrap(&mut self, value: u16) -> u64 {
        let highest = *self.0.get_or_insert(START + u64::from(value));
        let unwrapped = highest.wrapping_add_signed(i64::from(value.wrapping_sub(highest as u16) as i16));
        self.0 = Some(highest.max(unwrapped));
        unwrapped
    }
}

impl Unwrapper32 {
    /// The continued value: the one nearest to the highest so far that ends in these 32 bits.
    pub fn unwrap(&mut self, value: u32) -> u64 {
        let highest = *self.0.get_or_insert(START + u64::from(value));
        let unwrapped = highest.wrapping_add_signed(i64::from(value.wrapping_sub(highest as u32) as i32));
        self.0 = Some(highest.max(unwrapped));
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_over_their_wrap_and_back() {
        let mut sixteen = Unwrapper16::default();
        let first = sixteen.unwrap(65_535);
        assert_eq!(sixteen.unwrap(1), first + 2);
        assert_eq!(sixteen.unwrap(65_534), first - 1);
        assert_eq!(sixteen.unwrap(2), first + 3);

        let mut thirty_two = Unwrapper32::default();
        let first = thirty_two.unwrap(u32::MAX);
        assert_eq!(thirty_two.unwrap(89_999), first + 90_000);
        assert_eq!(thirty_two.unwrap(u32::MAX - 3000), first - 3000);
    }
}
