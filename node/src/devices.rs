//! `pinhole-node devices`: what this machine has.

use std::fmt;

use serde::Serialize;

use crate::{
    capture::{
        alsa::{Ability, Card, discover as sound_cards},
        v4l2::{self, Description, Found, Input, State},
    },
    control::gpio::{self, Chip},
    encode::{
        self,
        m2m::{self, CodedFormat},
    },
    media::Codec,
};

/// The cameras, sound cards, encoders and GPIO chips of a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Devices {
    /// In the order of their numbers: `device = "auto"` takes the first that opens.
    pub cameras: Vec<Camera>,
    /// Every PCM device of every sound card.
    pub sound: Vec<Card>,
    /// Those in hardware, and those that every machine has.
    pub encoders: Vec<Encoder>,
    /// What the pins of `[gpio]` are lines of.
    pub gpio_chips: Vec<Chip>,
}

/// A camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Camera {
    /// What and where it is.
    #[serde(flatten)]
    pub found: Found,
    /// What it offers, or why that is not known.
    #[serde(flatten)]
    pub offers: Offers,
}

/// What a camera offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Offers {
    /// It has told.
    Known(Description),
    /// It could not be asked.
    Unknown {
        /// Why.
        error: String,
    },
}

/// An encoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Encoder {
    /// What it is called.
    pub name: String,
    /// What it makes.
    pub codec: String,
    /// Where it is and what it takes, where it is hardware.
    #[serde(flatten)]
    pub hardware: Option<m2m::Description>,
}

impl Devices {
    /// Looks what there is now. Devices that this user may not open are left out.
    pub fn find() -> Self {
        let describe = |found: Found| Camera {
            offers: match v4l2::describe(&found) {
                Ok(description) => Offers::Known(description),
                Err(error) => Offers::Unknown {
                    error: error.to_string(),
                },
            },
            found,
        };
        let hardware = |found: m2m::Found| Encoder {
            name: found.card.clone(),
            codec: Codec::H264.to_string(),
            hardware: Some(found.describe()),
        };
        let software = |(name, codec): (&str, Codec)| Encoder {
            name: name.to_owned(),
            codec: codec.to_string(),
            hardware: None,
        };
        let in_hardware = m2m::discover(CodedFormat::H264).into_iter().map(hardware);
        Self {
            cameras: v4l2::discover().into_iter().map(describe).collect(),
            sound: sound_cards(),
            encoders: in_hardware
                .chain(encode::SOFTWARE.into_iter().map(software))
                .collect(),
            gpio_chips: gpio::chips(),
        }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cameras")?;
        if self.cameras.is_empty() {
            writeln!(
                f,
                "  none: nothing under /dev/video* captures pictures, or this user may not open it (group `video`)"
            )?;
            writeln!(
                f,
                "  a camera that only libcamera knows, as a Raspberry Pi's on a ribbon cable, is read by a command: see `device` in \
                 node.toml"
            )?;
        }
        for camera in &self.cameras {
            camera.fmt(f)?;
        }
        writeln!(f, "sound cards")?;
        if self.sound.is_empty() {
            writeln!(f, "  none, or this user may not open them (group `audio`)")?;
        }
        for card in &self.sound {
            sound(card, f)?;
        }
        writeln!(f, "encoders")?;
        for encoder in &self.encoders {
            encoder.fmt(f)?;
        }
        writeln!(f, "GPIO chips")?;
        if self.gpio_chips.is_empty() {
            writeln!(
                f,
                "  none: there is no /dev/gpiochip*, or this user may not open it (group `gpio`)"
            )?;
        }
        for chip in &self.gpio_chips {
            writeln!(f, "  {}  {chip}", chip.path.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            codec,
            hardware,
        } = self;
        let Some(m2m::Description {
            path,
            driver,
            bus,
            inputs,
            smallest,
            largest,
        }) = hardware
        else {
            return writeln!(f, "  {name}  {codec}, in software");
        };
        writeln!(
            f,
            "  {}  {name}  ({driver}, {bus})  {codec}, in hardware",
            path.display()
        )?;
        writeln!(
            f,
            "    {smallest} to {largest}, {} as they are",
            inputs.join(", ")
        )
    }
}

fn sound(card: &Card, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "  {}  {}  ({})", card.pcm, card.card, card.name)?;
    for (what, ability) in [("captures", &card.capture), ("plays", &card.playback)] {
        match ability {
            None => {}
            Some(Ability::Unknown { error }) => writeln!(f, "    {what}: {error}")?,
            Some(Ability::Known {
                rates,
                channels: (least, most),
                formats,
            }) => {
                let rates: Vec<_> = rates.iter().map(u32::to_string).collect();
                let channels = if least == most {
                    least.to_string()
                } else {
                    format!("{least} to {most}")
                };
                writeln!(
                    f,
                    "    {what}: {} Hz, channels: {channels}, {}",
                    rates.join(", "),
                    formats.join(", ")
                )?;
            }
        }
    }
    Ok(())
}

impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found {
            path,
            card,
            driver,
            bus,
        } = &self.found;
        writeln!(f, "  {}  {card}  ({driver}, {bus})", path.display())?;
        let description = match &self.offers {
            Offers::Known(description) => description,
            Offers::Unknown { error } => return writeln!(f, "    {error}"),
        };
        for name in &description.names {
            writeln!(f, "    {}", name.display())?;
        }
        inputs(&description.inputs, f)?;
        for format in description.formats.iter().filter(|format| format.usable) {
            // Each size with the most that it can do; a program gets all rates (JSON).
            let sizes: Vec<_> = format
                .sizes
                .iter()
                .map(|size| match size.fps.first() {
                    Some(fastest) => format!("{} at {fastest}", size.size),
                    None => size.size.clone(),
                })
                .collect();
            let sizes = match sizes.as_slice() {
                [] => "any size, as far as the driver tells".to_owned(),
                sizes => format!("{} fps", sizes.join(", ")),
            };
            writeln!(f, "    {}: {sizes}", format.fourcc)?;
        }
        let unusable = description.formats.iter().filter(|format| !format.usable);
        let unusable: Vec<_> = unusable.map(|format| format.fourcc.as_str()).collect();
        if !unusable.is_empty() {
            writeln!(f, "    not usable here: {}", unusable.join(", "))?;
        }
        if !description.controls.is_empty() {
            writeln!(f, "    controls")?;
        }
        for control in &description.controls {
            let value = control
                .value
                .map(|value| format!("{value}, "))
                .unwrap_or_default();
            let step = match control.step {
                0 | 1 => String::new(),
                step => format!(" in steps of {step}"),
            };
            writeln!(
                f,
                "      {} = {value}{} to {}{step}, default {}{}",
                control.name,
                control.minimum,
                control.maximum,
                control.default,
                if control.inactive {
                    "; inactive, as another control sets it"
                } else {
                    ""
                }
            )?;
        }
        Ok(())
    }
}

