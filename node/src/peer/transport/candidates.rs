use std::{
    io,
    net::{IpAddr, SocketAddr},
};

/// Candidates one answer carries at most: a board with containers has dozens of interfaces, and every one
/// costs connectivity checks.
const MOST: usize = 12;

/// The addresses at which viewers may reach `sockets`' ports: what the interfaces have now, so that a new
/// network is in the next answer.
pub(super) fn gather(sockets: &[SocketAddr]) -> io::Result<Vec<SocketAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let addresses = interfaces.into_iter().map(|interface| interface.ip());
    Ok(choose(addresses.collect(), sockets))
}

/// Loopback is offered only where there is nothing else: it is of use to a viewer on the same machine alone.
fn choose(addresses: Vec<IpAddr>, sockets: &[SocketAddr]) -> Vec<SocketAddr> {
    let (loopback, mut usable): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .filter(|address| !is_link_local(*address))
        .partition(IpAddr::is_loopback);
    if usable.is_empty() {
        usable = loopback;
    }
    // IPv4 first: where both work it is the one that always does.
    usable.sort_by_key(IpAddr::is_ipv6);
    usable.dedup();
    let reachable = usable.into_iter().filter_map(|address| {
        let socket = sockets
            .iter()
            .find(|socket| socket.is_ipv4() == address.is_ipv4())?;
        Some(SocketAddr::new(address, socket.port()))
    });
    reachable.take(MOST).collect()
}

/// Addresses that are of no use without naming the interface too.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(addresses: &[&str]) -> Vec<String> {
        let sockets = [
            "0.0.0.0:5000".parse().expect("v4"),
            "[::]:5000".parse().expect("v6"),
        ];
        let addresses = addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect();
        choose(addresses, &sockets)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn real_networks_are_offered_and_loopback_is_not() {
        assert_eq!(
            chosen(&[
                "127.0.0.1",
                "::1",
                "2001:db8::1",
                "192.0.2.7",
                "fe80::1",
                "169.254.1.1"
            ]),
            ["192.0.2.7:5000", "[2001:db8::1]:5000"]
        );
    }

    #[test]
    fn without_a_network_loopback_is_better_than_nothing() {
        assert_eq!(chosen(&["127.0.0.1", "::1"]), ["127.0.0.1:5000", "[::1]:5000"]);
    }
}
