use super::connection::OPUS;

/// What a viewer's first offer has sections for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer::bench) enum Wants {
    Video,
    /// A desktop without a camera: video is for the node to offer.
    Sound,
    Both,
}

/// What may be in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer::bench) enum Media {
    Picture,
    Sound,
}

impl Wants {
    /// Whether there is a section for it.
    pub(in crate::peer::bench) fn has(self, media: Media) -> bool {
        match media {
            Media::Picture => self != Self::Sound,
            Media::Sound => self != Self::Video,
        }
    }
}

impl Media {
    /// What a payload type stands for.
    pub(super) fn of(payload_type: u8) -> Self {
        if payload_type == OPUS {
            Self::Sound
        } else {
            Self::Picture
        }
    }
}
