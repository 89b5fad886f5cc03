//! A path between two networks that carries only so much: two TUN devices, and threads between them that queue, delay, lose and count.
//!
//! Only UDP is held up, so media: signaling has its way for itself, unless everything is cut.

use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::network::Network;

/// The address of the near end: that of the network with the node.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 1);
/// The address of the far end.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 2);
/// What the devices are called.
const DEVICE: &str = "path0";

/// What a path carries nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is whole.
    Nothing,
    /// UDP.
    Media,
    /// Signaling as well.
    Everything,
}

/// What a path does to packets in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Bits a second; `None`: as fast as it goes.
    pub rate: Option<u64>,
    /// For how long packets may wait before the bottleneck; those that would wait longer get lost.
    pub queue: Duration,
    /// How long each is on its way, besides that.
    pub delay: Duration,
    /// The share that gets lost by chance, 0 to 1.
    pub loss: f64,
    /// What does not get through at all.
    pub cut: Cut,
}

impl Conditions {
    /// A path that everything gets through, at once.
    pub const GOOD: Self = Self {
        rate: None,
        queue: Duration::from_millis(200),
        delay: Duration::ZERO,
        loss: 0.0,
        cut: Cut::Nothing,
    };
}

/// What became of the UDP packets of one direction.
#[derive(Debug, Default)]
pub struct Counts {
    /// Those that arrived, …
    pub arrived: AtomicU64,
    /// … and their bytes.
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
    /// Between a network with a node and one from which somebody watches. Everything of the far one goes this way.
    pub fn between(near: &Network, far: &Network, conditions: Conditions) -> Self {
        let (one, other) = (device(near, NEAR, FAR), device(far, FAR, NEAR));
        far.ip(&["route", "add", "default", "via", &NEAR.to_string()]);
        let back = Arc::new(Mutex::new(Conditions::GOOD));
        let mut path = Self {
            conditions: Arc::new(Mutex::new(conditions)),
            back,
            counts: Arc::default(),
            stops: Arc::default(),
            threads: Vec::new(),
        };
        path.carry(&one, &other, path.conditions.clone(), path.counts.clone());
        path.carry(&other, &one, path.back.clone(), Arc::default());
        path
    }

    /// It is otherwise from now on, for what goes to the far end. What is on its way stays there.
    pub fn change(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.conditions));
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

    fn carry(&mut self, from: &File, to: &File, conditions: Arc<Mutex<Conditions>>, counts: Arc<Counts>) {
        let clone = |file: &File| file.try_clone().expect("a descriptor more");
        let (travel, travelling) = sync_channel(10_000);
        let direction = Direction {
            from: clone(from),
            to: clone(to),
            conditions,
            counts: counts.clone(),
            stops: self.stops.clone(),
            travel,
            busy_until: Instant::now(),
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

/// A packet, and when it arrives.
type Travelling = (Instant, Vec<u8>);

struct Direction {
    from: File,
    to: File,
    conditions: Arc<Mutex<Conditions>>,
    counts: Arc<Counts>,
    stops: Arc<AtomicBool>,
    travel: SyncSender<Travelling>,
    busy_until: Instant,
}

impl Direction {
    fn run(mut self) {
        let mut packet = [0; 2048];
        while !self.stops.load(Ordering::Relaxed) {
            if !is_readable(&self.from) {
                continue;
            }
            // A device that is gone with its network gives nothing any more.
            let Ok(length) = self.from.read(&mut packet) else {
                return;
            };
            let packet = &packet[..length];
            if !is_udp(packet) {
                if lock(&self.conditions).cut == Cut::Everything {
                    continue;
                }
                // What does not fit at the other end is lost, as anywhere.
                let _ = self.to.write(packet);
            } else if let Some(arrives) = self.departs(length) {
                if self.travel.try_send((arrives, packet.to_vec())).is_err() {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                }
            } else {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// When a packet of this length arrives that comes now, unless it gets lost.
    fn departs(&mut self, length: usize) -> Option<Instant> {
        let conditions = *lock(&self.conditions);
        let now = Instant::now();
        if conditions.cut != Cut::Nothing {
            return None;
        }
        let mut leaves = now;
        if let Some(rate) = conditions.rate {
            if self.busy_until.saturating_duration_since(now) > conditions.queue {
                return None;
            }
            let takes = Duration::from_secs_f64(length as f64 * 8.0 / rate as f64);
            self.busy_until = self.busy_until.max(now) + takes;
            leaves = self.busy_until;
        }
        (chance() >= conditions.loss).then_some(leaves + conditions.delay)
    }
}

/// Puts packets out where they arrive, when they do.
fn arrive(travelling: &Receiver<Travelling>, mut to: File, counts: &Counts) {
    for (arrives, packet) in travelling {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        if to.write(&packet).is_ok() {
            counts.arrived.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
        }
    }
}

/// An even number from 0 to 1.
fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

/// Of IPv4 (RFC 791, section 3.1).
fn is_udp(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 4) && packet.get(9) == Some(&17)
}

/// Waits for a tenth of a second at most.
fn is_readable(file: &File) -> bool {
    let mut waits = [PollFd::new(file, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    poll(&mut waits, Some(&patience)).is_ok_and(|ready| ready > 0)
}

fn lock(conditions: &Mutex<Conditions>) -> MutexGuard<'_, Conditions> {
    conditions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A TUN device in a network, with an address, and that of the other end.
fn device(network: &Network, own: Ipv4Addr, other: Ipv4Addr) -> File {
    let file = network.inside(|| attach(DEVICE));
    network.ip(&[
        "address",
        "add",
        &format!("{own}"),
        "peer",
        &format!("{other}"),
        "dev",
        DEVICE,
    ]);
    network.ip(&["link", "set", DEVICE, "mtu", "1500", "up"]);
    file
}

/// Makes a TUN device where this thread is, and holds its other end.
#[allow(unsafe_code, reason = "devices are attached to by an ioctl")]
fn attach(name: &str) -> File {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .expect("root may open it");
    // struct ifreq (netdevice(7)): the name, and flags in what follows.
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: the descriptor is open, and the request is as long as the kernel's `ifreq`, which it reads and writes.
    let done = unsafe {
        libc::ioctl(
            file.as_fd().as_raw_fd(),
            libc::TUNSETIFF as _,
            request.as_mut_ptr(),
        )
    };
    assert_eq!(done, 0, "{name}: {}", std::io::Error::last_os_error());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_even() {
        let mean = (0..1000).map(|_| chance()).sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn udp_is_known_by_its_number() {
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[9] = 17;
        assert!(is_udp(&packet));
        packet[9] = 6;
        assert!(!is_udp(&packet) && !is_udp(&[]) && !is_udp(&[0x45]));
    }
}
