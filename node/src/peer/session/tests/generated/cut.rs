//! Descriptions as lines, and what the standards say they mean: nothing of the program is used here.

/// A description, cut into lines.
pub(super) struct Sdp<'a> {
    pub(super) whole: Vec<&'a str>,
    pub(super) sections: Vec<Media<'a>>,
}

/// A section, cut into lines.
pub(super) struct Media<'a>(Vec<&'a str>);

pub(super) const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];

impl<'a> Sdp<'a> {
    pub(super) fn cut(text: &'a str) -> Self {
        let mut sdp = Self {
            whole: Vec::new(),
            sections: Vec::new(),
        };
        for line in text.lines().map(str::trim_end) {
            if line.starts_with("m=") {
                sdp.sections.push(Media(vec![line]));
            } else if let Some(section) = sdp.sections.last_mut() {
                section.0.push(line);
            } else {
                sdp.whole.push(line);
            }
        }
        sdp
    }

    /// The bundle groups, by numbers of sections.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        let groups = self
            .whole
            .iter()
            .filter_map(|line| line.strip_prefix("a=group:BUNDLE"));
        let of = |mids: &str| {
            let mids = mids.split_whitespace();
            let number = |mid: &str| {
                self.sections
                    .iter()
                    .position(|section| section.value("mid") == Some(mid))
            };
            mids.filter_map(number).collect()
        };
        groups.map(of).collect()
    }

    /// The group of a section, of those that are open.
    pub(super) fn group(&self, number: usize) -> Vec<usize> {
        let groups = self.groups();
        let group = groups.into_iter().find(|group| group.contains(&number));
        let is_open = |number: &usize| self.is_open(*number);
        group.map_or(vec![number], |group| group.into_iter().filter(is_open).collect())
    }

    /// RFC 3264, section 6, and RFC 9143, section 6.
    pub(super) fn is_open(&self, number: usize) -> bool {
        let section = &self.sections[number];
        let is_grouped = || self.groups().iter().any(|group| group.contains(&number));
        section.port() != "0" || (section.has("bundle-only") && is_grouped())
    }

    /// What is said of a section's transport (RFC 9143, section 7.1.3).
    pub(super) fn said(&self, number: usize, key: &str) -> Option<&'a str> {
        let prefix = format!("a={key}:");
        let group = self.group(number);
        let first = group.first().copied().unwrap_or(number);
        let of_whole = self
            .whole
            .iter()
            .find_map(|line| line.strip_prefix(prefix.as_str()));
        self.sections[first]
            .value(key)
            .or(of_whole)
            .or_else(|| self.sections[number].value(key))
    }

    pub(super) fn direction(&self, number: usize) -> &'a str {
        let own = self.sections[number].direction();
        let of_whole = || {
            let mut lines = self.whole.iter().filter_map(|line| line.strip_prefix("a="));
            lines.find(|line| DIRECTIONS.contains(line))
        };
        own.or_else(of_whole).unwrap_or("sendrecv")
    }

    pub(super) fn has_mux(&self, number: usize) -> bool {
        let group = self.group(number);
        let first = group.first().copied().unwrap_or(number);
        [number, first]
            .iter()
            .any(|number| self.sections[*number].has("rtcp-mux"))
    }

    /// The sections of a kind in which we might send, by their direction and transport.
    fn places(&self, kind: &str) -> impl Iterator<Item = usize> {
        (0..self.sections.len()).filter(move |number| {
            let section = &self.sections[*number];
            section.kind() == kind
                && self.is_open(*number)
                && section.is_rtp()
                && ["sendrecv", "recvonly"].contains(&self.direction(*number))
        })
    }

    /// The first of these with a format that can be sent.
    fn place(&self, kind: &str, can_send: impl Fn(&Media<'a>, &str) -> bool) -> Option<usize> {
        self.places(kind).find(|number| {
            let section = &self.sections[*number];
            let mut formats = section.formats().into_iter();
            self.has_mux(*number) && formats.any(|format| can_send(section, format))
        })
    }

    /// Whether an offer is one in the answer to which our picture has to be.
    pub(super) fn must_be_shown(&self) -> bool {
        self.place("video", Media::is_sendable)
            .is_some_and(|place| self.can_connect(place))
    }

    /// Whether an offer is one that we have to take: there is a place in which we could send a picture, or sound to who wants no picture.
    pub(super) fn must_be_answered(&self) -> bool {
        let wants_picture = self.places("video").next().is_some();
        let sound = self.place("audio", Media::is_audible).filter(|_| !wants_picture);
        self.must_be_shown() || sound.is_some_and(|place| self.can_connect(place))
    }

    /// Whether there is all that a connection takes for this section.
    fn can_connect(&self, place: usize) -> bool {
        let mids: Vec<_> = self
            .sections
            .iter()
            .filter_map(|section| section.value("mid"))
            .collect();
        let is_unique = mids
            .iter()
            .enumerate()
            .all(|(number, mid)| !mids[..number].contains(mid));
        let first = self.group(place).first().copied().unwrap_or(place);
        let by = self.sections[first].values("fingerprint");
        let whole = self
            .whole
            .iter()
            .filter_map(|line| line.strip_prefix("a=fingerprint:"));
        let has_sha_256 = by
            .chain(whole)
            .any(|value| value.to_ascii_lowercase().starts_with("sha-256 "));
        let setup = self.said(place, "setup").unwrap_or("actpass");
        is_unique && has_sha_256 && ["actpass", "active", "passive"].contains(&setup)
    }
}

