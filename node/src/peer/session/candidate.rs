//! Candidate lines of ours.

use std::net::SocketAddr;

use rtc::{
    peer_connection::transport::{
        CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit,
    },
    shared::error::Error,
};

/// A host candidate (RFC 8445, section 5.1.1.1).
pub(super) fn host(address: SocketAddr) -> Result<RTCIceCandidateInit, Error> {
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
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
    // RFC 8445, section 5.1.2.1: the recommended type preference of 100, one interface, component 1.
    const PRIORITY: u32 = (100 << 24) + (65535 << 8) + 255;
    let nowhere = if address.is_ipv4() { "0.0.0.0" } else { "::" };
    let (ip, port) = (address.ip(), address.port());
    format!("candidate:1 1 udp {PRIORITY} {ip} {port} typ srflx raddr {nowhere} rport 0")
}
