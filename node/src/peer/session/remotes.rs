//! The addresses that a viewer tells us to check.

use std::net::{IpAddr, SocketAddr};

use crate::peer::transport::may_be_checked;

/// Candidates of one viewer that are checked. One with a network cable, Wi-Fi, a VPN and a relay has a dozen.
pub(super) const MOST: usize = 24;
/// Places of these that each kind gets, however many there are of the others: those behind a NAT come last, and are often the only
/// ones that lead anywhere.
const RESERVED: usize = 6;
/// What the core is given in the course of a session; it forgets none of it. Two kinds may take places from another one.
const MOST_GIVEN: usize = MOST + 2 * RESERVED;

/// The candidates of one viewer, since its last ICE restart.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    known: Vec<Remote>,
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

/// How a viewer has come by an address (RFC 8445, section 5.1.1): that of an interface, one that others see, one that is lent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Reflexive,
    Relayed,
}

#[derive(Debug)]
struct Remote {
    address: SocketAddr,
    kind: Kind,
    /// Whether something came from there.
    is_heard: bool,
    /// Whether it has given its place to another one.
    is_retired: bool,
}

impl Remotes {
    /// None yet. Addresses of this machine are only checked where ours, at which viewers reach us, are such.
    pub(super) fn new(ours: &[SocketAddr]) -> Self {
        Self {
            known: Vec::new(),
            loopback: ours.iter().any(|address| address.ip().is_loopback()),
        }
    }

    /// Whether to check a candidate, given as a candidate line (RFC 8839, section 5.1). Where there are enough already, one of another
    /// kind may give way to it.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn take(&mut self, line: &str) -> Result<(), Unfit> {
        let (address, kind) = read(line, self.loopback)?;
        if self.known.iter().any(|remote| remote.address == address) {
            return Err(Unfit::Known);
        }
        if self.checked().count() >= MOST {
            self.make_room(kind)?;
        }
        self.known.push(Remote {
            address,
            kind,
            is_heard: false,
            is_retired: false,
        });
        Ok(())
    }

    /// Something came from this address.
    pub(super) fn hear(&mut self, address: SocketAddr) {
        let remote = self.known.iter_mut().find(|remote| remote.address == address);
        if let Some(remote) = remote {
            remote.is_heard = true;
        }
    }

    /// Whether an address has given its place to another one. Who is there is not sent away.
    pub(super) fn is_retired(&self, address: SocketAddr) -> bool {
        // Every packet that goes out is asked about, and hardly any viewer has so many.
        self.known.len() > MOST
            && self
                .known
                .iter()
                .any(|remote| remote.address == address && remote.is_retired && !remote.is_heard)
    }

    /// The first address that the viewer calls its own.
    pub(super) fn first(&self) -> Option<IpAddr> {
        let own = self.known.iter().find(|remote| remote.kind != Kind::Relayed);
        own.map(|remote| remote.address.ip())
    }

    /// The viewer begins anew (RFC 8445, section 9).
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    fn checked(&self) -> impl Iterator<Item = &Remote> {
        self.known.iter().filter(|remote| !remote.is_retired)
    }

    /// Has the newest one from which nothing came give way, of the kind that has the most places.
    fn make_room(&mut self, kind: Kind) -> Result<(), Unfit> {
        let count = |kind| self.checked().filter(|remote| remote.kind == kind).count();
        if self.known.len() >= MOST_GIVEN || count(kind) >= RESERVED {
            return Err(Unfit::TooMany);
        }
        let kinds = [Kind::Relayed, Kind::Reflexive, Kind::Host];
        let most = kinds.into_iter().max_by_key(|kind| count(*kind));
        let mut newest = self.known.iter_mut().rev();
        let gives_way =
            |remote: &&mut Remote| !remote.is_retired && !remote.is_heard && Some(remote.kind) == most;
        newest.find(gives_way).ok_or(Unfit::TooMany)?.is_retired = true;
        Ok(())
    }
}

/// The first address that a viewer calls its own in these candidate lines.
pub(in crate::peer) fn first_named(lines: &[String]) -> Option<IpAddr> {
    let mut read = lines.iter().filter_map(|line| read(line, true).ok());
    read.find(|(_, kind)| *kind != Kind::Relayed)
        .map(|(address, _)| address.ip())
}

/// Reads a candidate line.
fn read(line: &str, loopback: bool) -> Result<(SocketAddr, Kind), Unfit> {
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
    if !may_be_checked(address, loopback) {
        return Err(Unfit::Nowhere);
    }
    // The core would take it for IPv6. No viewer writes its address so.
    if address.ip() != ip {
        return Err(Unfit::Mapped);
    }
    let kind = match (fields.next(), fields.next()) {
        (Some("typ"), Some("srflx" | "prflx")) => Kind::Reflexive,
        (Some("typ"), Some("relay")) => Kind::Relayed,
        // Of other kinds there are none (RFC 8839, section 5.1); what the core can't read it refuses.
        _ => Kind::Host,
    };
    Ok((address, kind))
}

#[cfg(test)]
mod tests;
