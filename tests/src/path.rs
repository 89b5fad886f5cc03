//! A path between two networks that carries only so much: two TUN devices, and threads between them that queue, delay, lose and count.
//!
//! Only UDP is held up, so media: signaling has its way for itself, unless everything is cut. What gets lost by chance is the same each time, as far as
//! packets come in the same order: chance is seeded.

mod conditions;
mod device;
mod direction;

use std::fs::File;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

pub use conditions::{Conditions, Cut};

use self::direction::{Direction, Way, arrive};
use crate::network::Network;

/// The address of the near end of the path of this number: that of the network with the node.
const fn near(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 9 + number, 1)
}

/// The address of its far end.
const fn far(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 9 + number, 2)
}

/// What became of the UDP packets of one direction.
#[derive(Debug, Default)]
pub struct Counts {
    /// Those that arrived, …
    pub arrived: AtomicU64,
    /// … and their bytes, with IP's and UDP's headers.
    pub bytes: AtomicU64,
    /// Those that were lost, by chance or because the queue was full.
    pub lost: AtomicU64,
}

/// A path, until it is dropped.
pub struct Path {
    /// Of what goes to the far end, …
    conditions: Arc<Mutex<Conditions>>,
    /// … and of what comes back.
    back: Arc<Mutex<Conditions>>,
    counts: Arc<Counts>,
    stops: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Path {
    /// Between a network with a node and one from which somebody watches. Everything of the far one goes this way; what comes back is not held up.
    pub fn between(near: &Network, far: &Network, conditions: Conditions) -> Self {
        Self::numbered(0, near, far, conditions)
    }

    /// The same to one far network of several, each with another number, below 200.
    pub fn numbered(number: u8, near_end: &Network, far_end: &Network, conditions: Conditions) -> Self {
        let (near, far) = (near(number), far(number));
        let name = format!("path{number}");
        let one = device::device(near_end, &name, near, far);
        let other = device::device(far_end, &name, far, near);
        far_end.ip(&["route", "add", "default", "via", &near.to_string()]);
        let mut path = Self {
            conditions: Arc::new(Mutex::new(conditions)),
            back: Arc::new(Mutex::new(Conditions::GOOD)),
            counts: Arc::default(),
            stops: Arc::default(),
            threads: Vec::new(),
        };
        let seed = 2 * u64::from(number);
        path.carry(&one, &other, seed, path.conditions.clone(), path.counts.clone());
        path.carry(&other, &one, seed + 1, path.back.clone(), Arc::default());
        path
    }

    /// It is otherwise from now on, for what goes to the far end. What is on its way stays there.
    pub fn change(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.conditions));
    }

    /// The same for what comes back.
    pub fn change_back(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.back));
    }

    /// From now on it carries nothing of this, in either direction. What is on its way still arrives.
    pub fn cut(&self, cut: Cut) {
        for conditions in [&self.conditions, &self.back] {
            lock(conditions).cut = cut;
        }
    }

    /// What became of what went to the far end so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn carry(
        &mut self,
        from: &File,
        to: &File,
        seed: u64,
        conditions: Arc<Mutex<Conditions>>,
        counts: Arc<Counts>,
    ) {
        let clone = |file: &File| file.try_clone().expect("a descriptor more");
        let (travel, travelling) = sync_channel(10_000);
        let direction = Direction {
            from: clone(from),
            to: clone(to),
            conditions,
            counts: counts.clone(),
            stops: self.stops.clone(),
            travel,
            way: Way::new(seed),
        };
        let to = clone(to);
        self.threads.push(thread::spawn(move || direction.run()));
        self.threads
            .push(thread::spawn(move || arrive(&travelling, to, &counts)));
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn lock(conditions: &Mutex<Conditions>) -> MutexGuard<'_, Conditions> {
    conditions.lock().unwrap_or_else(PoisonError::into_inner)
}
