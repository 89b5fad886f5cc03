//! Which of our addresses viewers are told.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
};

use if_addrs::Interface;

/// Candidates one answer carries at most: a board with containers has dozens of interfaces, and every one
/// costs connectivity checks.
const MOST: usize = 12;
/// Of these, those that IPv6 gets, however many IPv4 has.
const RESERVED: usize = 4;

/// Where nobody is (RFC 5737, RFC 3849): one would go there by the default route.
const AFAR: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// What an address is to us. Those that viewers are more likely to reach come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// It leads to where the viewer was told of us.
    Signaling,
    /// It leads to the rest of the world.
    DefaultRoute,
    Ordinary,
    /// IPv4 without a server that gives addresses (RFC 3927).
    LinkLocal,
    /// Of containers or virtual machines.
    Bridge,
    /// Nothing is plugged in, or it is switched off.
    Down,
    Loopback,
}

/// The addresses at which viewers may reach `sockets`' ports: what the interfaces have now, so that a new network is in the next
/// answer. Those that are in use come first; `via` is ours at which the viewer's offer has come, where that is known.
///
/// # Errors
/// The interfaces can't be read.
pub(super) fn gather(sockets: &[SocketAddr], via: Option<IpAddr>) -> io::Result<Vec<SocketAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let afar: Vec<_> = AFAR.into_iter().filter_map(source).collect();
    let addresses = interfaces.iter().map(|interface| {
        let address = interface.ip();
        let standing = if address.is_loopback() {
            Use::Loopback
        } else if via == Some(address) {
            Use::Signaling
        } else if afar.contains(&address) {
            Use::DefaultRoute
        } else if !interface.is_oper_up() {
            Use::Down
        } else if is_bridge(interface) {
            Use::Bridge
        } else if interface.is_link_local() {
            Use::LinkLocal
        } else {
            Use::Ordinary
        };
        (standing, address)
    });
    Ok(choose(addresses.collect(), sockets))
}