impl<'a> Media<'a> {
    pub(super) fn words(&self) -> Vec<&'a str> {
        self.0[0]["m=".len()..].split_whitespace().collect()
    }

    pub(super) fn kind(&self) -> &'a str {
        self.words()[0]
    }

    pub(super) fn port(&self) -> &'a str {
        self.words()[1]
    }

    pub(super) fn transport(&self) -> &'a str {
        self.words()[2]
    }

    pub(super) fn formats(&self) -> Vec<&'a str> {
        self.words().split_off(3)
    }

    pub(super) fn lines(&self) -> &[&'a str] {
        &self.0
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(|line| line.strip_prefix("a="))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.attributes().any(|line| line == key)
    }

    pub(super) fn values(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.attributes()
            .filter_map(move |line| line.strip_prefix(key)?.strip_prefix(':'))
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        self.values(key).next()
    }

    pub(super) fn direction(&self) -> Option<&'static str> {
        DIRECTIONS.into_iter().find(|direction| self.has(direction))
    }

    pub(super) fn is_rtp(&self) -> bool {
        self.transport().contains("RTP/")
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind() == "application"
            && self.transport().ends_with("DTLS/SCTP")
            && (self.formats() == ["webrtc-datachannel"] || self.value("sctpmap").is_some())
    }

    /// The codec of a payload type: name, clock and channels (RFC 8866, section 6.6; RFC 3551, section 6).
    pub(super) fn codec(&self, format: &str) -> Option<(String, String, String)> {
        let prefix = format!("{format} ");
        let map = self
            .values("rtpmap")
            .find_map(|value| value.strip_prefix(prefix.as_str()));
        let map = map.or(match format {
            "0" => Some("PCMU/8000"),
            "8" => Some("PCMA/8000"),
            _ => None,
        })?;
        let mut parts = map.split('/').map(str::to_ascii_lowercase);
        let (name, clock) = (parts.next()?, parts.next()?);
        Some((name, clock, parts.next().unwrap_or("1".to_owned())))
    }

    pub(super) fn parameter(&self, format: &str, key: &str) -> Option<&'a str> {
        let prefix = format!("{format} ");
        let value = self
            .values("fmtp")
            .find_map(|value| value.strip_prefix(prefix.as_str()))?;
        value
            .split(';')
            .find_map(|pair| pair.trim().strip_prefix(key)?.strip_prefix('='))
    }

    /// Whether it is VP8, or H.264 in fragments (RFC 6184, section 6.3) of a profile that includes ours (table 5 in section 8.1).
    pub(super) fn is_sendable(&self, format: &str) -> bool {
        let Some((name, clock, _)) = self.codec(format) else {
            return false;
        };
        let profile = || match self.parameter(format, "profile-level-id") {
            None => true,
            Some(id) => [
                "42e0", "4240", "4280", "4de0", "4200", "42c0", "4d00", "6400", "640c", "58e0",
            ]
            .iter()
            .any(|known| id.len() == 6 && id.starts_with(known)),
        };
        clock == "90000"
            && match name.as_str() {
                "vp8" => true,
                "h264" => self.parameter(format, "packetization-mode") == Some("1") && profile(),
                _ => false,
            }
    }
    /// Whether it is one of the codecs that every endpoint has (RFC 7874, section 3).
    fn is_audible(&self, format: &str) -> bool {
        let codec = self.codec(format);
        let codec = codec
            .as_ref()
            .map(|(name, clock, channels)| (&name[..], &clock[..], &channels[..]));
        matches!(
            codec,
            Some(("opus", "48000", "2") | ("pcmu" | "pcma", "8000", "1"))
        )
    }
}
