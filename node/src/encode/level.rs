use crate::media::{Bitrate, FrameRate, FrameSize};

/// A level of ITU-T H.264, table A-1, as far as it concerns us.
pub(super) struct Level {
    /// `level_idc`.
    pub idc: i32,
    macroblocks_per_second: u32,
    macroblocks: u32,
    /// Bits per second.
    pub bitrate: u64,
}

/// From 3.1 on: a decoder that does less is not offered by any browser (`profile-level-id=42e01f`).
#[rustfmt::skip]
const LEVELS: [Level; 8] = [
    Level { idc: 31, macroblocks_per_second:   108_000, macroblocks:  3_600, bitrate:  14_000_000 },
    Level { idc: 32, macroblocks_per_second:   216_000, macroblocks:  5_120, bitrate:  20_000_000 },
    Level { idc: 40, macroblocks_per_second:   245_760, macroblocks:  8_192, bitrate:  20_000_000 },
    Level { idc: 41, macroblocks_per_second:   245_760, macroblocks:  8_192, bitrate:  50_000_000 },
    Level { idc: 42, macroblocks_per_second:   522_240, macroblocks:  8_704, bitrate:  50_000_000 },
    Level { idc: 50, macroblocks_per_second:   589_824, macroblocks: 22_080, bitrate: 135_000_000 },
    Level { idc: 51, macroblocks_per_second:   983_040, macroblocks: 36_864, bitrate: 240_000_000 },
    Level { idc: 52, macroblocks_per_second: 2_073_600, macroblocks: 36_864, bitrate: 240_000_000 },
];

/// The lowest level that allows such a stream.
pub(super) fn level_for(size: FrameSize, rate: FrameRate, bitrate: Bitrate) -> Option<&'static Level> {
    let macroblocks = size.width.div_ceil(16) * size.height.div_ceil(16);
    let per_second = f64::from(macroblocks) * rate.as_f64();
    let fits = |level: &&Level| {
        macroblocks <= level.macroblocks && per_second <= f64::from(level.macroblocks_per_second)
    };
    // A bitrate above any level is a wish, not a format: it is cut, never refused.
    LEVELS
        .iter()
        .filter(fits)
        .find(|level| bitrate.bps() <= level.bitrate)
        .or_else(|| LEVELS.iter().rfind(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(written_size: &str, fps: u32, bitrate: &str) -> Option<i32> {
        let size = written_size.parse().unwrap();
        level_for(size, FrameRate::per_second(fps), bitrate.parse().unwrap()).map(|level| level.idc)
    }

    #[test]
    fn the_level_follows_size_rate_and_bitrate() {
        assert_eq!(level("640x480", 30, "500k"), Some(31));
        assert_eq!(level("1280x720", 30, "2M"), Some(31));
        assert_eq!(level("1280x720", 60, "2M"), Some(32));
        assert_eq!(level("1280x720", 30, "18M"), Some(32));
        assert_eq!(level("1920x1080", 30, "4M"), Some(40));
        assert_eq!(level("1920x1080", 60, "4M"), Some(42));
        assert_eq!(level("3840x2160", 30, "20M"), Some(51));
        assert_eq!(level("640x480", 30, "999M"), Some(52));
        assert_eq!(level("3840x2160", 240, "20M"), None);
    }
}
