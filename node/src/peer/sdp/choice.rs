//! Which sections of a viewer's description we take, and for what.
//!
//! A session has one transport. Where the description has several, because it has no group or more than one, that is taken in which the
//! picture can be sent, and the sections of the others are rejected (RFC 9429, section 5.3.1).

use super::{
    coding::{distinct, rank, sendable},
    error::DescriptionError,
    microphone::decodable,
    reading::Reading,
    section::{Kind, Section},
};

/// What a section is taken for. A session has at most one section for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) enum Role {
    Picture,
    /// Our sound, and the viewer's voice where that has no section of its own.
    Sound,
    /// The viewer's voice alone.
    Voice,
    Data,
}

impl Role {
    /// The core's name of the section. The viewer's own names it is never told: it would make up others beside them.
    pub(in crate::peer) fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Sound => "sound",
            Self::Voice => "voice",
            Self::Data => "data",
        }
    }
}

/// What becomes of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Taken(Role),
    /// It stays, and nothing is sent in it: one more of what we have already, or the first of its group, where that may not be rejected without
    /// all of the group (RFC 9143, section 7.3.3).
    Kept,
    Rejected,
}

/// The sections that a session has already.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// These roles, with these numbers and names.
    pub(super) roles: Vec<(Role, usize, Option<String>)>,
    /// Those that stay without being used.
    pub(super) kept: Vec<usize>,
}

/// What we make of a description.
#[derive(Debug)]
pub(super) struct Choice {
    /// What becomes of each section.
    pub(super) parts: Vec<Part>,
    /// The sections that share our transport, in the order of their group: the first one speaks for all of them.
    pub(super) bundled: Vec<usize>,
    /// Whether they are in a group.
    pub(super) is_grouped: bool,
    /// The section in which a picture is wanted, where there is one in which we could send it.
    pub(super) picture: Option<usize>,
    /// Whether there is a place for a picture, even if it is for none of ours.
    pub(super) has_place: bool,
}

impl Choice {
    /// Chooses among the sections of an offer. Those that a session has are kept.
    ///
    /// # Errors
    /// None is of use.
    pub(super) fn of(reading: &Reading, held: &Held) -> Result<Self, DescriptionError> {
        let sections = &reading.sections;
        let is_video = |kind| kind == Kind::Video;
        let receiving: Vec<_> = reading
            .open(is_video)
            .filter(|number| sections[*number].receives)
            .collect();
        if !receiving.is_empty() && !receiving.iter().any(|number| reading.has_mux(*number)) {
            return Err(DescriptionError::NoMux);
        }
        let can_show =
            |number: &usize| reading.has_mux(*number) && !sendable(&sections[*number].codings).is_empty();
        let mut picture = held
            .section(Role::Picture, reading, is_video)
            .or_else(|| receiving.iter().copied().find(can_show));
        let unfit = || receiving.iter().copied().find(|number| reading.has_mux(*number));
        let anchor = picture
            .or_else(unfit)
            .or_else(|| audio(reading, |number| reading.has_mux(number)))
            .or_else(|| data(reading, |_| true));
        if anchor.is_none() {
            // Nothing but a picture that is paused: it may be wanted later.
            picture = reading.open(is_video).find(can_show);
        }
        let anchor = anchor.or(picture).ok_or(DescriptionError::Useless)?;
        let (bundled, is_grouped) = reading.bundled(anchor);
        let mut choice = Self {
            parts: vec![Part::Rejected; sections.len()],
            bundled,
            is_grouped,
            picture,
            has_place: !receiving.is_empty(),
        };
        if let Some(number) = picture {
            choice.parts[number] = Part::Taken(Role::Picture);
        }
        choice.choose_audio(reading, held);
        let is_ours = |number| choice.bundled.contains(&number);
        let held_data = held.section(Role::Data, reading, |kind| matches!(kind, Kind::Data(_)));
        let chosen = held_data
            .filter(|number| is_ours(*number))
            // The first of a group can't be rejected without the others.
            .or_else(|| data(reading, |number| choice.bundled.first() == Some(&number)))
            .or_else(|| data(reading, is_ours));
        if let Some(number) = chosen {
            choice.parts[number] = Part::Taken(Role::Data);
        }
        choice.keep(reading);
        choice.lead(reading, held);
        Ok(choice)
    }

