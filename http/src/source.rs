use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who counts as one client: an IPv4 address, or the /64 of an IPv6 address, of which one machine can use as many as it likes.
///
/// This machine is one client, by whichever of its two protocols it calls itself. Of link-local addresses each is one, for they
/// all have the same /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Whom this address belongs to.
    pub fn of(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if !address.is_unicast_link_local() => {
                Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
            }
            address => address,
        })
    }

    /// The address that stands for it.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(address) if !address.is_unicast_link_local() => write!(f, "{address}/64"),
            address => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_and_every_other_address_is_itself() {
        for (address, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1", "fe80::1"),
            ("fe80::2", "fe80::2"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "127.0.0.1"),
            ("127.0.0.2", "127.0.0.2"),
        ] {
            assert_eq!(
                Source::of(address.parse().unwrap()).to_string(),
                shown,
                "{address}"
            );
        }
    }
}
