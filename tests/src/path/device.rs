//! A TUN device, and its other end.

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::network::Network;

/// A TUN device in a network, with an address, and that of the other end.
pub(super) fn device(network: &Network, name: &str, own: Ipv4Addr, other: Ipv4Addr) -> File {
    let file = network.inside(|| attach(name));
    network.ip(&[
        "address",
        "add",
        &format!("{own}"),
        "peer",
        &format!("{other}"),
        "dev",
        name,
    ]);
    network.ip(&["link", "set", name, "mtu", "1500", "up"]);
    file
}

/// Waits for a tenth of a second at most.
pub(super) fn is_readable(file: &File) -> bool {
    let mut waits = [PollFd::new(file, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    poll(&mut waits, Some(&patience)).is_ok_and(|ready| ready > 0)
}

/// Of IPv4 (RFC 791, section 3.1).
pub(super) fn is_udp(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 4) && packet.get(9) == Some(&17)
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
    fn udp_is_known_by_its_number() {
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[9] = 17;
        assert!(is_udp(&packet));
        packet[9] = 6;
        assert!(!is_udp(&packet) && !is_udp(&[]) && !is_udp(&[0x45]));
    }
}
