//! One direction of a path: what comes out of one device, and when it goes into the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::conditions::{Chance, Conditions, Cut};
use super::device::{is_readable, is_udp};
use super::{Counts, lock};

/// A packet, and when it arrives; its number keeps those of one moment in order.
pub(super) type Travelling = (Instant, u64, Vec<u8>);

/// What holds packets up.
pub(super) struct Direction {
    pub(super) from: File,
    pub(super) to: File,
    pub(super) conditions: Arc<Mutex<Conditions>>,
    pub(super) counts: Arc<Counts>,
    pub(super) stops: Arc<AtomicBool>,
    pub(super) travel: SyncSender<Travelling>,
    pub(super) way: Way,
}

/// When packets arrive that depart at some time.
pub(super) struct Way {
    busy_until: Option<Instant>,
    /// When the last one arrives.
    last: Option<Instant>,
    chance: Chance,
}

impl Direction {
    pub(super) fn run(mut self) {
        let mut packet = [0; 2048];
        let mut number = 0;
        while !self.stops.load(Ordering::Relaxed) {
            if !is_readable(&self.from) {
                continue;
            }
            // A device that is gone with its network gives nothing any more.
            let Ok(length) = self.from.read(&mut packet) else {
                return;
            };
            let packet = &packet[..length];
            let conditions = *lock(&self.conditions);
            if !is_udp(packet) {
                if conditions.cut == Cut::Everything {
                    continue;
                }
                // What does not fit at the other end is lost, as anywhere.
                let _ = self.to.write(packet);
                continue;
            }
            let arrives = self.way.arrives(length, &conditions, Instant::now());
            number += 1;
            let travels = arrives
                .is_some_and(|arrives| self.travel.try_send((arrives, number, packet.to_vec())).is_ok());
            if !travels {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Way {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            busy_until: None,
            last: None,
            chance: Chance::new(seed),
        }
    }

    /// When a packet of this length arrives that comes now, unless it gets lost.
    fn arrives(&mut self, length: usize, conditions: &Conditions, now: Instant) -> Option<Instant> {
        if conditions.cut != Cut::Nothing {
            return None;
        }
        let mut leaves = now;
        if let Some(rate) = conditions.rate {
            let free = self.busy_until.map_or(now, |until| until.max(now));
            if free.duration_since(now) > conditions.queue {
                return None;
            }
            leaves = free + Duration::from_secs_f64(length as f64 * 8.0 / rate as f64);
            self.busy_until = Some(leaves);
        }
        // Drawn for each, so that what gets lost does not depend on what else the path does.
        let (lost, longer) = (self.chance.draw(), self.chance.draw());
        if lost < conditions.loss {
            return None;
        }
        let mut arrives = leaves + conditions.delay + conditions.jitter.mul_f64(longer);
        if !conditions.reorders {
            arrives = self.last.map_or(arrives, |last| last.max(arrives));
        }
        self.last = Some(arrives);
        Some(arrives)
    }
}

/// Puts packets out where they arrive, when they do.
pub(super) fn arrive(travelling: &Receiver<Travelling>, mut to: File, counts: &Counts) {
    let mut under_way: BinaryHeap<Reverse<Travelling>> = BinaryHeap::new();
    loop {
        let wait = match under_way.peek() {
            Some(Reverse((arrives, ..))) => Instant::saturating_duration_since(arrives, Instant::now()),
            None => Duration::from_secs(3600),
        };
        if !wait.is_zero() {
            match travelling.recv_timeout(wait) {
                Ok(packet) => under_way.push(Reverse(packet)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            continue;
        }
        under_way.extend(travelling.try_iter().map(Reverse));
        let Some(Reverse((_, _, packet))) = under_way.pop() else {
            continue;
        };
        if to.write(&packet).is_ok() {
            counts.arrived.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_narrow_path_queues_and_then_loses() {
        let mut way = Way::new(1);
        let conditions = Conditions {
            delay: Duration::ZERO,
            ..Conditions::narrow(1_000_000)
        };
        let now = Instant::now();
        // Each takes 10 ms.
        let arrivals: Vec<_> = (0..40).map(|_| way.arrives(1250, &conditions, now)).collect();
        assert_eq!(arrivals[0], Some(now + 10 * MILLISECOND));
        assert_eq!(arrivals[9], Some(now + 100 * MILLISECOND));
        assert_eq!(arrivals.iter().flatten().count(), 21, "a queue of 200 ms");
        let later = now + 100 * MILLISECOND;
        assert_eq!(
            way.arrives(1250, &conditions, later),
            Some(now + 220 * MILLISECOND)
        );
    }

    #[test]
    fn jitter_keeps_the_order_unless_it_is_to_be_lost() {
        let now = Instant::now();
        for reorders in [false, true] {
            let mut way = Way::new(1);
            let conditions = Conditions {
                jitter: 20 * MILLISECOND,
                reorders,
                ..Conditions::lossy(0.05, 200 * MILLISECOND)
            };
            let arrivals: Vec<_> = (0..1000)
                .filter_map(|at| way.arrives(1000, &conditions, now + at * MILLISECOND))
                .collect();
            assert!((930..970).contains(&arrivals.len()), "{}", arrivals.len());
            assert_eq!(arrivals.is_sorted(), !reorders);
            assert!(arrivals[0] >= now + 100 * MILLISECOND);
        }
    }
}
