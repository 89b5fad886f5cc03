//! A description as it is, before anything is decided by it.

use rtc::sdp::description::{common::Attribute, session::SessionDescription};

use super::{
    bounds::Bounded,
    error::DescriptionError,
    section::{Kind, Section},
};

/// A description, read.
#[derive(Debug)]
pub(super) struct Reading {
    /// What is said of the whole.
    attributes: Vec<Attribute>,
    pub(super) sections: Vec<Section>,
    /// Groups of sections that share one transport (RFC 9143), in their own order.
    groups: Vec<Vec<usize>>,
    /// The candidate lines, without `a=`, each with the number of its section.
    candidates: Vec<(usize, String)>,
}

impl Reading {
    /// Reads a description.
    ///
    /// # Errors
    /// It is larger than anybody needs, can't be read, or has no sections that can be told apart.
    pub(super) fn read(sdp: &str) -> Result<Self, DescriptionError> {
        let Bounded {
            sdp,
            kinds,
            candidates,
        } = Bounded::read(sdp)?;
        let parsed =
            SessionDescription::try_from(sdp).map_err(|error| DescriptionError::Syntax(error.to_string()))?;
        let direction = ["sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|direction| parsed.has_attribute(direction));
        let sections: Vec<_> = parsed
            .media_descriptions
            .into_iter()
            .zip(kinds)
            .map(|(media, kind)| Section::read(media, kind, direction.unwrap_or("sendrecv")))
            .collect();
        if sections.is_empty() {
            return Err(DescriptionError::Empty);
        }
        for (number, section) in sections.iter().enumerate() {
            if let Some(mid) = &section.mid
                && sections[..number]
                    .iter()
                    .any(|other| other.mid.as_ref() == Some(mid))
            {
                return Err(DescriptionError::SameMid(mid.clone()));
            }
        }
        Ok(Self {
            groups: groups(&parsed.attributes, &sections),
            attributes: parsed.attributes,
            sections,
            candidates,
        })
    }

    /// Whether the viewer wants this section at all.
    pub(super) fn is_open(&self, number: usize) -> bool {
        let section = &self.sections[number];
        section.has_port || (section.is_bundle_only && self.group(number).is_some())
    }

    /// The numbers of the open sections of a kind.
    pub(super) fn open(&self, is_it: impl Fn(Kind) -> bool) -> impl Iterator<Item = usize> {
        let numbers = 0..self.sections.len();
        numbers.filter(move |number| is_it(self.sections[*number].kind) && self.is_open(*number))
    }

    /// The group that a section is in.
    fn group(&self, number: usize) -> Option<&[usize]> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.contains(&number)).map(Vec::as_slice)
    }

    /// Those sections that share a transport with this one and are open, in their group's order, and whether there is a group.
    pub(super) fn bundled(&self, number: usize) -> (Vec<usize>, bool) {
        match self.group(number) {
            Some(group) => {
                let open = group.iter().copied().filter(|number| self.is_open(*number));
                (open.collect(), true)
            }
            None => (vec![number], false),
        }
    }

    /// Whether RTCP shares the port of RTP in a section: what the first of a group says holds for all of it (RFC 9143, section 7.1.3).
    pub(super) fn has_mux(&self, number: usize) -> bool {
        let (bundled, _) = self.bundled(number);
        let first = bundled.first().copied().unwrap_or(number);
        self.sections[number].has_mux() || self.sections[first].has_mux()
    }

    /// What is said of the transport of these sections: by the first of them, else of the whole, else by any of them.
    pub(super) fn said<'a>(&'a self, bundled: &'a [usize], key: &'a str) -> impl Iterator<Item = &'a str> {
        let by = move |number: &'a usize| self.sections[*number].values(key);
        let (first, others) = bundled.split_at(bundled.len().min(1));
        let whole = self
            .attributes
            .iter()
            .filter(move |attribute| attribute.key == key);
        first
            .iter()
            .flat_map(by)
            .chain(whole.filter_map(|attribute| attribute.value.as_deref()))
            .chain(others.iter().flat_map(by))
    }

    /// Whether all that a connection takes is said of a section itself, or of the whole.
    pub(super) fn has_transport(&self, number: usize) -> bool {
        let section = &self.sections[number];
        ["ice-ufrag", "ice-pwd", "fingerprint"]
            .into_iter()
            .all(|key| section.values(key).next().is_some() || self.has(key))
    }

    /// Whether something is said of the whole.
    pub(super) fn has(&self, key: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.key == key)
    }

    /// The candidates for the transport of these sections, of which this is the ICE user name fragment. Before anything is agreed on each section may
    /// have a transport of its own, and with it another fragment.
    pub(super) fn candidates(&self, bundled: &[usize], fragment: &str) -> Vec<String> {
        let is_of_it = |number: &usize| {
            let own = self.sections[*number].values("ice-ufrag").next();
            bundled.contains(number) && own.is_none_or(|own| own.trim() == fragment)
        };
        self.candidates
            .iter()
            .filter(|(number, _)| is_of_it(number))
            .map(|(_, line)| line.clone())
            .collect()
    }
}

fn groups(attributes: &[Attribute], sections: &[Section]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.key == "group") {
        let mut words = attribute.value.as_deref().unwrap_or_default().split_whitespace();
        if words.next() != Some("BUNDLE") {
            continue;
        }
        let mut group = Vec::new();
        for mid in words {
            let number = sections
                .iter()
                .position(|section| section.mid.as_deref() == Some(mid));
            // A section can be in one group only (RFC 9143, section 7.1).
            group.extend(number.filter(|number| {
                !group.contains(number) && !groups.iter().any(|other| other.contains(number))
            }));
        }
        if !group.is_empty() {
            groups.push(group);
        }
    }
    groups
}
