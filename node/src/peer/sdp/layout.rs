//! The sections of a session, as its last description had them: what the core knows of them, and how what it says becomes a description
//! of all of them.

use super::{
    choice::{Choice, Held, Part, Role},
    error::DescriptionError,
    given::{Agreed, Given, given},
    place::Place,
    reading::Reading,
    transport::Transport,
};

/// The sections of a session, in the order in which they will always be (RFC 3264, section 8).
#[derive(Clone, Debug)]
pub(in crate::peer) struct Layout {
    pub(super) agreed: Agreed,
    pub(super) places: Vec<Place>,
    /// Those that share our transport, in the order of their group.
    pub(super) bundled: Vec<usize>,
    pub(super) is_grouped: bool,
    /// The core's name of the section for the picture, where we have offered that.
    own: Option<String>,
    /// The source of what of the picture is sent again.
    pub(super) repairs: u32,
}

impl Layout {
    /// The layout of a session whose ends mean this by their numbers, and in which lost packets of the picture are sent again by this source.
    pub(in crate::peer) fn new(agreed: Agreed, repairs: u32) -> Self {
        Self {
            agreed,
            places: Vec::new(),
            bundled: Vec::new(),
            is_grouped: false,
            own: None,
            repairs,
        }
    }

    /// The sections that are not rejected.
    pub(super) fn held(&self) -> Held {
        let mut held = Held::default();
        for (number, place) in self.places.iter().enumerate() {
            match place.part {
                Part::Taken(role) => held.roles.push((role, number, place.mid.clone())),
                Part::Kept => held.kept.push(number),
                Part::Rejected => {}
            }
        }
        held
    }

    /// Takes the sections of an offer of the viewer. Returns what the core is to be given of it.
    ///
    /// # Errors
    /// Our codec is no longer in it.
    pub(super) fn take(
        &mut self,
        reading: &Reading,
        choice: &mut Choice,
        transport: &Transport,
    ) -> Result<String, DescriptionError> {
        let first = choice.bundled.first().copied().filter(|_| choice.is_grouped);
        for (number, (part, section)) in choice.parts.iter_mut().zip(&reading.sections).enumerate() {
            match part {
                Part::Taken(Role::Sound | Role::Voice) if self.agreed.audio_in(section).is_empty() => {
                    *part = if first == Some(number) {
                        Part::Kept
                    } else {
                        Part::Rejected
                    };
                }
                Part::Taken(Role::Picture) if self.agreed.picture_in(section).is_none() => {
                    return Err(DescriptionError::OtherCodec);
                }
                _ => {}
            }
        }
        let places = reading.sections.iter().zip(&choice.parts);
        self.places = places
            .map(|(section, part)| Place::of(&self.agreed, section, *part))
            .collect();
        self.bundled.clone_from(&choice.bundled);
        self.is_grouped = choice.is_grouped;
        Ok(self.given(reading, transport))
    }

    /// Takes the viewer's answer to an offer of ours. Returns what the core is to be given of it.
    ///
    /// # Errors
    /// It does not fit our offer, or has no picture in it.
    pub(super) fn settle(
        &mut self,
        reading: &Reading,
        choice: &Choice,
        transport: &Transport,
    ) -> Result<String, DescriptionError> {
        for (place, part) in self.places.iter_mut().zip(&choice.parts) {
            place.part = *part;
        }
        self.bundled.clone_from(&choice.bundled);
        self.is_grouped = choice.is_grouped;
        let number = choice.picture.ok_or(DescriptionError::OtherCodec)?;
        let coding = self.agreed.picture_in(&reading.sections[number]);
        self.places[number].coding = Some(coding.ok_or(DescriptionError::OtherCodec)?);
        Ok(self.given(reading, transport))
    }

    /// What becomes of the sections in an answer to our offer.
    ///
    /// # Errors
    /// It has others than our offer, or not all of them on one transport.
    pub(super) fn answered(&self, reading: &Reading) -> Result<Choice, DescriptionError> {
        if reading.sections.len() != self.places.len() {
            return Err(DescriptionError::Unlike);
        }
        let is_open = |number: &usize| reading.is_open(*number);
        let mut parts: Vec<_> = self.places.iter().map(|place| place.part).collect();
        let picture = self.section(Role::Picture).filter(is_open);
        let picture = picture.ok_or(DescriptionError::OtherCodec)?;
        let (bundled, is_grouped) = reading.bundled(picture);
        for (number, part) in parts.iter_mut().enumerate() {
            if !is_open(&number) {
                *part = Part::Rejected;
            } else if *part != Part::Rejected && !bundled.contains(&number) {
                return Err(DescriptionError::Unbundled);
            }
        }
        Ok(Choice {
            parts,
            bundled,
            is_grouped,
            picture: Some(picture),
            has_place: true,
        })
    }

