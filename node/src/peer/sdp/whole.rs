//! Whole descriptions of ours, made of the core's.

use rtc::{
    sdp::description::{
        common::{Address, Attribute, ConnectionInformation},
        media::{MediaDescription, MediaName},
        session::SessionDescription,
    },
    shared::error::Error,
};

use super::{
    choice::{Part, Role},
    coding::Coding,
    layout::Layout,
    place::Place,
    section::Dialect,
};

/// What tells a muted page that there would be sound: its offer has a section in which nothing is to be sent, and so the answer
/// can't say it. Everybody else passes over attributes that they don't know (RFC 8866, section 5.13).
const ANNOUNCEMENT: &str = "x-pinhole-sound";

impl Layout {
    /// An answer of the core, as an answer to the whole of the viewer's offer.
    ///
    /// # Errors
    /// The core's can't be read.
    pub(in crate::peer) fn answer(&mut self, core: String, has_sound: bool) -> Result<String, Error> {
        self.whole(SessionDescription::try_from(core)?, has_sound)
    }

    /// An offer of the core, which has a section for the picture that the viewer does not know yet, as an offer with all sections of the session.
    ///
    /// # Errors
    /// The core's can't be read.
    pub(in crate::peer) fn own_offer(&mut self, core: String, has_sound: bool) -> Result<String, Error> {
        let core = SessionDescription::try_from(core)?;
        // A section for sound that the viewer has rejected may be in it once more, by a name that is new as well.
        let mut sections = core.media_descriptions.iter();
        let new = sections.find(|media| media.media_name.media == "video");
        let new = new.and_then(mid).map(ToOwned::to_owned);
        if let Some(new) = new {
            self.offer(new);
        }
        self.whole(core, has_sound)
    }

    fn whole(&mut self, mut core: SessionDescription, has_sound: bool) -> Result<String, Error> {
        let mut given = std::mem::take(&mut core.media_descriptions);
        let (candidates, shared) = split_transport(&mut given);
        if shared.is_empty() {
            // Without any section of the core's there is no transport to keep one on.
            let kept = self.places.iter_mut().filter(|place| place.part == Part::Kept);
            kept.for_each(|place| place.part = Part::Rejected);
        }
        let mut has_part = vec![false; self.places.len()];
        for (place, has_part) in self.places.iter().zip(&mut has_part) {
            let core_media = match place.part {
                Part::Taken(role) => {
                    let name = self.core_mid(role);
                    given
                        .iter()
                        .find(|media| mid(media) == Some(name) && media.media_name.port.value != 0)
                }
                Part::Kept | Part::Rejected => None,
            };
            *has_part = place.part == Part::Kept || core_media.is_some();
            core.media_descriptions.push(match (core_media, place.part) {
                (Some(media), Part::Taken(role)) => self.dressed(media, role, place),
                (None, Part::Kept) => place.kept(&shared),
                _ => place.rejected(),
            });
        }
        let mut bundled = self
            .bundled
            .iter()
            .copied()
            .filter(|number| has_part[*number])
            .peekable();
        if let Some(first) = bundled.peek() {
            core.media_descriptions[*first].attributes.extend(candidates);
        }
        core.attributes.retain(|attribute| attribute.key != "group");
        if self.is_grouped {
            let mids = bundled.filter_map(|number| self.places[number].mid.as_deref());
            let group: Vec<_> = std::iter::once("BUNDLE").chain(mids).collect();
            core.attributes.push(attribute("group", Some(&group.join(" "))));
        }
        if has_sound {
            core.attributes.push(attribute(ANNOUNCEMENT, None));
        }
        Ok(core.marshal())
    }

    /// A section of the core's in the viewer's words.
    fn dressed(&self, media: &MediaDescription, role: Role, place: &Place) -> MediaDescription {
        let mut media = media.clone();
        media.media_name.protos = place.protos();
        let attributes = &mut media.attributes;
        attributes.retain(|attribute| match attribute.key.as_str() {
            "mid" => false,
            "rtcp-mux" => place.has_mux,
            "rtcp-rsize" => place.has_reduced_size,
            // What was taken in an earlier description is not for always.
            "rtcp-fb" => place.feedback.as_ref().is_none_or(|feedback| {
                let value = attribute.value.as_deref().and_then(|value| value.split_once(' '));
                value.is_some_and(|(_, what)| feedback.iter().any(|taken| taken == what))
            }),
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => role != Role::Data,
            _ => true,
        });
        attributes.extend(place.mid_attribute());
        match (role, &place.coding) {
            (Role::Picture, Some(theirs)) => {
                // The core's parameters are those of the first description, and an answer has the offer's (RFC 6184, section 8.2.2).
                attributes.retain(|attribute| attribute.key != "fmtp");
                let told = theirs.agreed();
                attributes.extend(told.attributes().filter(|attribute| attribute.key == "fmtp"));
                let (ours, theirs) = (self.agreed.picture.payload_type, theirs.payload_type);
                for attribute in attributes {
                    if ["rtpmap", "rtcp-fb"].contains(&attribute.key.as_str())
                        && let Some(value) = &mut attribute.value
                        && let Some(rest) = value.strip_prefix(&format!("{ours} "))
                    {
                        *value = format!("{theirs} {rest}");
                    }
                }
                media.media_name.formats = vec![theirs.to_string()];
            }
            (Role::Data, _) if place.dialect == Dialect::Draft => {
                let mut port = "5000".to_owned();
                for attribute in attributes
                    .iter_mut()
                    .filter(|attribute| attribute.key == "sctp-port")
                {
                    port = attribute.value.take().unwrap_or(port.clone());
                    // The number of streams: as many as SCTP has.
                    let map = format!("{port} webrtc-datachannel 65535");
                    *attribute = self::attribute("sctpmap", Some(&map));
                }
                media.media_name.formats = vec![port];
            }
            (Role::Data, _) => media.media_name.formats.clone_from(&place.line.formats),
            (Role::Sound | Role::Voice, _) => {
                // The core also names what other sections, or earlier descriptions, have offered.
                let is_offered = |number: &str| place.line.formats.iter().any(|offered| offered == number);
                media.media_name.formats.retain(|number| is_offered(number));
                attributes.retain(|attribute| {
                    let number = attribute
                        .value
                        .as_deref()
                        .and_then(|value| value.split(' ').next());
                    !["rtpmap", "fmtp", "rtcp-fb"].contains(&attribute.key.as_str())
                        || number.is_some_and(is_offered)
                });
            }
            (Role::Picture, None) => {}
        }
        match &place.repair {
            Some(repair) if role == Role::Picture => self.add_repair(&mut media, repair),
            Some(redundancy) => {
                let number = redundancy.payload_type.to_string();
                media.media_name.formats.push(number);
                media.attributes.extend(redundancy.attributes());
            }
            None => {}
        }
        let told = place.congestion.attributes(&media.media_name.formats);
        let told = told.into_iter().map(|(key, value)| attribute(key, Some(&value)));
        media.attributes.extend(told);
        media
    }