    fn choose_audio(&mut self, reading: &Reading, held: &Held) {
        let is_ours = |number: usize| self.bundled.contains(&number) && reading.has_mux(number);
        let is_audio = |kind| kind == Kind::Audio;
        let sections = &reading.sections;
        let held = |role| {
            held.section(role, reading, is_audio)
                .filter(|number| is_ours(*number))
        };
        let Some(sound) = held(Role::Sound).or_else(|| audio(reading, is_ours)) else {
            return;
        };
        let voice = held(Role::Voice).or_else(|| {
            let sends = |number: &usize| {
                let section = &sections[*number];
                is_ours(*number) && section.sends && !decodable(section).is_empty()
            };
            reading.open(is_audio).find(sends)
        });
        self.parts[sound] = Part::Taken(Role::Sound);
        // A second section is taken where it means the same by its numbers, which the core knows but one meaning of.
        let numbers = distinct(&sections[sound].codings);
        let means_the_same = |section: &Section| {
            let shared = |(number, _)| {
                let mut same = section
                    .codings
                    .iter()
                    .filter(|coding| coding.payload_type == number);
                same.any(|coding| numbers.iter().any(|other| other.is(coding)))
            };
            decodable(section).into_iter().any(shared)
        };
        if let Some(voice) = voice.filter(|voice| *voice != sound && means_the_same(&sections[*voice])) {
            self.parts[voice] = Part::Taken(Role::Voice);
        }
    }

    /// Keeps what may stay without being used.
    fn keep(&mut self, reading: &Reading) {
        for number in &self.bundled {
            let Section { kind, codings, .. } = &reading.sections[*number];
            let is_known = match kind {
                Kind::Video => codings.iter().any(|coding| rank(coding).is_some()),
                Kind::Audio => codings.iter().any(|coding| coding.sound().is_some()),
                Kind::Data(_) | Kind::Other => false,
            };
            if self.parts[*number] == Part::Rejected && is_known && reading.has_mux(*number) {
                self.parts[*number] = Part::Kept;
            }
        }
    }

    /// Sees to it that the first section of the group, which speaks for all of them, is one that we don't reject (RFC 9143, sections 7.3.1 and
    /// 7.3.3). RTP is kept still. What is no RTP can't be told to be still, so the next section takes its place, where it can.
    fn lead(&mut self, reading: &Reading, held: &Held) {
        let Some(&first) = self.bundled.first().filter(|_| self.is_grouped) else {
            return;
        };
        if self.parts[first] != Part::Rejected {
            return;
        }
        let is_taken = |number: &usize| self.parts[*number] != Part::Rejected;
        let next = self
            .bundled
            .iter()
            .copied()
            .filter(is_taken)
            .find(|number| reading.sections[*number].has_port);
        // What leads already goes on to, for others may have no transport of their own any more.
        let may_change = !reading.sections[first].is_rtp() && !held.kept.contains(&first);
        let next = next.filter(|number| {
            let has_mux = |other: &usize| {
                let [section, leading] = [*other, *number].map(|number| &reading.sections[number]);
                !section.is_rtp() || section.has_mux() || leading.has_mux()
            };
            let mut taken = self.bundled.iter().filter(|number| is_taken(number));
            may_change && reading.has_transport(*number) && taken.all(has_mux)
        });
        match next {
            Some(next) => {
                self.bundled.retain(|number| *number != next);
                self.bundled.insert(0, next);
            }
            None => self.parts[first] = Part::Kept,
        }
    }

    /// The section that is taken for this.
    pub(super) fn section(&self, role: Role) -> Option<usize> {
        self.parts.iter().position(|part| *part == Part::Taken(role))
    }
}

impl Held {
    /// The section that has this role, where the description still has it.
    fn section(&self, role: Role, reading: &Reading, is_it: impl Fn(Kind) -> bool) -> Option<usize> {
        let (_, number, mid) = self.roles.iter().find(|(held, ..)| *held == role)?;
        let section = reading.sections.get(*number)?;
        let is_same = match (&section.mid, mid) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        (is_same && is_it(section.kind) && reading.is_open(*number)).then_some(*number)
    }
}

/// The first section for sound that has a codec of ours, else the first with any.
fn audio(reading: &Reading, is_allowed: impl Fn(usize) -> bool) -> Option<usize> {
    let allowed: Vec<_> = reading
        .open(|kind| kind == Kind::Audio)
        .filter(|number| is_allowed(*number))
        .collect();
    let codings = |number: usize| &reading.sections[number].codings;
    let mut numbers = allowed.iter().copied();
    let ours = numbers.find(|number| codings(*number).iter().any(|coding| coding.sound().is_some()));
    ours.or_else(|| {
        let mut numbers = allowed.iter().copied();
        numbers.find(|number| !codings(*number).is_empty())
    })
}

fn data(reading: &Reading, is_allowed: impl Fn(usize) -> bool) -> Option<usize> {
    reading
        .open(|kind| matches!(kind, Kind::Data(_)))
        .find(|number| is_allowed(*number) && reading.sections[*number].sctp_port().is_some())
}
