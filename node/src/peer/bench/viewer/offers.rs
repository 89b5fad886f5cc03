//! What a viewer offers, and how it takes what comes of that.

use std::{net::SocketAddr, time::Instant};

use rtc::{
    peer_connection::{
        configuration::RTCOfferOptions, sdp::RTCSessionDescription, transport::RTCIceCandidateInit,
    },
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverId, rtp_sender::RtpCodecKind},
};

use super::{
    ELSEWHERE, VIEWER, Viewer,
    connection::OPUS,
    wants::{Media, Wants},
};

impl Viewer {
    /// The offer that begins a call.
    pub(super) fn first_offer(&mut self, wants: Wants, now: Instant) -> RTCSessionDescription {
        for media in [Media::Picture, Media::Sound] {
            if wants.has(media) {
                self.add_section(media);
            }
        }
        self.add_candidate();
        self.offer(None, now)
    }

    /// Takes the node's answer.
    pub(in crate::peer::bench) fn accept(&mut self, answer: String, now: Instant) {
        // In a section that is rejected numbers need no meaning (RFC 3264, section 6); the core wants one all the same.
        let lines = answer.lines().map(|line| match line.starts_with("m=audio 0 ") {
            true => format!("{line}\r\na=rtpmap:{OPUS} opus/48000/2\r\n"),
            false => format!("{line}\r\n"),
        });
        let answer = RTCSessionDescription::answer(lines.collect()).expect("an answer");
        self.connection
            .set_remote_description(now, answer)
            .expect("it fits the offer");
        self.deadline = Some(now);
    }

    /// Takes an offer of the node. Returns the answer.
    pub(in crate::peer::bench) fn answer(&mut self, offer: String, now: Instant) -> String {
        let offer = RTCSessionDescription::offer(offer).expect("an offer");
        self.connection
            .set_remote_description(now, offer)
            .expect("it fits the call");
        let answer = self.connection.create_answer(None).expect("an answer");
        let is_new = |section: &RTCRtpTransceiverId| self.sections.iter().all(|(_, known)| known != section);
        let new = self.connection.get_transceivers().find(is_new);
        self.sections.extend(new.map(|section| (Media::Picture, section)));
        self.describe(answer, now).sdp
    }

    /// An offer that has ICE begin anew.
    pub(in crate::peer::bench) fn restart(&mut self, now: Instant) -> String {
        let options = RTCOfferOptions { ice_restart: true };
        self.offer(Some(options), now);
        // Those from before are gone with it.
        self.add_candidate();
        self.read(now);
        self.connection.local_description().expect("it was set").sdp
    }

    /// The same from another address: as a phone that has left its Wi-Fi, or has come back.
    pub(in crate::peer::bench) fn move_on(&mut self, now: Instant) -> String {
        let is_home = self.address == SocketAddr::from(VIEWER);
        self.address = if is_home { ELSEWHERE } else { VIEWER }.into();
        self.has_moved = true;
        self.restart(now)
    }

    /// An offer by which something is switched off, or on; where it had no section, it gets one.
    pub(in crate::peer::bench) fn switch(&mut self, media: Media, on: bool, now: Instant) -> String {
        self.unwanted.retain(|unwanted| *unwanted != media);
        if !on {
            self.unwanted.push(media);
        }
        let direction = if on {
            RTCRtpTransceiverDirection::Recvonly
        } else {
            RTCRtpTransceiverDirection::Inactive
        };
        let known = self.sections.iter().find(|(known, _)| *known == media);
        let section = known.map(|(_, section)| *section);
        let section = section.unwrap_or_else(|| self.add_section(media));
        let mut section = self.connection.rtp_transceiver(section).expect("it is there");
        section.set_direction(direction);
        self.offer(None, now).sdp
    }

    /// Whether it has not switched that off.
    pub(in crate::peer::bench) fn wants(&self, media: Media) -> bool {
        !self.unwanted.contains(&media)
    }

    fn offer(&mut self, options: Option<RTCOfferOptions>, now: Instant) -> RTCSessionDescription {
        let offer = self.connection.create_offer(options).expect("an offer");
        self.describe(offer, now)
    }

    /// Says that of itself.
    fn describe(&mut self, description: RTCSessionDescription, now: Instant) -> RTCSessionDescription {
        self.connection
            .set_local_description(now, description)
            .expect("it is our own");
        self.deadline = Some(now);
        self.connection.local_description().expect("it was set")
    }

    fn add_section(&mut self, media: Media) -> RTCRtpTransceiverId {
        let kind = match media {
            Media::Picture => RtpCodecKind::Video,
            Media::Sound => RtpCodecKind::Audio,
        };
        let section = self.connection.add_transceiver_from_kind(kind, None);
        let section = section.expect("a section");
        self.sections.push((media, section));
        section
    }

    fn add_candidate(&mut self) {
        let (ip, port) = (self.address.ip(), self.address.port());
        let candidate = RTCIceCandidateInit {
            candidate: format!("candidate:1 1 udp 2130706431 {ip} {port} typ host"),
            ..RTCIceCandidateInit::default()
        };
        self.connection
            .add_local_candidate(candidate)
            .expect("it is taken");
    }
}
