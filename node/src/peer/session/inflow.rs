use std::{net::IpAddr, time::Instant};

use crate::media::Allowance;

/// When a viewer was heard of last on the way of packets, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Heard {
    pub(in crate::peer) at: Instant,
    pub(in crate::peer) from: IpAddr,
}

/// No packet of a viewer is longer than what Ethernet carries.
const LONGEST: usize = 1500;

/// How fast a viewer's packets are taken, by kind (RFC 7983): faster than any viewer has something to say, and slowly enough that
/// one who sends all it can costs the others nothing. The rest is dropped before anything is computed.
#[derive(Debug)]
pub(super) struct Inflow {
    /// Checks and their answers: a viewer sends 20 checks a second (RFC 8445, section 14.2) while it connects, and answers ours.
    stun: Allowance,
    /// The handshake, and the control channel with 50 messages of 16 KiB a second at most.
    dtls: Allowance,
    /// A voice: 50 packets a second, or 100.
    rtp: Allowance,
    /// Reports each second, and a word for each gap.
    rtcp: Allowance,
    heard: Option<Heard>,
}

impl Default for Inflow {
    fn default() -> Self {
        Self {
            stun: Allowance::new(200, 100),
            dtls: Allowance::new(500, 1000),
            rtp: Allowance::new(200, 200),
            rtcp: Allowance::new(200, 200),
            heard: None,
        }
    }
}

impl Inflow {
    /// Whether a packet is to be taken.
    pub(super) fn take(&mut self, from: IpAddr, packet: &[u8], now: Instant) -> bool {
        let allowance = match packet {
            [0..=3, ..] => &mut self.stun,
            [20..=63, ..] => &mut self.dtls,
            // RFC 5761, section 4.
            [128..=191, 192..=223, ..] => &mut self.rtcp,
            [128..=191, ..] => &mut self.rtp,
            _ => return false,
        };
        let may = packet.len() <= LONGEST && allowance.take(now);
        if may {
            self.heard = Some(Heard { at: now, from });
        }
        may
    }

    /// The last of those that were taken.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    const VIEWER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

    #[test]
    fn a_flood_of_one_kind_is_cut_and_the_others_pass() {
        let start = Instant::now();
        let mut inflow = Inflow::default();
        let mut flood = |kind: &[u8]| {
            let mut packets = (0..10_000).map(|number| start + Duration::from_micros(number * 100));
            packets
                .by_ref()
                .filter(|now| inflow.take(VIEWER, kind, *now))
                .count()
        };
        assert_eq!(flood(&[0, 1]), 299, "checks in a second");
        assert_eq!(flood(&[128, 205]), 399, "RTCP");
        assert_eq!(flood(&[128, 111]), 399, "RTP");
        assert_eq!(flood(&[22, 254]), 1499, "DTLS");
        assert_eq!(flood(&[]) + flood(&[70, 0]) + flood(&[255]), 0);
        let long = [128; LONGEST + 1];
        assert!(
            !Inflow::default().take(VIEWER, &long, start)
                && Inflow::default().take(VIEWER, &long[1..], start)
        );
    }

    #[test]
    fn a_viewer_that_loses_much_is_always_heard() {
        let start = Instant::now();
        let mut inflow = Inflow::default();
        assert!((0..100_000u64).all(|number| inflow.take(
            VIEWER,
            &[129, 205],
            start + Duration::from_millis(number * 6)
        )));
    }

    #[test]
    fn what_is_dropped_is_not_heard_and_the_newest_of_the_rest_counts() {
        let start = Instant::now();
        let mut inflow = Inflow::default();
        assert!(!inflow.take(VIEWER, &[70, 0], start));
        assert_eq!(inflow.heard(), None);
        let elsewhere = IpAddr::from([192, 0, 2, 9]);
        for (from, second) in [(VIEWER, 1), (elsewhere, 2), (elsewhere, 5)] {
            let at = start + Duration::from_secs(second);
            assert!(inflow.take(from, &[0, 1], at));
            assert_eq!(inflow.heard(), Some(Heard { at, from }));
        }
    }
}
