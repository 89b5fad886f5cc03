//! Offers drawn by a seed: everything about them that may vary, each for itself.

use std::fmt::Write;

use rand::{Rng, rngs::StdRng};

use super::{
    cut::Sdp,
    formats::{RTP, one},
    part::{DIRECTIONS, Part, candidates},
};

/// An offer that can be drawn on.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) sections: Vec<Part>,
    /// Bundle groups, of numbers of sections.
    groups: Vec<Vec<usize>>,
    /// What names the transports: another one is an ICE restart.
    generation: u32,
    /// Whether credentials are said of the whole.
    of_the_whole: bool,
    setup: Option<&'static str>,
    fingerprint: &'static str,
    direction: Option<&'static str>,
    end: &'static str,
    others: Vec<&'static str>,
}

impl Shape {
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let count = one(random, &[1, 1, 1, 2, 2, 2, 3, 3, 4, 6]);
        let mut shape = Self {
            sections: Vec::new(),
            groups: Vec::new(),
            generation: 0,
            of_the_whole: random.random_bool(0.3),
            setup: one(
                random,
                &[
                    Some("actpass"),
                    Some("actpass"),
                    Some("actpass"),
                    Some("active"),
                    Some("passive"),
                    None,
                ],
            ),
            fingerprint: "sha-256",
            direction: random.random_bool(0.05).then(|| one(random, &DIRECTIONS)),
            end: one(random, &["\r\n", "\r\n", "\n"]),
            others: Vec::new(),
        };
        if random.random_bool(0.03) {
            shape.setup = Some(one(random, &["holdconn", "either"]));
        }
        if random.random_bool(0.1) {
            shape.fingerprint = one(random, &["SHA-256", "sha-1", "sha-1 and sha-256", "none"]);
        }
        for other in [
            "extmap-allow-mixed",
            "msid-semantic: WMS *",
            "group:LS 0 1",
            "ice-lite",
            "ice-options:trickle",
            "x-whole:1",
        ] {
            if random.random_bool(0.15) {
                shape.others.push(other);
            }
        }
        let naming = one(random, &["0", "0", "0", "video0", "none", "mixed"]);
        for number in 0..count {
            let mut part = Part::draw(random);
            part.mid = match naming {
                "none" => None,
                "mixed" if random.random_bool(0.5) => None,
                "video0" => Some(format!("{}{number}", part.kind)),
                _ => Some(number.to_string()),
            };
            shape.sections.push(part);
        }
        if count > 1 && random.random_bool(0.01) {
            shape.sections[1].mid = shape.sections[0].mid.clone();
        }
        shape.group(random);
        shape
    }

    fn group(&mut self, random: &mut StdRng) {
        let all = 0..self.sections.len();
        self.groups = match random.random_range(0..10) {
            0..6 => vec![all.collect()],
            6 => vec![all.filter(|_| random.random_bool(0.5)).collect()],
            7 => {
                let (one, other) = all.partition(|_| random.random_bool(0.5));
                vec![one, other]
            }
            8 => vec![all.rev().collect()],
            _ => Vec::new(),
        };
        self.groups.retain(|group| !group.is_empty());
        let first: Vec<usize> = self.groups.iter().map(|group| group[0]).collect();
        for (number, part) in self.sections.iter_mut().enumerate() {
            let is_grouped = self.groups.iter().any(|group| group.contains(&number));
            if part.bundle_only && (!is_grouped || first.contains(&number)) {
                part.bundle_only = false;
                part.port = 9;
            }
            if !part.bundle_only && part.port == 0 {
                self.groups
                    .iter_mut()
                    .for_each(|group| group.retain(|other| *other != number));
            }
        }
        self.groups.retain(|group| !group.is_empty());
    }

    /// What the same viewer may offer next.
    pub(super) fn change(&mut self, random: &mut StdRng) {
        for part in &mut self.sections {
            match random.random_range(0..10) {
                0 | 1 => part.direction = Some(one(random, &DIRECTIONS)),
                2 if random.random_bool(0.3) => {
                    part.port = 0;
                    part.bundle_only = false;
                }
                // A rejected section is taken for something else.
                3 if part.port == 0 && !part.bundle_only => {
                    let mid = part.mid.as_ref().map(|mid| format!("{mid}again"));
                    *part = Part {
                        mid,
                        ..Part::draw(random)
                    };
                }
                4 => part.candidates = candidates(random),
                5 if part.formats.len() > 1 => {
                    let last = part.formats.len() - 1;
                    part.formats.swap(0, last);
                }
                6 if part.formats.len() > 1 && random.random_bool(0.3) => drop(part.formats.pop()),
                _ => {}
            }
        }
        for _ in 0..one(random, &[0, 0, 0, 1, 2]) {
            let mut part = Part::draw(random);
            part.mid = Some(format!("more{}", self.sections.len()));
            part.bundle_only = false;
            self.sections.push(part);
        }
        if random.random_bool(0.3) {
            self.generation += 1;
        }
        if random.random_bool(0.8) {
            self.setup = Some("actpass");
        }
        if random.random_bool(0.3) {
            self.group(random);
        } else {
            let added = self.sections.len();
            if let Some(group) = self.groups.first_mut() {
                let last = group.iter().copied().max().unwrap_or_default();
                group.extend(last + 1..added);
            }
            let sections = &self.sections;
            for group in &mut self.groups {
                group.retain(|number| sections[*number].port != 0 || sections[*number].bundle_only);
            }
            self.groups.retain(|group| !group.is_empty());
        }
    }

    /// Has the sections of an offer of ours, which was agreed to.
    pub(super) fn agree(&mut self, own: &str) {
        let own = Sdp::cut(own);
        for (part, section) in self.sections.iter_mut().zip(&own.sections) {
            part.mid = section.value("mid").map(str::to_owned);
        }
        if let Some(section) = own.sections.get(self.sections.len()) {
            let format = section.formats()[0].to_owned();
            let map = format!("a=rtpmap:{format} VP8/90000");
            self.sections.push(Part {
                kind: "video",
                transport: RTP[0],
                port: 9,
                mid: section.value("mid").map(str::to_owned),
                direction: Some("recvonly"),
                formats: vec![(format, vec![map])],
                mux: true,
                bundle_only: false,
                candidates: Vec::new(),
                others: Vec::new(),
            });
        }
        let open = (0..self.sections.len()).filter(|number| own.is_open(*number));
        self.groups = vec![open.collect()];
    }

    fn transport(&self, number: usize) -> usize {
        let group = self.groups.iter().position(|group| group.contains(&number));
        group.unwrap_or(100 + number)
    }

    fn credentials(&self, transport: usize, text: &mut Vec<String>) {
        let name = format!("u{}x{transport}", self.generation);
        text.push(format!("a=ice-ufrag:{name}"));
        text.push(format!("a=ice-pwd:{name}asd88fgpdd777uzjYhagZg12"));
    }

    fn certificate(&self, text: &mut Vec<String>) {
        const VALUE: &str =
            "6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08";
        match self.fingerprint {
            "none" => {}
            "sha-1 and sha-256" => {
                text.push("a=fingerprint:sha-1 6B:8B:F0".to_owned());
                text.push(format!("a=fingerprint:sha-256 {VALUE}"));
            }
            function => text.push(format!("a=fingerprint:{function} {VALUE}")),
        }
        if let Some(setup) = self.setup {
            text.push(format!("a=setup:{setup}"));
        }
    }

    /// In SDP.
    pub(super) fn render(&self) -> String {
        let mut lines: Vec<String> = ["v=0", "o=- 4962303333179871722 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
            .map(str::to_owned)
            .to_vec();
        for group in &self.groups {
            let mids = group
                .iter()
                .filter_map(|number| self.sections[*number].mid.as_deref());
            let mids: Vec<_> = mids.collect();
            if !mids.is_empty() {
                lines.push(format!("a=group:BUNDLE {}", mids.join(" ")));
            }
        }
        lines.extend(self.others.iter().map(|other| format!("a={other}")));
        lines.extend(self.direction.iter().map(|direction| format!("a={direction}")));
        if self.of_the_whole {
            self.credentials(0, &mut lines);
            self.certificate(&mut lines);
        }
        for (number, part) in self.sections.iter().enumerate() {
            part.render(&mut lines);
            if !self.of_the_whole {
                self.credentials(self.transport(number), &mut lines);
                self.certificate(&mut lines);
            }
        }
        let mut text = String::new();
        for line in lines {
            let _ = write!(text, "{line}{}", self.end);
        }
        text
    }
}
