//! From the moment at which a picture was captured until the last of many viewers has its last packet.
//!
//! It is measured at the viewers. When a packet came, the kernel tells. When a picture was captured, the stream does: all time stamps of one camera are of
//! one clock, whatever number each viewer's begin with, so the same picture is found in all streams, and how much later than another it was captured
//! is in its time stamp. What that clock shows when it is a certain time on the wall, sender reports tell.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rtc::{rtcp::sender_report::SenderReport, shared::time::SystemInstant};

/// The clock of pictures in RTP, in ticks a second.
const CLOCK: f64 = 90_000.0;
/// A packet that comes again is that of one of so many pictures before.
const AGAIN: usize = 64;
/// With which of the first pictures of another viewer one's own may begin.
const BEGINNINGS: usize = 8;
/// Which of the viewers' reports is believed, as a share of them.
///
/// A node that reads the wall's clock later than the other one, as ours once did for each viewer after those before it, tells a time that is too late, and
/// never too early. The earliest is therefore the best, and this one is hardly later, and no freak.
const BELIEVED: usize = 50;

/// What one viewer heard of a stream.
#[derive(Debug, Default)]
pub struct Heard {
    /// The time stamp of each picture, and when its last packet came.
    pictures: Vec<(u32, Duration)>,
    /// A time on the wall, and the time stamp that belongs to it.
    reports: Vec<(Duration, u32)>,
}

impl Heard {
    /// Takes a packet as it is on the wire: its header is not encrypted.
    pub fn packet(&mut self, data: &[u8], payload_type: u8, arrived: Duration) {
        let [flags, kind, _, _, a, b, c, d, ..] = *data else {
            return;
        };
        let is_end = flags >> 6 == 2 && kind == 0x80 | payload_type;
        let timestamp = u32::from_be_bytes([a, b, c, d]);
        let before = &mut self.pictures.iter().rev().take(AGAIN);
        if is_end && before.all(|(known, _)| *known != timestamp) {
            self.pictures.push((timestamp, arrived));
        }
    }

    /// Takes a sender report.
    pub fn report(&mut self, report: &SenderReport) {
        self.reports
            .push((SystemInstant::ntp2unix(report.ntp_time), report.rtp_time));
    }

    /// What is to be subtracted of the time stamps for these, which are somebody else's, less his first.
    fn offset(&self, others: &[u32]) -> Option<u32> {
        let known: HashSet<_> = others.iter().collect();
        let common = |offset: u32| {
            let own = self.pictures.iter();
            own.filter(|(timestamp, _)| known.contains(&timestamp.wrapping_sub(offset)))
                .count()
        };
        let own = self.pictures.iter().take(BEGINNINGS);
        let offsets = own.flat_map(|(own, _)| {
            let others = others.iter().take(BEGINNINGS);
            others.map(|other| own.wrapping_sub(*other))
        });
        let (common, offset) = offsets.map(|offset| (common(offset), offset)).max()?;
        (common * 2 > self.pictures.len()).then_some(offset)
    }
}

/// How long each picture took that all viewers got, in ms.
pub fn to_last(viewers: &[Heard]) -> Vec<f64> {
    let Some(one) = viewers.first() else {
        return Vec::new();
    };
    let since_first: Vec<_> = one
        .pictures
        .iter()
        .map(|(timestamp, _)| timestamp.wrapping_sub(one.pictures[0].0))
        .collect();
    // For each picture, by its distance from the first, who got it, and the last of them when.
    let mut pictures: BTreeMap<u32, (usize, Duration)> = BTreeMap::new();
    // When the first was captured.
    let mut began = Vec::new();
    for viewer in viewers {
        let Some(offset) = viewer.offset(&since_first) else {
            continue;
        };
        for (timestamp, arrived) in &viewer.pictures {
            let (count, last) = pictures.entry(timestamp.wrapping_sub(offset)).or_default();
            *count += 1;
            *last = (*last).max(*arrived);
        }
        let first = |(wall, timestamp): &(Duration, u32)| {
            wall.as_secs_f64() - f64::from(timestamp.wrapping_sub(offset) as i32) / CLOCK
        };
        began.extend(viewer.reports.iter().map(first).min_by(f64::total_cmp));
    }
    began.sort_by(f64::total_cmp);
    let Some(began) = began.get(viewers.len() / BELIEVED) else {
        return Vec::new();
    };
    pictures
        .iter()
        .filter(|(_, (count, _))| *count == viewers.len())
        .map(|(ticks, (_, last))| {
            (last.as_secs_f64() - began - f64::from(ticks.cast_signed()) / CLOCK) * 1000.0
        })
        .collect()
}
