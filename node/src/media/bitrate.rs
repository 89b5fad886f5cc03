use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Bits per second. Written `"2M"`, `"500k"` or as a plain number of bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "Written")]
pub struct Bitrate(u64);

/// What is wrong with a written bitrate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a bitrate; write bits per second, for example \"2M\" or \"800k\"")]
pub struct BitrateError(String);

impl Bitrate {
    /// That many bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// Bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// Thousands of bits per second, rounded down.
    pub const fn kbps(self) -> u64 {
        self.0 / 1000
    }
}

impl FromStr for Bitrate {
    type Err = BitrateError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let wrong = || BitrateError(written.to_owned());
        let text = written.trim();
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let value: f64 = digits.parse().map_err(|_| wrong())?;
        let bps = value * unit;
        if !(1.0..=1e12).contains(&bps) {
            return Err(wrong());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was just checked"
        )]
        Ok(Self(bps.round() as u64))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bps if bps >= 1_000_000 => write!(f, "{:.1} Mbit/s", bps as f64 / 1e6),
            bps if bps < 1000 => write!(f, "{bps} bit/s"),
            bps => write!(f, "{} kbit/s", bps / 1000),
        }
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a bitrate is written as \"2M\" or \"800k\", or is a number of bits per second"
)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Bitrate {
    type Error = BitrateError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(bps) => bps.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        assert_eq!("2M".parse(), Ok(Bitrate::from_bps(2_000_000)));
        assert_eq!("1.5M".parse(), Ok(Bitrate::from_bps(1_500_000)));
        assert_eq!("800k".parse(), Ok(Bitrate::from_bps(800_000)));
        assert_eq!("64000".parse(), Ok(Bitrate::from_bps(64_000)));
    }

    #[test]
    fn it_is_told_in_the_unit_that_fits() {
        let told = |bps| Bitrate::from_bps(bps).to_string();
        assert_eq!(
            [7, 800_000, 2_000_000].map(told),
            ["7 bit/s", "800 kbit/s", "2.0 Mbit/s"]
        );
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for wrong in ["", "M", "-2M", "0", "2X", "NaN", "inf", "1e30"] {
            let error = wrong.parse::<Bitrate>().expect_err(wrong);
            assert!(error.to_string().contains("\"2M\""), "{error}");
        }
    }
}
