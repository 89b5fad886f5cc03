//! The addresses that a viewer tells us to check.

use std::net::{IpAddr, SocketAddr};

use crate::peer::transport::may_be_checked;

/// Candidates of one viewer that are checked. One with a network cable, Wi-Fi, a VPN and a relay has a dozen.
pub(super) const MOST: usize = 24;

/// The candidates of one viewer, since its last ICE restart.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    known: Vec<SocketAddr>,
    /// Whether we are reached on this machine ourselves.
    loopback: bool,
}

/// Why a candidate is not checked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it can't be read")]
    Unreadable,
    /// A name stands for an address that a browser hides. Looking it up would be asking the network, or the internet, for whatever
    /// a viewer wants us to ask; its own checks tell us the address as well.
    #[error("it has a name instead of an address")]
    Name,
    #[error("it is not for UDP")]
    OtherTransport,
    /// RTP and RTCP share one component (RFC 5761).
    #[error("it is not for the first component")]
    OtherComponent,
    #[error("nobody can be at that address")]
    Nowhere,
    #[error("it is an IPv4 address written as IPv6")]
    Mapped,
    #[error("it is known")]
    Known,
    #[error("there are {MOST} already")]
    TooMany,
}

impl Remotes {
    /// None yet. Addresses of this machine are only checked where ours, at which viewers reach us, are such.
    pub(super) fn new(ours: &[SocketAddr]) -> Self {
        Self {
            known: Vec::new(),
            loopback: ours.iter().any(|address| address.ip().is_loopback()),
        }
    }

    /// Whether to check a candidate, given as a candidate line (RFC 8839, section 5.1).
    ///
    /// # Errors
    /// Why not.
    pub(super) fn take(&mut self, line: &str) -> Result<(), Unfit> {
        let mut fields = line.split_whitespace();
        let mut next = || fields.next().ok_or(Unfit::Unreadable);
        let _foundation = next()?;
        let component = next()?;
        let transport = next()?;
        let _priority = next()?;
        let (address, port) = (next()?, next()?);
        if component != "1" {
            return Err(Unfit::OtherComponent);
        }
        if !transport.eq_ignore_ascii_case("udp") {
            return Err(Unfit::OtherTransport);
        }
        let port: u16 = port.parse().map_err(|_| Unfit::Unreadable)?;
        let ip: IpAddr = address.parse().map_err(|_| Unfit::Name)?;
        let address = SocketAddr::new(ip.to_canonical(), port);
        if !may_be_checked(address, self.loopback) {
            return Err(Unfit::Nowhere);
        }
        // The core would take it for IPv6. No viewer writes its address so.
        if address.ip() != ip {
            return Err(Unfit::Mapped);
        }
        if self.known.contains(&address) {
            return Err(Unfit::Known);
        }
        if self.known.len() >= MOST {
            return Err(Unfit::TooMany);
        }
        self.known.push(address);
        Ok(())
    }

    /// The viewer begins anew (RFC 8445, section 9).
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(remotes: &mut Remotes, address: &str, port: u32) -> Result<(), Unfit> {
        remotes.take(&format!(
            "candidate:842163049 1 udp 1677729535 {address} {port} typ host generation 0"
        ))
    }

    fn abroad() -> Remotes {
        Remotes::new(&["192.0.2.1:5000".parse().expect("an address")])
    }

    #[test]
    fn a_candidate_is_taken_once_and_again_after_a_restart() {
        let mut remotes = abroad();
        assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Ok(()));
        assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Err(Unfit::Known));
        assert_eq!(
            taken(&mut remotes, "::ffff:192.0.2.9", 40_000),
            Err(Unfit::Mapped)
        );
        assert_eq!(taken(&mut remotes, "2001:db8::9", 40_000), Ok(()));
        remotes.forget();
        assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Ok(()));
    }

    #[test]
    fn of_a_flood_of_candidates_no_more_are_taken_than_anybody_has() {
        let mut remotes = abroad();
        let taken = (0..1000)
            .filter(|number| taken(&mut remotes, "198.51.100.7", 10_000 + number).is_ok())
            .count();
        assert_eq!(taken, MOST);
    }

    #[test]
    fn what_nobody_can_be_at_is_not_checked() {
        for (address, port, why) in [
            ("0.0.0.0", 40_000, Unfit::Nowhere),
            ("::", 40_000, Unfit::Nowhere),
            ("224.0.0.251", 40_000, Unfit::Nowhere),
            ("ff02::fb", 40_000, Unfit::Nowhere),
            ("255.255.255.255", 40_000, Unfit::Nowhere),
            ("127.0.0.1", 40_000, Unfit::Nowhere),
            ("::1", 40_000, Unfit::Nowhere),
            ("::ffff:127.0.0.1", 40_000, Unfit::Nowhere),
            ("192.0.2.9", 53, Unfit::Nowhere),
            ("192.0.2.9", 0, Unfit::Nowhere),
            ("192.0.2.9", 99_999, Unfit::Unreadable),
            ("victim.example", 40_000, Unfit::Name),
            ("5a6e9f0c-3f52-4a57-8d5c-b0b5cf0f3f4e.local", 40_000, Unfit::Name),
        ] {
            assert_eq!(taken(&mut abroad(), address, port), Err(why), "{address}:{port}");
        }
        for (line, why) in [
            ("", Unfit::Unreadable),
            ("candidate:1 1 udp 1 192.0.2.9", Unfit::Unreadable),
            (
                "candidate:1 2 udp 1 192.0.2.9 40000 typ host",
                Unfit::OtherComponent,
            ),
            (
                "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active",
                Unfit::OtherTransport,
            ),
        ] {
            assert_eq!(abroad().take(line), Err(why), "{line}");
        }
    }

    #[test]
    fn this_machine_is_checked_where_we_are_reached_on_it_only() {
        let mut alone = Remotes::new(&["127.0.0.1:5000".parse().expect("an address")]);
        assert_eq!(taken(&mut alone, "127.0.0.1", 40_000), Ok(()));
        assert_eq!(taken(&mut alone, "::1", 40_000), Ok(()));
    }
}