    /// The section that has this role.
    pub(super) fn section(&self, role: Role) -> Option<usize> {
        self.places
            .iter()
            .position(|place| place.part == Part::Taken(role))
    }

    /// The viewer's payload type for the picture, where there is a section for that.
    pub(in crate::peer) fn picture_number(&self) -> Option<u8> {
        let place = self.places.get(self.section(Role::Picture)?)?;
        place.coding.as_ref().map(|coding| coding.payload_type)
    }

    /// The viewer's payload type for what of the picture is sent again in a stream of its own, where it takes that.
    pub(in crate::peer) fn repair_number(&self) -> Option<u8> {
        let place = self.places.get(self.section(Role::Picture)?)?;
        place.repair.as_ref().map(|repair| repair.payload_type)
    }

    /// The viewer's payload type for sound that is sent twice, where it takes that.
    pub(in crate::peer) fn redundancy_number(&self) -> Option<u8> {
        let place = self.places.get(self.section(Role::Sound)?)?;
        place.repair.as_ref().map(|redundancy| redundancy.payload_type)
    }

    /// The number of the header extension by which packets are numbered for congestion control, in the section that has this role.
    pub(in crate::peer) fn extension(&self, role: Role) -> Option<u8> {
        self.places.get(self.section(role)?)?.congestion.id()
    }

    /// Whether messages can be exchanged.
    pub(in crate::peer) fn has_messages(&self) -> bool {
        self.section(Role::Data).is_some()
    }

    /// Whether there is a section for the picture.
    pub(in crate::peer) fn has_picture(&self) -> bool {
        self.section(Role::Picture).is_some()
    }

    /// Gives up the section that we have offered, and that the viewer has not agreed to.
    pub(in crate::peer) fn withdraw(&mut self) {
        if self.own.take().is_some() {
            self.places.pop();
            self.bundled.retain(|number| *number < self.places.len());
        }
    }

    /// Adds the section for the picture that we offer, by the core's name of it.
    pub(super) fn offer(&mut self, core: String) {
        // What we offer is a group, and there sections have names.
        for number in 0..self.places.len() {
            if self.places[number].part != Part::Rejected && self.places[number].mid.is_none() {
                self.places[number].mid = Some(self.free_mid());
            }
        }
        let place = Place::offered(&self.agreed.picture, self.free_mid());
        self.bundled.push(self.places.len());
        self.places.push(place);
        self.is_grouped = true;
        self.own = Some(core);
    }

    /// The core's name of a section.
    pub(super) fn core_mid(&self, role: Role) -> &str {
        match (role, &self.own) {
            (Role::Picture, Some(own)) => own,
            _ => role.name(),
        }
    }

    /// The number of the section that speaks for all, counted from 0, and its `mid`.
    pub(in crate::peer) fn first(&self) -> (u16, &str) {
        let number = self.bundled.first().copied().unwrap_or_default();
        let mid = self.places.get(number).and_then(|place| place.mid.as_deref());
        // A description has some sections at most.
        (u16::try_from(number).unwrap_or_default(), mid.unwrap_or("0"))
    }

    fn free_mid(&self) -> String {
        let is_free = |mid: &String| !self.places.iter().any(|place| place.mid.as_ref() == Some(mid));
        let mids = (0..=self.places.len()).map(|number| number.to_string());
        mids.into_iter().find(is_free).unwrap_or_default()
    }

    fn given(&self, reading: &Reading, transport: &Transport) -> String {
        let places = self.places.iter().zip(&reading.sections);
        let sections = places.filter_map(|(place, section)| match place.part {
            Part::Taken(role) => Some(Given {
                role,
                mid: self.core_mid(role),
                section,
            }),
            Part::Kept | Part::Rejected => None,
        });
        given(transport, &self.agreed, sections.collect())
    }
}
