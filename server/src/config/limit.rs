//! The values of `[limits]`. Each is refused with its key, and with what it may be.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use pinhole_signaling::http::MAX_MESSAGE;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The members that there really can be follow from the memory, and from what clients read of a roster.
const MOST_MEMBERS: usize = 1_000_000;
const MOST_BYTES: usize = 1 << 30;
const LEAST_BYTES: usize = 1024;
const LEAST_MEMORY: usize = 1 << 20;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Functions for `deserialize_with`, which can't be told for which key they are called.
macro_rules! limits {
    ($($key:ident: $read:ident $range:expr;)*) => {
        $(
            pub(super) fn $key<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
                $read(from, stringify!($key), $range)
            }
        )*
    };
}

limits! {
    members: number 1..=MOST_MEMBERS;
    connections: number 4..=1_000_000;
    message_size: size LEAST_BYTES..=MAX_MESSAGE;
    mailbox_messages: number 1..=100_000;
    mailbox_size: size LEAST_BYTES..=MOST_BYTES;
    memory: size LEAST_MEMORY..=MOST_BYTES;
    address_share: number 1..=100;
}

/// A number between two bounds.
fn number<'de, D: Deserializer<'de>>(
    from: D,
    key: &str,
    range: RangeInclusive<usize>,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(from)?;
    let within = usize::try_from(number)
        .ok()
        .filter(|number| range.contains(number));
    let (least, most) = range.into_inner();
    within.ok_or_else(|| D::Error::custom(format!("`{key}` is {number}; it must be {least} to {most}")))
}

/// A number of bytes between two bounds: "256KiB", "1MiB", or a plain number.
fn size<'de, D: Deserializer<'de>>(
    from: D,
    key: &str,
    range: RangeInclusive<usize>,
) -> Result<usize, D::Error> {
    let Ok(written) = Written::deserialize(from) else {
        let words = format!(
            "`{key}` must be a number of bytes, or one with its unit in quotes, such as \"256KiB\" or \"1MiB\""
        );
        return Err(D::Error::custom(words));
    };
    let written = written.to_string();
    let bytes: ByteSize = written.parse().map_err(|_| {
        let words = format!("`{key}` is `{written}`, which is not a size, such as \"256KiB\" or \"1MiB\"");
        D::Error::custom(words)
    })?;
    let bytes = usize::try_from(bytes.as_u64())
        .ok()
        .filter(|bytes| range.contains(bytes));
    let shown = |bytes: usize| ByteSize(bytes as u64).display().iec().to_string();
    let (least, most) = range.into_inner();
    bytes.ok_or_else(|| {
        let (least, most) = (shown(least), shown(most));
        D::Error::custom(format!("`{key}` is {written}; it must be {least} to {most}"))
    })
}

/// A time between a second and an hour: "10s", "1m 30s".
pub(super) fn request_timeout<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let Ok(written) = Written::deserialize(from) else {
        let words = "`request_timeout` must be a time from 1s to 1h with its unit in quotes, such as \"10s\"";
        return Err(D::Error::custom(words));
    };
    let written = written.to_string();
    let timeout = humantime::parse_duration(&written).ok();
    timeout
        .filter(|timeout| (SHORTEST..=LONGEST).contains(timeout))
        .ok_or_else(|| {
            let words =
                format!("`request_timeout` is `{written}`; it must be a time from 1s to 1h, such as \"10s\"");
            D::Error::custom(words)
        })
}

/// What stands in the file, with a unit or without.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(u64),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Text(text) => f.write_str(text),
            Written::Number(number) => number.fmt(f),
        }
    }
}
