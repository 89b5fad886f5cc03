use alsa::{Ctl, card::Card, ctl::DeviceIter};

pub use alsa::Direction;

/// A PCM device of a card, with what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The card's number, as of now.
    pub(super) index: i32,
    /// Its short name, which is there once only: `C920`.
    pub(super) id: String,
    /// Its name: `HD Pro Webcam C920`.
    pub(super) name: String,
    /// Where it is: `HD Pro Webcam C920 at usb-…`.
    pub(super) long_name: String,
    /// Its first PCM device in the direction asked for.
    pub(super) device: u32,
}

/// The names of the PCMs to try for a `device` of the configuration, in this order.
///
/// `default` is ALSA's own where it opens, and the first card otherwise: what ALSA takes without any configuration is card 0, which
/// on many boards has no microphone.
pub(super) fn candidates(device: &str, direction: Direction) -> Vec<String> {
    choose(device, &known(direction))
}

fn choose(device: &str, known: &[Known]) -> Vec<String> {
    let pcm = |card: &Known| format!("hw:CARD={},DEV={}", card.id, card.device);
    if device == "default" {
        return ["default".to_owned()]
            .into_iter()
            .chain(known.iter().map(pcm))
            .collect();
    }
    if device.contains(':') {
        return vec![device.to_owned()];
    }
    let wanted = device.to_lowercase();
    let is_number = |card: &&Known| device.parse() == Ok(card.index);
    let is_id = |card: &&Known| card.id.to_lowercase() == wanted;
    let has_part = |card: &&Known| {
        [&card.name, &card.long_name]
            .iter()
            .any(|name| name.to_lowercase().contains(&wanted))
    };
    let card = known
        .iter()
        .find(is_number)
        .or_else(|| known.iter().find(is_id))
        .or_else(|| known.iter().find(has_part));
    // A PCM of asound.conf may have any name.
    vec![card.map_or_else(|| device.to_owned(), pcm)]
}

/// The cards that have a device in this direction.
pub(super) fn known(direction: Direction) -> Vec<Known> {
    alsa::card::Iter::new()
        .filter_map(Result::ok)
        .filter_map(|card| describe(&card, direction))
        .collect()
}

fn describe(card: &Card, direction: Direction) -> Option<Known> {
    let control = Ctl::from_card(card, true).ok()?;
    let info = control.card_info().ok()?;
    let device = DeviceIter::new(&control)
        .filter_map(|device| u32::try_from(device).ok())
        .find(|device| control.pcm_info(*device, 0, direction).is_ok())?;
    Some(Known {
        index: card.get_index(),
        id: info.get_id().ok()?.to_owned(),
        name: info.get_name().ok()?.to_owned(),
        long_name: info.get_longname().ok()?.to_owned(),
        device,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(index: i32, id: &str, name: &str) -> Known {
        Known {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            long_name: format!("{name} at usb-1.{index}"),
            device: 0,
        }
    }

    #[test]
    fn a_device_is_found_by_what_people_call_it() {
        let known = [
            card(1, "C920", "HD Pro Webcam C920"),
            card(2, "Device", "USB PnP Sound Device"),
        ];
        for (device, expected) in [
            (
                "default",
                &["default", "hw:CARD=C920,DEV=0", "hw:CARD=Device,DEV=0"][..],
            ),
            ("1", &["hw:CARD=C920,DEV=0"]),
            ("device", &["hw:CARD=Device,DEV=0"]),
            ("webcam", &["hw:CARD=C920,DEV=0"]),
            ("usb-1.2", &["hw:CARD=Device,DEV=0"]),
            ("hw:1,0", &["hw:1,0"]),
            ("plughw:CARD=C920", &["plughw:CARD=C920"]),
            ("porch_microphone", &["porch_microphone"]),
            ("7", &["7"]),
        ] {
            assert_eq!(choose(device, &known), expected, "{device}");
        }
    }
}