    /// Adds what packets of the picture are sent again by, which the core does not know: their payload type, and beside the picture's source that of
    /// theirs (RFC 4588, section 8.6; RFC 5576, section 4.2).
    fn add_repair(&self, media: &mut MediaDescription, repair: &Coding) {
        media.media_name.formats.push(repair.payload_type.to_string());
        media.attributes.extend(repair.attributes());
        let sources = media.attributes.iter().filter(|told| told.key == "ssrc");
        let sources = sources.filter_map(|told| told.value.as_deref()?.split_once(' '));
        let Some((picture, _)) = sources.clone().next() else {
            // Nothing is sent for now.
            return;
        };
        let group = attribute("ssrc-group", Some(&format!("FID {picture} {}", self.repairs)));
        let same = sources.map(|(_, what)| attribute("ssrc", Some(&format!("{} {what}", self.repairs))));
        let told: Vec<_> = std::iter::once(group).chain(same).collect();
        media.attributes.extend(told);
    }
}

impl Place {
    fn protos(&self) -> Vec<String> {
        self.line.transport.split('/').map(ToOwned::to_owned).collect()
    }

    fn mid_attribute(&self) -> Option<Attribute> {
        self.mid.as_ref().map(|mid| attribute("mid", Some(mid)))
    }

    /// What a section is without anything in it.
    fn bare(&self, port: isize) -> MediaDescription {
        let mut media = MediaDescription {
            media_name: MediaName {
                media: self.line.kind.clone(),
                protos: self.protos(),
                // They mean nothing in a rejected section, but there has to be one (RFC 3264, section 6).
                formats: self.line.formats.iter().take(1).cloned().collect(),
                ..MediaName::default()
            },
            // Where it is missing, Firefox does not read the description.
            connection_information: Some(ConnectionInformation {
                network_type: "IN".to_owned(),
                address_type: "IP4".to_owned(),
                address: Some(Address {
                    address: "0.0.0.0".to_owned(),
                    ..Address::default()
                }),
            }),
            ..MediaDescription::default()
        };
        media.media_name.port.value = port;
        media.attributes.extend(self.mid_attribute());
        media
    }

    fn rejected(&self) -> MediaDescription {
        self.bare(0)
    }

    /// A section in which nothing is ever sent, on the transport of the others.
    fn kept(&self, shared: &[Attribute]) -> MediaDescription {
        let mut media = self.bare(9);
        if let Some(coding) = &self.coding {
            media.media_name.formats = vec![coding.payload_type.to_string()];
            media.attributes.extend(coding.attributes());
        } else if !self.line.is_rtp() {
            // Only where the formats are those of RTP is a part of them an answer.
            media.media_name.formats.clone_from(&self.line.formats);
        }
        media.attributes.push(attribute("inactive", None));
        media.attributes.extend(shared.iter().cloned());
        if self.has_mux {
            media.attributes.push(attribute("rtcp-mux", None));
        }
        media
    }
}

fn mid(media: &MediaDescription) -> Option<&str> {
    media.attribute("mid").flatten()
}

fn attribute(key: &str, value: Option<&str>) -> Attribute {
    Attribute::new(key.to_owned(), value.map(ToOwned::to_owned))
}

/// Takes the candidates out of sections, and returns them and what all sections have in common. The core names each address once more for RTCP,
/// which has no port of its own here, and as if that were no worse (RFC 8445, section 5.1.2.1).
fn split_transport(sections: &mut [MediaDescription]) -> (Vec<Attribute>, Vec<Attribute>) {
    let with_transport = sections
        .iter()
        .find(|media| media.attribute("ice-ufrag").is_some());
    let shared = with_transport.map_or(&[][..], |media| &media.attributes);
    let shared = shared.iter().filter(|attribute| {
        ["ice-ufrag", "ice-pwd", "setup", "fingerprint"].contains(&attribute.key.as_str())
    });
    let shared = shared.cloned().collect();
    let mut candidates = Vec::new();
    for media in sections {
        let is_candidate =
            |attribute: &mut Attribute| ["candidate", "end-of-candidates"].contains(&attribute.key.as_str());
        candidates.extend(media.attributes.extract_if(.., is_candidate));
    }
    let is_for_rtcp = |candidate: &Attribute| {
        let component = candidate.value.as_deref().map(|value| value.split(' ').nth(1));
        component == Some(Some("2"))
    };
    candidates.retain(|candidate| !is_for_rtcp(candidate));
    (candidates, shared)
}