/// Where there is something to choose or to know: the one input of a webcam is neither.
fn inputs(inputs: &[Input], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if inputs.len() == 1 && inputs[0].hdmi.is_none() {
        return Ok(());
    }
    for input in inputs {
        let Input {
            number,
            name,
            selected,
            hdmi,
        } = input;
        write!(f, "    input {number}, {name}")?;
        if inputs.len() > 1 && *selected {
            write!(f, " (selected)")?;
        }
        if let Some(hdmi) = hdmi {
            match &hdmi.state {
                State::Signal { timings } => write!(f, ": signal {timings}")?,
                State::NoSignal => write!(f, ": no signal")?,
                State::NotStable => write!(f, ": a signal that is not stable")?,
                State::OutOfRange => write!(f, ": a signal that is out of range")?,
                State::Unknown if *selected => write!(f, ": it can't be told whether there is a signal")?,
                State::Unknown => write!(f, ": its signal is known when it is selected")?,
            }
            if hdmi.edid_blocks == Some(0) {
                write!(f, "; no EDID, so no source sends")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::v4l2::Hdmi;

    fn devices(offers: Offers) -> Devices {
        Devices {
            cameras: vec![Camera {
                found: Found {
                    path: "/dev/video0".into(),
                    card: "Eye".to_owned(),
                    driver: "uvcvideo".to_owned(),
                    bus: "usb-1".to_owned(),
                },
                offers,
            }],
            sound: vec![Card {
                pcm: "hw:CARD=C920,DEV=0".to_owned(),
                card: "HD Webcam".to_owned(),
                name: "USB Audio".to_owned(),
                capture: Some(Ability::Known {
                    rates: vec![16_000, 48_000],
                    channels: (2, 2),
                    formats: vec!["S16_LE"],
                }),
                playback: None,
            }],
            encoders: Vec::new(),
            gpio_chips: vec![Chip {
                name: "gpiochip0".to_owned(),
                label: "pinctrl-bcm2835".to_owned(),
                lines: 54,
                path: "/dev/gpiochip0".into(),
            }],
        }
    }

    #[test]
    fn a_camera_that_can_not_be_asked_is_listed_with_the_reason() {
        let error = "not allowed to open it".to_owned();
        let devices = devices(Offers::Unknown { error });
        assert!(devices.to_string().contains("/dev/video0  Eye"), "{devices}");
        assert!(devices.to_string().contains("not allowed"), "{devices}");
        let json = serde_json::to_value(&devices).expect("plain data");
        assert_eq!(json["cameras"][0]["path"], "/dev/video0");
        assert_eq!(json["cameras"][0]["error"], "not allowed to open it");
    }

    #[test]
    fn inputs_are_listed_where_there_is_something_to_know() {
        let hdmi = |state, edid_blocks| Some(Hdmi { state, edid_blocks });
        let input = |number, selected, hdmi| Input {
            number,
            name: format!("Port {number}"),
            selected,
            hdmi,
        };
        let signal = || State::Signal {
            timings: "1920x1080 30 fps".to_owned(),
        };
        for (inputs, expected) in [
            (vec![input(0, true, None)], vec![]),
            (
                vec![input(0, true, hdmi(signal(), Some(2)))],
                vec!["    input 0, Port 0: signal 1920x1080 30 fps"],
            ),
            (
                vec![input(0, true, hdmi(State::NoSignal, Some(0)))],
                vec!["    input 0, Port 0: no signal; no EDID, so no source sends"],
            ),
            (
                vec![input(0, true, None), input(1, false, hdmi(State::Unknown, None))],
                vec![
                    "    input 0, Port 0 (selected)",
                    "    input 1, Port 1: its signal is known when it is selected",
                ],
            ),
        ] {
            let devices = devices(Offers::Known(Description {
                names: Vec::new(),
                inputs,
                formats: Vec::new(),
                controls: Vec::new(),
            }));
            let text = devices.to_string();
            let listed: Vec<_> = text.lines().filter(|line| line.contains("input ")).collect();
            assert_eq!(listed, expected, "{text}");
        }
    }

    #[test]
    fn a_program_gets_the_signal_with_its_state() {
        let hdmi = Hdmi {
            state: State::Signal {
                timings: "1280x720 60 fps".to_owned(),
            },
            edid_blocks: Some(2),
        };
        let json = serde_json::to_value(&hdmi).expect("plain data");
        let expected = serde_json::json!({"state": "signal", "timings": "1280x720 60 fps", "edid_blocks": 2});
        assert_eq!(json, expected);
        let none = Hdmi {
            state: State::NoSignal,
            edid_blocks: None,
        };
        assert_eq!(
            serde_json::to_value(&none).expect("plain data")["state"],
            "no_signal"
        );
    }

    #[test]
    fn an_encoder_in_hardware_is_listed_with_what_it_takes() {
        let mut devices = devices(Offers::Unknown { error: String::new() });
        devices.encoders.push(Encoder {
            name: "an encoder".to_owned(),
            codec: Codec::H264.to_string(),
            hardware: Some(m2m::Description {
                path: "/dev/video11".into(),
                driver: "some-codec".to_owned(),
                bus: "platform:some".to_owned(),
                inputs: vec!["NV12".to_owned(), "YUYV".to_owned()],
                smallest: "32x32".to_owned(),
                largest: "1920x1920".to_owned(),
            }),
        });
        let text = devices.to_string();
        assert!(
            text.contains("/dev/video11  an encoder  (some-codec, platform:some)  H.264, in hardware"),
            "{text}"
        );
        assert!(
            text.contains("32x32 to 1920x1920, NV12, YUYV as they are"),
            "{text}"
        );
        let json = serde_json::to_value(&devices).expect("plain data");
        assert_eq!(json["encoders"][0]["path"], "/dev/video11");
    }

    #[test]
    fn a_sound_card_is_listed_with_what_to_write_into_the_configuration() {
        let devices = devices(Offers::Unknown { error: String::new() });
        let text = devices.to_string();
        for line in [
            "  hw:CARD=C920,DEV=0  HD Webcam  (USB Audio)\n",
            "    captures: 16000, 48000 Hz, channels: 2, S16_LE\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("plays"), "{text}");
        let json = serde_json::to_value(&devices).expect("plain data");
        assert_eq!(json["sound"][0]["capture"]["rates"][1], 48_000);
    }

    #[test]
    fn without_a_camera_it_says_what_may_be_wrong() {
        let mut none = devices(Offers::Unknown { error: String::new() });
        none.cameras.clear();
        assert!(none.to_string().contains("group `video`"), "{none}");
    }
}
