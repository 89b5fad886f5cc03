//! One section of a description.

use rtc::sdp::description::media::MediaDescription;

use super::coding::{Coding, codings};

/// What could be done in a section, by its kind and its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Audio,
    Data(Dialect),
    /// Nothing of ours.
    Other,
}

/// How a section says that it is for data channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// As in RFC 8841.
    Standard,
    /// As in the standard's drafts before 2016: the format is the SCTP port, and `sctpmap` tells what it carries.
    Draft,
}

/// The first line of a section, but for its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Of media.
    pub(super) kind: String,
    pub(super) transport: String,
    pub(super) formats: Vec<String>,
}

impl Line {
    /// Whether it is for RTP of any kind.
    pub(super) fn is_rtp(&self) -> bool {
        self.transport.contains("RTP/")
    }
}

/// A section, read.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) line: Line,
    pub(super) kind: Kind,
    pub(super) mid: Option<String>,
    pub(super) has_port: bool,
    /// Its port is 0 because it has none of its own, not because it is rejected (RFC 9143, section 6).
    pub(super) is_bundle_only: bool,
    /// Whether the viewer would send.
    pub(super) sends: bool,
    /// Whether the viewer would receive.
    pub(super) receives: bool,
    pub(super) codings: Vec<Coding>,
    media: MediaDescription,
}

impl Section {
    /// Reads a section, whose kind the parser may not know. `direction` is what holds where it says nothing of it.
    pub(super) fn read(media: MediaDescription, kind: String, direction: &str) -> Self {
        let name = &media.media_name;
        let line = Line {
            kind,
            transport: name.protos.join("/"),
            formats: name.formats.clone(),
        };
        let said = |key: &str| media.has_attribute(key);
        let own = ["sendrecv", "sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|direction| said(direction));
        let direction = own.unwrap_or(direction);
        Self {
            kind: kind_of(&line, &media),
            // RFC 8866, section 9: it is a token, so never empty.
            mid: media
                .attribute("mid")
                .flatten()
                .filter(|mid| !mid.is_empty())
                .map(ToOwned::to_owned),
            has_port: name.port.value != 0,
            is_bundle_only: said("bundle-only"),
            sends: matches!(direction, "sendrecv" | "sendonly"),
            receives: matches!(direction, "sendrecv" | "recvonly"),
            codings: codings(&media),
            line,
            media,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.media.has_attribute(key)
    }

    /// Whether it is for RTP of any kind.
    pub(super) fn is_rtp(&self) -> bool {
        self.line.is_rtp()
    }

    /// Whether RTCP shares the port of RTP (RFC 5761; RFC 8858).
    pub(super) fn has_mux(&self) -> bool {
        self.has("rtcp-mux") || self.has("rtcp-mux-only")
    }

    /// The values of an attribute.
    pub(super) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let attributes = self.media.attributes.iter();
        attributes
            .filter(move |attribute| attribute.key == key)
            .filter_map(|attribute| attribute.value.as_deref())
    }

    /// What feedback it takes for a payload type (RFC 4585, section 4.2).
    pub(super) fn feedback(&self, payload_type: u8) -> impl Iterator<Item = &str> {
        let number = payload_type.to_string();
        self.values("rtcp-fb").filter_map(move |value| {
            let (of, what) = value.split_once(' ')?;
            (of == "*" || of == number).then_some(what.trim())
        })
    }

    /// By what lost packets of a payload type can be sent again in a stream of their own, where the viewer would ask for them (RFC 4588).
    pub(super) fn repair(&self, payload_type: u8) -> Option<Coding> {
        let asks = self.feedback(payload_type).any(|what| what == "nack");
        let mut codings = self.codings.iter().filter(|_| asks);
        let repair = codings.find(|coding| coding.repairs() == Some(payload_type))?;
        Some(Coding {
            channels: 0,
            // Not for how long the viewer would ask: that is no matter of agreement.
            format: format!("apt={payload_type}"),
            ..repair.clone()
        })
    }

    /// By what sound of a payload type can be sent twice (RFC 2198).
    pub(super) fn redundancy(&self, coding: &Coding) -> Option<Coding> {
        let takes =
            |other: &&Coding| other.clock_rate == coding.clock_rate && other.doubles(coding.payload_type);
        self.codings.iter().find(takes).cloned()
    }

    /// Its SCTP port, where it is for data.
    pub(super) fn sctp_port(&self) -> Option<u16> {
        match self.kind {
            Kind::Data(Dialect::Standard) => Some(match self.values("sctp-port").next() {
                Some(port) => port.trim().parse().ok().filter(|port| *port != 0)?,
                // As in drafts between the two, which said it by this.
                None => 5000,
            }),
            Kind::Data(Dialect::Draft) => self.line.formats.first()?.parse().ok(),
            _ => None,
        }
    }
}

fn kind_of(line: &Line, media: &MediaDescription) -> Kind {
    let transport = &line.transport;
    // RFC 9429, section 5.1.2: all of these mean RTP over DTLS, and are answered with the same.
    let is_rtp = [
        "RTP/AVP",
        "RTP/AVPF",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
        "UDP/TLS/RTP/SAVPF",
        "TCP/TLS/RTP/SAVP",
        "TCP/TLS/RTP/SAVPF",
        "TCP/DTLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVPF",
    ]
    .contains(&transport.as_str());
    let is_sctp = ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"].contains(&transport.as_str());
    match line.kind.as_str() {
        "video" if is_rtp => Kind::Video,
        "audio" if is_rtp => Kind::Audio,
        "application" if is_sctp && line.formats == ["webrtc-datachannel"] => Kind::Data(Dialect::Standard),
        "application" if is_sctp && is_mapped(line, media) => Kind::Data(Dialect::Draft),
        _ => Kind::Other,
    }
}

/// Whether `sctpmap` gives the section's SCTP port to data channels.
fn is_mapped(line: &Line, media: &MediaDescription) -> bool {
    let [port] = &line.formats[..] else {
        return false;
    };
    let mapped = media.attribute("sctpmap").flatten();
    let mut words = mapped.unwrap_or_default().split_whitespace();
    port.parse::<u16>().is_ok() && words.next() == Some(port) && words.next() == Some("webrtc-datachannel")
}
