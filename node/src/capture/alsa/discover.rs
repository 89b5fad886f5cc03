use alsa::{
    Ctl, Output, PCM,
    card::Iter,
    ctl::DeviceIter,
    pcm::{Access, HwParams},
};
use serde::Serialize;

use super::{names::Direction, samples::SampleFormat};

/// Rates that cards have.
const RATES: [u32; 11] = [
    8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 176_400, 192_000,
];

/// One PCM device of a sound card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// What to write into the configuration: it stays the same however the cards are numbered.
    pub pcm: String,
    /// The card's name.
    pub card: String,
    /// The device's.
    pub name: String,
    /// What it captures.
    pub capture: Option<Ability>,
    /// What it plays.
    pub playback: Option<Ability>,
}

/// What a PCM device can do in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Ability {
    /// It has told.
    Known {
        /// Those of the usual rates that it has.
        rates: Vec<u32>,
        /// The fewest and the most channels.
        channels: (u32, u32),
        /// Those of our formats that it has.
        formats: Vec<&'static str>,
    },
    /// It could not be asked.
    Unknown {
        /// Why.
        error: String,
    },
}

/// Every PCM device of every card that this user may open.
pub fn discover() -> Vec<Card> {
    let _ = Output::local_error_handler();
    let mut found = Vec::new();
    for card in Iter::new().filter_map(Result::ok) {
        let Ok(control) = Ctl::from_card(&card, true) else {
            continue;
        };
        let Ok(info) = control.card_info() else {
            continue;
        };
        let (Ok(id), Ok(card)) = (info.get_id(), info.get_name()) else {
            continue;
        };
        for device in DeviceIter::new(&control).filter_map(|device| u32::try_from(device).ok()) {
            let pcm = format!("hw:CARD={id},DEV={device}");
            let described = [Direction::Capture, Direction::Playback]
                .map(|direction| Some((control.pcm_info(device, 0, direction).ok()?, direction)));
            let name = described.iter().flatten().next();
            let name = name
                .and_then(|(info, _)| info.get_name().ok())
                .unwrap_or_default();
            let name = name.to_owned();
            let [capture, playback] =
                described.map(|known| known.map(|(_, direction)| ability(&pcm, direction)));
            found.push(Card {
                card: card.to_owned(),
                name,
                capture,
                playback,
                pcm,
            });
        }
    }
    found
}

fn ability(name: &str, direction: Direction) -> Ability {
    ask(name, direction).unwrap_or_else(|error| Ability::Unknown {
        error: super::open::failure(name, "open", error).to_string(),
    })
}

fn ask(name: &str, direction: Direction) -> alsa::Result<Ability> {
    let pcm = PCM::new(name, direction, true)?;
    let parameters = HwParams::any(&pcm)?;
    parameters.set_access(Access::RWInterleaved)?;
    let rates = RATES
        .into_iter()
        .filter(|rate| parameters.test_rate(*rate).is_ok());
    let formats = SampleFormat::ALL
        .into_iter()
        .filter(|format| parameters.test_format(format.alsa()).is_ok());
    Ok(Ability::Known {
        rates: rates.collect(),
        channels: (parameters.get_channels_min()?, parameters.get_channels_max()?),
        formats: formats.map(SampleFormat::name).collect(),
    })
}
