//! The viewer's packets on their way through the core, and what it makes of them.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::{
    peer_connection::{
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        state::{RTCIceConnectionState, RTCPeerConnectionState},
        transport::RTCDtlsTransportState,
    },
    sansio::Protocol,
    shared::TaggedBytesMut,
};
use tracing::debug;

use super::{channel::TooMany, io::Event, link::Link, rtp::Rtp, waiting, wish};
use crate::peer::{congestion::News, ending::Ending, report::Stage, ring, transport::Path};

/// Until a path is found.
const PATH: Duration = Duration::from_secs(8);
/// From the offer to a connection that can send: a lossy path may stop the DTLS handshake.
const CONNECT: Duration = Duration::from_secs(20);

/// Takes a packet of the viewer. Returns whether it is one that a viewer may send.
pub(super) fn packet(link: &mut Link, path: Path, data: &[u8], now: Instant) -> bool {
    if !link.inflow.take(path.peer.ip(), data, now) {
        return false;
    }
    link.silence.hear(now);
    link.settling.hear(data);
    if link.handshake.is_repetition(data) {
        return true;
    }
    let mut message = BytesMut::from(data);
    link.hello.prefer_gcm(&mut message);
    let message = TaggedBytesMut {
        now,
        transport: path.into(),
        message,
    };
    // The core logs what it does not understand; a stranger's packet must not matter more than that.
    if let Err(error) = link.connection.handle_read(message) {
        debug!(viewer = %link.viewer, "packet ignored: {error}");
    }
    true
}

/// Looks at all that the core makes of packets and of time. Returns why the session is over, where it is.
pub(super) fn look(link: &mut Link, started: Instant, now: Instant) -> Option<Ending> {
    if let Some(ending) = connection_events(link, now) {
        return Some(ending);
    }
    if link.stage == Stage::Connecting {
        if link.pace.lasts(now).is_some_and(|lasts| lasts > PATH) {
            return Some(Ending::NoPath);
        }
        if now.saturating_duration_since(started) > CONNECT {
            return Some(Ending::Unfinished);
        }
    }
    if is_closed(link) {
        return Some(Ending::Closed);
    }
    if let Some(ending) = waiting::look(link, now) {
        return Some(ending);
    }
    settle(link, now);
    messages(link, now);
    said(link, now);
    report(link, now);
    let is_due = [link.probe.is_due(now), link.spread.is_due(now)];
    if is_due.contains(&true) {
        link.events.push_back(Event::PacketsWanted);
    }
    None
}

/// Takes what the viewer's reports said.
fn said(link: &mut Link, now: Instant) {
    let said = link.inbox.take();
    let picture = link.media.stream.rtp.ssrc();
    for report in &said.receptions {
        if report.ssrc == picture {
            link.feedback.reports(report);
        }
        let loss = f64::from(report.fraction_lost) / 256.0;
        if let Some(sound) = &mut link.media.sound
            && report.ssrc == sound.rtp.ssrc()
        {
            sound.redundancy.reported(loss, now);
        }
        let round_trip = link.reports.round_trip(report, now);
        if let Some(round_trip) = round_trip {
            link.resend_limit.measured(round_trip);
        }
        if report.ssrc == picture {
            link.numbering.hear(News::Reception { loss, round_trip }, now);
        }
    }
    for report in &said.arrivals {
        link.numbering.hear(News::Arrivals(report), now);
    }
    if let Some(limit) = said.limit {
        link.numbering.hear(News::Limit(limit), now);
    }
    link.feedback.keyframe_requests += u64::from(said.keyframes);
    if said.keyframes > 0 && !matches!(link.stage, Stage::Connecting | Stage::Silent) {
        link.events.push_back(Event::KeyframeWanted);
    }
    link.feedback.nacked += said.missing.len() as u64;
    let mut missing = said.missing;
    missing.retain(|sequence| link.media.stream.may_be_kept(*sequence));
    missing.truncate(ring::KEPT);
    if !missing.is_empty() {
        link.missing = missing;
        link.events.push_back(Event::PacketsWanted);
    }
}

