//! Who of those who connect gives way to a newcomer, where all their places are taken.
//!
//! Places are shared by address, so that one address keeps nobody out: whose address has the most of them gives way first. Who was
//! not heard of for a while, or never, may be nobody at all. What an offer says of its address is only the viewer's word; where
//! packets come from is known.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Who is silent for this long while it connects is most likely gone: it would check us once a second at least.
const SILENT: Duration = Duration::from_secs(2);

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 address, of which one machine has as many as it likes. Of
/// link-local addresses each is one, for they all have the same /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_unicast_link_local() => {
                Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
            }
            address => address,
        })
    }
}

/// One who connects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connecting {
    /// Where its packets come from, or would, by its own word; without, nobody knows.
    pub(super) origin: Option<Origin>,
    pub(super) called: Instant,
    /// When its last packet came.
    pub(super) heard: Option<Instant>,
}

impl Connecting {
    fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard.unwrap_or(self.called))
    }
}

/// Which of these gives its place to a newcomer, if any does.
pub(super) fn gives_way(connecting: &[Connecting], newcomer: Option<Origin>, now: Instant) -> Option<usize> {
    let mut crowds = HashMap::from([(newcomer, 1_usize)]);
    for one in connecting {
        *crowds.entry(one.origin).or_default() += 1;
    }
    let crowd = |origin| crowds.get(&origin).copied().unwrap_or_default();
    let newcomers = crowd(newcomer);
    let rank = |one: &Connecting| {
        let theirs = crowd(one.origin);
        let (is_silent, is_unheard) = (one.silence(now) >= SILENT, one.heard.is_none());
        let class = if is_silent && theirs >= newcomers {
            0
        } else if theirs > newcomers || (is_unheard && theirs == newcomers) {
            1
        } else if is_silent {
            2
        } else {
            return None;
        };
        Some((Reverse(class), theirs, is_unheard, one.silence(now)))
    };
    let ranked = connecting.iter().enumerate();
    let ranked = ranked.filter_map(|(index, one)| Some((rank(one)?, index)));
    ranked
        .max_by_key(|(rank, index)| (*rank, Reverse(*index)))
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Option<Origin> {
        let known = (!address.is_empty()).then(|| address.parse::<IpAddr>().expect("an address"));
        known.map(Origin::from)
    }

    /// Who calls from where, how many milliseconds ago it called, and how many ago it was heard of.
    type Row = (&'static str, u64, Option<u64>);

    /// Who gives way to one from `newcomer`.
    fn gives(rows: &[Row], newcomer: &str) -> Option<usize> {
        let now = Instant::now() + Duration::from_secs(60);
        let ago = |milliseconds| now - Duration::from_millis(milliseconds);
        let connecting: Vec<_> = rows
            .iter()
            .map(|(address, called, heard)| Connecting {
                origin: origin(address),
                called: ago(*called),
                heard: heard.map(ago),
            })
            .collect();
        gives_way(&connecting, origin(newcomer), now)
    }

    const A: &str = "198.51.100.1";
    const B: &str = "198.51.100.2";
    const C: &str = "2001:db8::1";
    const NOBODY_KNOWS: &str = "";

    #[test]
    fn who_gives_way_to_whom() {
        let talks = Some(100);
        let cases: &[(&str, &[Row], &str, Option<usize>)] = &[
            (
                "who is heard of from addresses of their own keep their places",
                &[(A, 900, talks), (B, 900, talks)],
                C,
                None,
            ),
            (
                "one address has more than its share, however much it says",
                &[
                    (A, 900, talks),
                    (B, 900, talks),
                    (B, 800, talks),
                    (B, 700, Some(300)),
                ],
                C,
                Some(3),
            ),
            (
                "one address gets no more than others by calling again",
                &[(A, 900, talks), (B, 900, talks), (B, 800, talks)],
                B,
                None,
            ),
            (
                "nor as many, from the one that has them",
                &[(A, 900, talks), (A, 900, talks), (B, 900, talks)],
                B,
                None,
            ),
            (
                "who fell silent after it was heard is no better than who never said anything",
                &[(A, 9000, talks), (B, 9000, Some(2500)), (C, 1000, talks)],
                C,
                Some(1),
            ),
            (
                "the silent go before those who are many and there",
                &[
                    (A, 900, talks),
                    (A, 900, talks),
                    (A, 900, talks),
                    (B, 9000, Some(2500)),
                ],
                C,
                Some(3),
            ),
            (
                "who was never heard of goes before who is there, the oldest first",
                &[(A, 900, talks), (B, 50, None), (C, 60, None)],
                "203.0.113.1",
                Some(2),
            ),
            (
                "many of whom nobody knows where they are",
                &[(A, 900, None), (NOBODY_KNOWS, 20, None), (NOBODY_KNOWS, 30, None)],
                B,
                Some(2),
            ),
            (
                "another of those takes a place of theirs",
                &[(A, 900, None), (NOBODY_KNOWS, 20, None), (NOBODY_KNOWS, 30, None)],
                NOBODY_KNOWS,
                Some(2),
            ),
            (
                "and none of those who are there, be they two",
                &[(A, 900, talks), (A, 800, talks), (NOBODY_KNOWS, 20, None)],
                NOBODY_KNOWS,
                Some(2),
            ),
            (
                "who calls again and again takes nothing from one who has just called",
                &[(A, 900, talks), (A, 900, talks), (A, 900, talks), (B, 500, None)],
                A,
                None,
            ),
            (
                "until that is silent for long",
                &[(A, 900, talks), (A, 900, talks), (A, 900, talks), (B, 2500, None)],
                A,
                Some(3),
            ),
            ("nobody there", &[], A, None),
        ];
        for (name, rows, newcomer, expected) in cases {
            assert_eq!(gives(rows, newcomer), *expected, "{name}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let rows = [
            ("2001:db8:0:1::1", 900, Some(100)),
            ("2001:db8:0:1::2", 900, Some(200)),
            ("2001:db8:0:2::1", 900, Some(300)),
            ("fe80::1", 900, Some(400)),
            ("fe80::2", 900, Some(400)),
        ];
        assert_eq!(gives(&rows, A), Some(1));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn whoever_holds_all_places_a_crowd_of_others_gets_in_and_stays() {
        const PLACES: usize = 32;
        let start = Instant::now();
        let one = |address: &str, called, heard| Connecting {
            origin: origin(address),
            called,
            heard,
        };
        // One address that says something all the time, silent ones of many addresses, and such as nobody knows.
        let attackers: [fn(usize) -> String; 3] = [
            |_| "203.0.113.66".to_owned(),
            |number| format!("203.0.113.{number}"),
            |_| NOBODY_KNOWS.to_owned(),
        ];
        for attacker in attackers {
            let is_one = attacker(1) == attacker(2) && !attacker(1).is_empty();
            let mut places: Vec<_> = (0..PLACES)
                .map(|number| one(&attacker(number), start, None))
                .collect();
            let mut honest = Vec::new();
            for step in 0..200_usize {
                let now = start + Duration::from_millis(20 * step as u64);
                for place in &mut places {
                    let is_honest = honest.contains(&place.origin);
                    let answers = now.saturating_duration_since(place.called) >= Duration::from_millis(100);
                    if is_one && !is_honest || is_honest && answers {
                        place.heard = Some(now);
                    }
                }
                // Fifty offers a second, and every tenth an honest one.
                let address = if step % 10 == 9 {
                    let address = format!("192.0.2.{}", step / 10);
                    honest.push(origin(&address));
                    address
                } else {
                    attacker(step)
                };
                let newcomer = origin(&address);
                let Some(index) = gives_way(&places, newcomer, now) else {
                    assert!(!honest.contains(&newcomer), "{address} is kept out");
                    continue;
                };
                let left = std::mem::replace(&mut places[index], one(&address, now, None));
                assert!(!honest.contains(&left.origin), "{left:?} gave way to {address}");
            }
            assert_eq!(honest.len(), 20);
        }
    }
}
