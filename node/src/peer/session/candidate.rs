//! Candidate lines of ours.

use std::net::SocketAddr;

use rtc::{
    peer_connection::transport::{
        CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit,
    },
    shared::error::Error,
};

/// The priority of an address of ours, of which there are `before` that viewers should rather take (RFC 8445, section 5.1.2.1): each has one of
/// its own, and component 1.
fn priority(preference: u32, before: u16) -> u32 {
    (preference << 24) + (u32::from(u16::MAX - before) << 8) + 255
}

/// A host candidate (RFC 8445, section 5.1.1.1), of which there are `before` that viewers should rather take.
///
/// # Errors
/// The core can't make it.
pub(super) fn host(address: SocketAddr, before: u16) -> Result<RTCIceCandidateInit, Error> {
    /// The recommended preference of the type.
    const HOST: u32 = 126;
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            priority: priority(HOST, before),
            ..CandidateConfig::default()
        },
        ..CandidateHostConfig::default()
    }
    .new_candidate_host()?;
    RTCIceCandidate::from(&candidate).to_json()
}

/// The server-reflexive candidate of a mapping (RFC 8445, section 5.1.1.2). The base is not told: it is in a candidate of its own, and who hides it
/// has a reason (RFC 8839, section 5.1).
pub(super) fn reflexive(address: SocketAddr) -> String {
    /// The recommended preference of the type.
    const REFLEXIVE: u32 = 100;
    let priority = priority(REFLEXIVE, 0);
    let nowhere = if address.is_ipv4() { "0.0.0.0" } else { "::" };
    let (ip, port) = (address.ip(), address.port());
    format!("candidate:1 1 udp {priority} {ip} {port} typ srflx raddr {nowhere} rport 0")
}
