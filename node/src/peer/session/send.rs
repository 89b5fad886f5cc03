//! Media on its way into the core.

use std::time::Instant;

use rtc::{
    peer_connection::message::{RTCMessage, TaggedRTCMessage},
    rtp::Packet,
    sansio::Protocol,
};
use tracing::debug;

use super::{io::Event, link::Link};
use crate::{
    media::SoundUnit,
    peer::{feed::Packetised, report::Stage},
};

/// Sends one access unit, where the viewer can make something of it.
pub(super) fn picture(link: &mut Link, packetised: &Packetised, now: Instant) {
    match link.stage {
        Stage::Connecting => return,
        _ if !link.media.shows => return,
        Stage::AwaitingKeyframe if !packetised.unit.is_keyframe => return,
        Stage::AwaitingKeyframe => {
            link.stage = Stage::Watching;
            link.events.push_back(Event::Watching);
        }
        Stage::Watching => {}
    }
    for packet in link.media.stream.packets_of(packetised) {
        let message = message(packet, now);
        let sent = link.connection.handle_write(message);
        sent.unwrap_or_else(|error| debug!(viewer = %link.viewer, "a packet was not sent: {error}"));
    }
}

/// Sends 20 ms of sound, at once: nothing is gained by pacing a packet of a hundred bytes.
pub(super) fn sound(link: &mut Link, unit: &SoundUnit, now: Instant) {
    let sound = link.media.sound.as_mut();
    if link.stage != Stage::Connecting
        && let Some(packet) = sound.and_then(|sound| sound.packet(unit))
    {
        let sent = link.connection.handle_write(message(packet, now));
        sent.unwrap_or_else(|error| debug!(viewer = %link.viewer, "a packet was not sent: {error}"));
    }
}

/// Straight into the pipeline: `write_rtp` would look the stream up anew for every packet.
fn message(packet: Packet, now: Instant) -> TaggedRTCMessage {
    TaggedRTCMessage {
        now,
        message: RTCMessage::RtpPacket(String::new(), packet),
    }
}
