//! Which card a name means.

use alsa::{Ctl, Direction, card, ctl::DeviceIter};

use super::hardware;

/// A card that can play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// ALSA's short name: `Device`.
    pub(super) id: String,
    /// The maker's: `USB Audio Device`.
    pub(super) name: String,
    /// Its first PCM for playing.
    pub(super) device: u32,
}

/// Every card that can play. One that goes away meanwhile is none.
pub(super) fn cards() -> Vec<Card> {
    let found = card::Iter::new().flatten().filter_map(|card| {
        let ctl = Ctl::from_card(&card, false).ok()?;
        let info = ctl.card_info().ok()?;
        let device = DeviceIter::new(&ctl)
            .filter_map(|device| u32::try_from(device).ok())
            .find(|device| ctl.pcm_info(*device, 0, Direction::Playback).is_ok())?;
        Some(Card {
            id: info.get_id().ok()?.to_owned(),
            name: info.get_name().ok()?.to_owned(),
            device,
        })
    });
    found.collect()
}

/// The PCM that `device` means: itself where it is no card's name.
pub(super) fn named(device: &str, cards: &[Card]) -> String {
    // A PCM with arguments, or the one that everybody has.
    if device.contains(':') || device == "default" {
        return device.to_owned();
    }
    let wanted = device.to_lowercase();
    let exactly = |card: &&Card| card.id.to_lowercase() == wanted || card.name.to_lowercase() == wanted;
    let partly =
        |card: &&Card| card.id.to_lowercase().contains(&wanted) || card.name.to_lowercase().contains(&wanted);
    let card = cards.iter().find(exactly).or_else(|| cards.iter().find(partly));
    card.map_or_else(|| device.to_owned(), |card| hardware(&card.id, card.device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_found_by_its_name_or_a_part_of_it() {
        let card = |id: &str, name: &str, device| Card {
            id: id.to_owned(),
            name: name.to_owned(),
            device,
        };
        let cards = [
            card("vc4hdmi", "vc4-hdmi", 0),
            card("Device", "USB Audio Device", 0),
            card("Device_1", "Jabra SPEAK 510 USB", 1),
        ];
        for (written, meant) in [
            ("default", "default"),
            ("hw:1,0", "hw:1,0"),
            ("Device", "hw:CARD=Device,DEV=0"),
            ("device_1", "hw:CARD=Device_1,DEV=1"),
            ("usb audio device", "hw:CARD=Device,DEV=0"),
            ("jabra", "hw:CARD=Device_1,DEV=1"),
            ("hdmi", "hw:CARD=vc4hdmi,DEV=0"),
            ("kitchen", "kitchen"),
        ] {
            assert_eq!(named(written, &cards), meant, "{written}");
        }
    }
}
