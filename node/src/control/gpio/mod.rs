//! Pins: a Raspberry Pi's by its registers ([`rppal`](::rppal)), those of every board through the kernel's character device.
//! Which of the two is asked of the machine, never of a list of boards.

mod board;
mod cdev;
mod chips;
mod pi;
mod pulses;

use std::{sync::Arc, time::Duration};

use crate::config::gpio::{Driver, Pin, Pull, Pwm};

pub use board::{Board, Taken};
pub use chips::{Chip, chips};

/// Called from any thread when the level of an input may have changed.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What is wrong with a pin or with all of them, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    /// The Raspberry Pi's driver can't be used here.
    #[error(
        "this machine can't be driven as a Raspberry Pi: {0}; `driver = \"cdev\"` in [gpio] uses the kernel's character device"
    )]
    NoPi(String),
    /// There is no chip of that name.
    #[error("there is no GPIO chip `{chip}`; {known}")]
    NoChip {
        /// What was asked for.
        chip: String,
        /// What there is.
        known: String,
    },
    /// There is no line of that name.
    #[error(
        "no GPIO chip has a line that is called `{0}`; `pinhole-node devices` lists the chips, `gpioinfo` their lines"
    )]
    NoLine(String),
    /// The chip has fewer lines.
    #[error("there is no pin {pin}: {chip} has {lines}, from 0 on")]
    NoPin {
        /// What was asked for.
        pin: String,
        /// Of which chip.
        chip: String,
        /// How many it has.
        lines: u32,
    },
    /// Another program or driver has it.
    #[error("pin {pin} is taken by `{holder}`; choose another pin, or end what holds it")]
    Taken {
        /// Which.
        pin: String,
        /// Who.
        holder: String,
    },
    /// This user may not.
    #[error("{device} may not be opened by this user; add it to the group `gpio`")]
    Permission {
        /// Which device.
        device: String,
    },
    /// Plain numbers are all that this driver knows.
    #[error(
        "pin `{0}` is named as only the character device knows it; write its BCM number, or `driver = \"cdev\"` in [gpio]"
    )]
    NotANumber(String),
    /// PWM by hardware was asked for, and there is none.
    #[error(
        "pin {pin} has no PWM of its own here: {why}; `pwm = \"auto\"` or \"software\" makes the pulses by a thread"
    )]
    NoPwm {
        /// Which.
        pin: String,
        /// Why.
        why: String,
    },
    /// What the system says.
    #[error("pin {pin}: {why}")]
    Failed {
        /// Which.
        pin: String,
        /// What.
        why: String,
    },
}

/// One way to the pins of this machine.
pub trait Lines: Send {
    /// What drives, in a word: `rppal`, `cdev`.
    fn name(&self) -> &'static str;

    /// Whether nobody else can take a pin that somebody has. Registers obey everybody.
    fn is_exclusive(&self) -> bool;

    /// Whether a pin is there, and nobody has it who is known: without taking it, so that nothing that hangs on it is switched.
    ///
    /// # Errors
    /// There is none such, or somebody else has it.
    fn look(&self, pin: &Pin) -> Result<(), GpioError>;

    /// Takes a pin as an output that has this level from the first moment. Given up, the pin keeps the level where the
    /// hardware lets it.
    ///
    /// # Errors
    /// There is none such, or somebody else has it.
    fn output(&self, pin: &Pin, high: bool) -> Result<Box<dyn OutputLine>, GpioError>;

    /// Takes a pin as an input, and calls `wake` whenever its level may have changed.
    ///
    /// # Errors
    /// There is none such, or somebody else has it.
    fn input(&self, pin: &Pin, pull: Pull, wake: Wake) -> Result<Box<dyn InputLine>, GpioError>;

    /// Takes a pin for a servo's pulses.
    ///
    /// # Errors
    /// There is none such, somebody else has it, or it has no PWM of the kind that is asked for.
    fn servo(&self, pin: &Pin, pwm: Pwm) -> Result<Box<dyn ServoLine>, GpioError>;
}

/// A pin that is driven.
pub trait OutputLine: Send {
    /// Gives it this level.
    ///
    /// # Errors
    /// The chip has gone.
    fn set(&mut self, high: bool) -> Result<(), GpioError>;
}

/// A pin that is read.
pub trait InputLine: Send {
    /// Its level.
    ///
    /// # Errors
    /// The chip has gone.
    fn is_high(&mut self) -> Result<bool, GpioError>;
}

/// A pin with pulses, one in 20 ms.
pub trait ServoLine: Send {
    /// So long from now on.
    ///
    /// # Errors
    /// The chip has gone.
    fn pulse(&mut self, width: Duration) -> Result<(), GpioError>;

    /// The servo stands: pulses that tremble may end.
    ///
    /// # Errors
    /// The chip has gone.
    fn rest(&mut self) -> Result<(), GpioError>;
}

/// What the kernel's lists of lines show as the one who has them, where that is a node.
pub const CONSUMER: &str = "pinhole-node";

/// A servo's frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// The way that a configuration asks for, or that this machine has. `chip` is the one whose lines plain numbers are, where
/// the character device is used.
///
/// # Errors
/// What was asked for is not here.
pub fn open(driver: Driver, chip: &str) -> Result<Box<dyn Lines>, GpioError> {
    match driver {
        Driver::Rppal => Ok(Box::new(pi::Pi::open()?)),
        Driver::Cdev => Ok(Box::new(cdev::CharacterDevice::new(chip))),
        Driver::Auto => match pi::Pi::open() {
            Ok(pi) => Ok(Box::new(pi)),
            Err(error) => {
                tracing::debug!("{error}");
                Ok(Box::new(cdev::CharacterDevice::new(chip)))
            }
        },
    }
}
