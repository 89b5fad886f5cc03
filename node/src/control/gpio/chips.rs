use std::{
    fmt,
    path::{Path, PathBuf},
};

use gpiocdev::chip;
use serde::Serialize;

use super::GpioError;
use crate::config::gpio::Pin;

/// A GPIO chip of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// `gpiochip0`
    pub name: String,
    /// What its driver calls it.
    pub label: String,
    /// How many it has.
    pub lines: u32,
    /// Its device node.
    pub path: PathBuf,
}

/// The chips that this user may open, in the order of their numbers.
pub fn chips() -> Vec<Chip> {
    // None at all is an error of the library.
    let paths = chip::chips().unwrap_or_default();
    let describe = |path: PathBuf| {
        let info = chip::Chip::from_path(&path).ok()?.info().ok()?;
        Some(Chip {
            name: info.name,
            label: info.label,
            lines: info.num_lines,
            path,
        })
    };
    paths.into_iter().filter_map(describe).collect()
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {} lines)", self.name, self.label, self.lines)
    }
}

/// A line of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chip: PathBuf,
    pub(super) line: u32,
    /// How the configuration calls it.
    pub(super) pin: String,
}

impl Place {
    /// Where `pin` is, where plain numbers are lines of `usual`.
    pub(super) fn of(pin: &Pin, usual: &str) -> Result<Self, GpioError> {
        let (chip, line) = match pin {
            Pin::Number(line) => (usual, *line),
            Pin::OfChip(chip, line) => (chip.as_str(), *line),
            Pin::Named(name) => {
                let found = gpiocdev::find_named_line(name).ok_or_else(|| GpioError::NoLine(name.clone()))?;
                return Ok(Self {
                    chip: found.chip,
                    line: found.info.offset,
                    pin: pin.to_string(),
                });
            }
        };
        let chips = chips();
        let Some(found) = chips
            .iter()
            .find(|known| known.name == chip || known.label == chip || known.path == Path::new(chip))
        else {
            return Err(no_chip(chip, &chips));
        };
        if line >= found.lines {
            return Err(GpioError::NoPin {
                pin: pin.to_string(),
                chip: found.name.clone(),
                lines: found.lines,
            });
        }
        Ok(Self {
            chip: found.path.clone(),
            line,
            pin: pin.to_string(),
        })
    }

    /// Who has it.
    pub(super) fn holder(&self) -> Option<String> {
        let info = chip::Chip::from_path(&self.chip)
            .ok()?
            .line_info(self.line)
            .ok()?;
        info.used.then(|| {
            if info.consumer.is_empty() {
                "the kernel".to_owned()
            } else {
                info.consumer
            }
        })
    }

    pub(super) fn error(&self, why: &dyn fmt::Display) -> GpioError {
        GpioError::Failed {
            pin: self.pin.clone(),
            why: why.to_string(),
        }
    }
}

fn no_chip(chip: &str, known: &[Chip]) -> GpioError {
    let device = format!("/dev/{chip}");
    if known.is_empty() && Path::new(&device).exists() {
        return GpioError::Permission { device };
    }
    let known: Vec<_> = known.iter().map(Chip::to_string).collect();
    GpioError::NoChip {
        chip: chip.to_owned(),
        known: if known.is_empty() {
            "this machine has none that this user may open".to_owned()
        } else {
            format!("there is {}", known.join(", "))
        },
    }
}
