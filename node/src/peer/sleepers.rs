//! How many are kept of those who fell silent. They hold no place of a viewer, but a session each, for as long as they may come back.
//!
//! As with places, addresses have shares: who is one too many is of the address that has the most of them.

use std::{collections::HashMap, time::Instant};

use super::places::Origin;

/// One who fell silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper {
    /// Where its packets came from.
    pub(super) origin: Option<Origin>,
    /// When the last of them came.
    pub(super) heard: Instant,
}

/// Which of these is not kept any longer, where `most` are kept, of one address half of them: the one that was heard longest ago, of the address that has the most.
pub(super) fn one_too_many(sleepers: &[Sleeper], most: usize) -> Option<usize> {
    let mut crowds = HashMap::<_, usize>::new();
    for sleeper in sleepers {
        *crowds.entry(sleeper.origin).or_default() += 1;
    }
    let largest = crowds.values().copied().max()?;
    if sleepers.len() <= most && largest <= most.div_ceil(2) {
        return None;
    }
    let of_largest = |(_, sleeper): &(usize, &Sleeper)| crowds.get(&sleeper.origin) == Some(&largest);
    let candidates = sleepers.iter().enumerate().filter(of_largest);
    let longest = candidates.min_by_key(|(_, sleeper)| sleeper.heard);
    longest.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::*;

    /// Who is one too many of sleepers at these addresses, each of whom was heard so many seconds ago.
    fn too_many(sleepers: &[(&str, u64)], most: usize) -> Option<usize> {
        let now = Instant::now() + Duration::from_secs(60);
        let sleepers: Vec<_> = sleepers
            .iter()
            .map(|(address, ago)| Sleeper {
                origin: Some(address.parse::<IpAddr>().expect("an address").into()),
                heard: now - Duration::from_secs(*ago),
            })
            .collect();
        one_too_many(&sleepers, most)
    }

    const A: &str = "198.51.100.1";
    const B: &str = "198.51.100.2";
    const C: &str = "2001:db8::1";

    #[test]
    fn who_is_not_kept() {
        assert_eq!(too_many(&[], 4), None);
        assert_eq!(too_many(&[(A, 9), (B, 5), (B, 6), (C, 3)], 4), None);
        assert_eq!(
            too_many(&[(A, 9), (B, 5), (B, 6), (B, 4)], 4),
            Some(2),
            "one address has half of all"
        );
        assert_eq!(
            too_many(&[(A, 29), (B, 5), (B, 6), (C, 3), (C, 2), (C, 1)], 5),
            Some(3),
            "who has the most gives way, and nobody else"
        );
        assert_eq!(too_many(&[(A, 2), (B, 1)], 1), Some(0));
    }
}
