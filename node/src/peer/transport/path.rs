use std::net::SocketAddr;

use rtc::shared::{TransportContext, TransportProtocol};

/// What carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::peer) enum Protocol {
    /// Each packet is a datagram.
    Udp,
}

/// The way between one address of ours and one of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::peer) struct Path {
    /// Our end. A wildcard address leaves the choice to the system.
    pub(in crate::peer) local: SocketAddr,
    /// The viewer's end.
    pub(in crate::peer) peer: SocketAddr,
    pub(in crate::peer) protocol: Protocol,
}

impl From<Path> for TransportContext {
    fn from(path: Path) -> Self {
        Self {
            local_addr: path.local,
            peer_addr: path.peer,
            transport_protocol: match path.protocol {
                Protocol::Udp => TransportProtocol::UDP,
            },
            ecn: None,
        }
    }
}

impl From<&TransportContext> for Path {
    fn from(context: &TransportContext) -> Self {
        Self {
            local: context.local_addr,
            peer: context.peer_addr,
            // The core has candidates of this kind only.
            protocol: Protocol::Udp,
        }
    }
}