/// Our address from which the system would send to another one. No packet is sent for it.
fn source(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // The discard service; any port would do.
    socket.connect((destination, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether containers or virtual machines are plugged in there.
fn is_bridge(interface: &Interface) -> bool {
    let interfaces = Path::new("/sys/class/net");
    interfaces.join(&interface.name).join("bridge").exists()
}

/// Loopback is offered only where there is nothing else: it is of use to a viewer on the same machine alone. So is an address that is
/// link-local, unless it is in use.
fn choose(mut addresses: Vec<(Use, IpAddr)>, sockets: &[SocketAddr]) -> Vec<SocketAddr> {
    // Without naming the interface, too, such an address is of no use.
    addresses
        .retain(|(_, address)| !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()));
    // IPv4 first: where both work it is the one that always does.
    addresses.sort_by_key(|(standing, address)| (*standing, address.is_ipv6()));
    let best = addresses.first().map(|(standing, _)| *standing);
    addresses.retain(|(standing, _)| match standing {
        Use::LinkLocal => best > Some(Use::Ordinary),
        Use::Loopback => best == Some(Use::Loopback),
        _ => true,
    });
    let mut known = HashSet::new();
    let reachable = addresses.into_iter().filter_map(|(_, address)| {
        let mut sockets = sockets.iter();
        let socket = sockets.find(|socket| socket.is_ipv4() == address.is_ipv4())?;
        known
            .insert(address)
            .then(|| SocketAddr::new(address, socket.port()))
    });
    let mut reachable: Vec<_> = reachable.collect();
    let of_v6 = reachable.iter().filter(|address| address.is_ipv6()).count();
    let of_v4 = (reachable.len() - of_v6).min(MOST - of_v6.min(RESERVED));
    let mut left = [of_v4, MOST - of_v4];
    reachable.retain(|address| {
        let left = &mut left[usize::from(address.is_ipv6())];
        let has_place = *left > 0;
        *left = left.saturating_sub(1);
        has_place
    });
    reachable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(addresses: &[(Use, &str)]) -> Vec<String> {
        let sockets = [
            "0.0.0.0:5000".parse().expect("v4"),
            "[::]:5000".parse().expect("v6"),
        ];
        let addresses = addresses
            .iter()
            .map(|(standing, address)| (*standing, address.parse().expect("an address")));
        let chosen = choose(addresses.collect(), &sockets);
        assert!(chosen.iter().all(|address| address.port() == 5000));
        chosen.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn what_is_in_use_comes_first_and_what_leads_nowhere_last() {
        let addresses = [
            (Use::Loopback, "127.0.0.1"),
            (Use::Down, "10.0.0.1"),
            (Use::Bridge, "172.17.0.1"),
            (Use::Ordinary, "2001:db8:1::1"),
            (Use::Ordinary, "192.168.1.7"),
            (Use::DefaultRoute, "2001:db8:2::1"),
            (Use::DefaultRoute, "192.168.2.7"),
            (Use::Signaling, "10.8.0.2"),
            (Use::LinkLocal, "169.254.1.1"),
            (Use::Ordinary, "fe80::1"),
            (Use::Loopback, "::1"),
        ];
        let expected = [
            "10.8.0.2",
            "192.168.2.7",
            "2001:db8:2::1",
            "192.168.1.7",
            "2001:db8:1::1",
            "172.17.0.1",
            "10.0.0.1",
        ];
        assert_eq!(chosen(&addresses), expected);
    }

    #[test]
    fn without_a_network_loopback_is_better_than_nothing() {
        let addresses = [(Use::Loopback, "127.0.0.1"), (Use::Loopback, "::1")];
        assert_eq!(chosen(&addresses), ["127.0.0.1", "::1"]);
        assert_eq!(chosen(&[]), [""; 0]);
    }

    #[test]
    fn a_link_local_address_is_offered_where_there_is_no_other_or_it_is_in_use() {
        let link_local = (Use::LinkLocal, "169.254.1.1");
        let loopback = (Use::Loopback, "127.0.0.1");
        assert_eq!(
            chosen(&[loopback, link_local, (Use::Ordinary, "fe80::1")]),
            ["169.254.1.1"]
        );
        // A camera and a screen with a cable between them, and containers on the camera's machine.
        let bridge = (Use::Bridge, "172.17.0.1");
        assert_eq!(chosen(&[bridge, link_local]), ["169.254.1.1", "172.17.0.1"]);
        let lan = (Use::Ordinary, "192.168.1.7");
        assert_eq!(chosen(&[link_local, lan]), ["192.168.1.7"]);
        let used = (Use::Signaling, "169.254.1.1");
        assert_eq!(chosen(&[used, lan]), ["169.254.1.1", "192.168.1.7"]);
    }

    #[test]
    fn of_many_addresses_those_in_use_and_some_of_ipv6_have_their_places() {
        let mut names: Vec<_> = (0..20)
            .map(|number| (Use::Bridge, format!("172.{}.0.1", 17 + number)))
            .collect();
        names.extend((0..20).map(|number| (Use::Bridge, format!("fd00:{number}::1"))));
        names.push((Use::Ordinary, "192.168.1.7".to_owned()));
        names.push((Use::Ordinary, "2001:db8::1".to_owned()));
        let of = |names: &[(Use, String)]| {
            let names: Vec<_> = names
                .iter()
                .map(|(standing, name)| (*standing, name.as_str()))
                .collect();
            chosen(&names)
        };
        let both = of(&names);
        assert_eq!(both[..3], ["192.168.1.7", "2001:db8::1", "172.17.0.1"]);
        let is_v6 = |name: &&String| name.contains(':');
        assert_eq!((both.len(), both.iter().filter(is_v6).count()), (MOST, RESERVED));
        let (v6, v4): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, name)| name.contains(':'));
        assert_eq!((of(&v4).len(), of(&v6).len()), (MOST, MOST));
        let few: Vec<_> = v4.into_iter().chain(v6.into_iter().take(1)).collect();
        assert_eq!((of(&few).len(), of(&few).iter().filter(is_v6).count()), (MOST, 1));
    }

    #[test]
    fn an_address_of_two_interfaces_is_told_once() {
        let addresses = [
            (Use::Down, "192.168.1.7"),
            (Use::Ordinary, "192.168.1.7"),
            (Use::Bridge, "172.17.0.1"),
        ];
        assert_eq!(chosen(&addresses), ["192.168.1.7", "172.17.0.1"]);
    }

    #[test]
    fn the_system_says_from_where_it_would_send() {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(source(here), Some(here));
    }
}