/// Whether the viewer is told what was sent: only checks go to one that can't be heard.
pub(super) fn may_report(link: &Link) -> bool {
    link.stage != Stage::Silent || link.silence.is_back()
}

/// Tells the viewer what was sent, where that is due.
fn report(link: &mut Link, now: Instant) {
    if !may_report(link) {
        return;
    }
    let streams = link.media.streams().filter_map(Rtp::sent);
    let reports = link.reports.due(streams, now);
    if reports.is_empty() {
        return;
    }
    let message = TaggedRTCMessage {
        now,
        message: RTCMessage::RtcpPacket(String::new(), reports),
    };
    if let Err(error) = link.connection.handle_write(message) {
        debug!(viewer = %link.viewer, "a report was not sent: {error}");
    }
}

/// Passes on the first wish of a viewer that has just connected, once it can decrypt what comes.
fn settle(link: &mut Link, now: Instant) {
    if link.settling.ends(now) && link.stage == Stage::AwaitingKeyframe {
        link.events.push_back(Event::KeyframeWanted);
    }
}

fn connection_events(link: &mut Link, now: Instant) -> Option<Ending> {
    while let Some(event) = link.connection.poll_event() {
        match event {
            RTCPeerConnectionEvent::OnDataChannel(event) => {
                if link.watch.happened(&event) {
                    wish::obey(link);
                }
                let happened = link
                    .channel
                    .happened(&event, &mut link.watch, &mut link.connection, now);
                match happened {
                    Ok(happened) => link.events.extend(happened.map(Event::Channel)),
                    Err(TooMany) => return Some(Ending::Negotiation),
                }
            }
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => {
                let is_connecting = link.stage == Stage::Connecting;
                match state {
                    RTCPeerConnectionState::Connected if is_connecting => {
                        link.stage = Stage::AwaitingKeyframe;
                        link.reports.start(now);
                        link.silence.start(now);
                        link.events.push_back(Event::Connected);
                        link.settling.start(now);
                    }
                    RTCPeerConnectionState::Failed if is_connecting => return Some(Ending::NoPath),
                    RTCPeerConnectionState::Failed => return Some(Ending::Silent),
                    RTCPeerConnectionState::Closed => return Some(Ending::Closed),
                    _ => {}
                }
            }
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) => match state {
                RTCIceConnectionState::Checking => link.pace.restart(now),
                _ => link.pace.stop(),
            },
            _ => {}
        }
    }
    None
}

/// Whether the viewer has closed DTLS. The core raises no event for it, and would go on for half a minute.
fn is_closed(link: &mut Link) -> bool {
    let sender = link.connection.rtp_sender(link.media.sender);
    let state = sender.and_then(|sender| Some(sender.transport()?.state()));
    state == Some(RTCDtlsTransportState::Closed)
}

/// Of what the viewer sends, control messages and voices are of use; the rest must not pile up.
fn messages(link: &mut Link, now: Instant) {
    while let Some(TaggedRTCMessage { message, .. }) = link.connection.poll_read() {
        match message {
            RTCMessage::DataChannelMessage(id, message) => {
                if let Some(heard) = link.watch.hear(id, &message, now) {
                    wish::heard(link, &heard, now);
                } else {
                    let heard = link.channel.hear(id, &message, now);
                    link.events.extend(heard.map(Event::Channel));
                }
            }
            RTCMessage::RtpPacket(_, packet) => {
                let heard = link.media.ear.as_mut().and_then(|ear| ear.hear(packet, now));
                link.events.extend(heard.map(|heard| match heard {
                    Ok(voice) => Event::Voice(voice),
                    Err(_) => Event::VoiceRefused,
                }));
            }
            _ => {}
        }
    }
}
