//! A Raspberry Pi's pins, by BCM number, through rppal: registers for outputs and levels, the kernel for edges.

use std::time::Duration;

use rppal::{
    gpio::{self, Gpio, InputPin, Mode, OutputPin, Trigger},
    pwm::{self, Channel, Polarity, Pwm as HardwarePwm},
    system::{DeviceInfo, SoC},
};

use super::{
    FRAME, GpioError, InputLine, Lines, OutputLine, ServoLine, Wake,
    chips::{Place, chips},
};
use crate::config::gpio::{Pin, Pull, Pwm};

/// Pins of a Raspberry Pi.
pub(super) struct Pi {
    gpio: Gpio,
    soc: SoC,
    /// The kernel's name of the same pins.
    chip: Option<String>,
}

/// What the labels of the chip with the header's pins begin with.
const LABELS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

impl Pi {
    /// # Errors
    /// This is none, or its registers can't be reached.
    pub(super) fn open() -> Result<Self, GpioError> {
        let no_pi = |error: &dyn std::fmt::Display| GpioError::NoPi(error.to_string());
        let info = DeviceInfo::new().map_err(|error| no_pi(&error))?;
        let gpio = Gpio::new().map_err(|error| no_pi(&error))?;
        let known = |label: &str| LABELS.iter().any(|start| label.starts_with(start));
        let chip = chips().into_iter().find(|chip| known(&chip.label));
        Ok(Self {
            gpio,
            soc: info.soc(),
            chip: chip.map(|chip| chip.name),
        })
    }

    fn take(&self, pin: &Pin) -> Result<gpio::Pin, GpioError> {
        let Pin::Number(number) = pin else {
            return Err(GpioError::NotANumber(pin.to_string()));
        };
        // Registers don't know who else uses them. The kernel does.
        if let Some(chip) = &self.chip
            && let Ok(place) = Place::of(pin, chip)
            && let Some(holder) = place.holder()
        {
            return Err(GpioError::Taken {
                pin: pin.to_string(),
                holder,
            });
        }
        let number = u8::try_from(*number).unwrap_or(u8::MAX);
        self.gpio.get(number).map_err(|error| failed(pin, &error))
    }

    /// The channel of the PWM hardware that is switched to this pin now.
    fn channel(&self, pin: &Pin, mode: Mode) -> Result<Channel, String> {
        let Pin::Number(number) = pin else {
            return Err("its number is not known".to_owned());
        };
        let (channel, function) = channel_of(*number, self.soc == SoC::Bcm2712)
            .ok_or("the PWM hardware reaches GPIO 12, 13, 18 and 19 only")?;
        if mode != function {
            return Err(format!(
                "it is switched to {mode}; `dtoverlay=pwm-2chan` (docs/control.md) switches it to the PWM hardware"
            ));
        }
        Ok(channel)
    }
}

/// The PWM hardware's channel of a pin, and the function that connects the two (BCM2835 ARM Peripherals, section 6.2; RP1
/// Peripherals, section 3.1.1).
fn channel_of(pin: u32, is_rp1: bool) -> Option<(Channel, Mode)> {
    Some(match (pin, is_rp1) {
        (12, _) => (Channel::Pwm0, Mode::Alt0),
        (13, _) => (Channel::Pwm1, Mode::Alt0),
        (18, false) => (Channel::Pwm0, Mode::Alt5),
        (19, false) => (Channel::Pwm1, Mode::Alt5),
        (18, true) => (Channel::Pwm2, Mode::Alt3),
        (19, true) => (Channel::Pwm3, Mode::Alt3),
        _ => return None,
    })
}

impl Lines for Pi {
    fn name(&self) -> &'static str {
        "rppal"
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn look(&self, pin: &Pin) -> Result<(), GpioError> {
        // It is given back as it was: nobody has told it to be anything.
        self.take(pin).map(drop)
    }

    fn output(&self, pin: &Pin, high: bool) -> Result<Box<dyn OutputLine>, GpioError> {
        let taken = self.take(pin)?;
        // The level before the direction: no glitch.
        let mut line = if high {
            taken.into_output_high()
        } else {
            taken.into_output_low()
        };
        // A safe state that is given up with the pin would be none.
        line.set_reset_on_drop(false);
        Ok(Box::new(Driven(line)))
    }

    fn input(&self, pin: &Pin, pull: Pull, wake: Wake) -> Result<Box<dyn InputLine>, GpioError> {
        let taken = self.take(pin)?;
        let mut line = match pull {
            Pull::None => taken.into_input(),
            Pull::Up => taken.into_input_pullup(),
            Pull::Down => taken.into_input_pulldown(),
        };
        line.set_async_interrupt(Trigger::Both, None, move |_| wake())
            .map_err(|error| failed(pin, &error))?;
        Ok(Box::new(Read(line)))
    }

    fn servo(&self, pin: &Pin, pwm: Pwm) -> Result<Box<dyn ServoLine>, GpioError> {
        let taken = self.take(pin)?;
        if pwm != Pwm::Software {
            let hardware = self
                .channel(pin, taken.mode())
                .and_then(|channel| Hardware::open(pin, channel));
            match hardware {
                Ok(hardware) => return Ok(Box::new(hardware)),
                Err(why) if pwm == Pwm::Hardware => {
                    return Err(GpioError::NoPwm {
                        pin: pin.to_string(),
                        why,
                    });
                }
                Err(why) => tracing::info!(
                    "pin {pin}: the servo's pulses are made by a thread, and tremble a little: {why}"
                ),
            }
        }
        let mut line = taken.into_output_low();
        line.set_reset_on_drop(false);
        Ok(Box::new(Software {
            line,
            pin: pin.clone(),
        }))
    }
}

fn failed(pin: &Pin, error: &dyn std::fmt::Display) -> GpioError {
    GpioError::Failed {
        pin: pin.to_string(),
        why: error.to_string(),
    }
}

struct Driven(OutputPin);

impl OutputLine for Driven {
    fn set(&mut self, high: bool) -> Result<(), GpioError> {
        self.0.write(high.into());
        Ok(())
    }
}

struct Read(InputPin);

impl InputLine for Read {
    fn is_high(&mut self) -> Result<bool, GpioError> {
        Ok(self.0.is_high())
    }
}

/// Pulses that rppal's thread makes.
struct Software {
    line: OutputPin,
    pin: Pin,
}

impl ServoLine for Software {
    fn pulse(&mut self, width: Duration) -> Result<(), GpioError> {
        self.line
            .set_pwm(FRAME, width)
            .map_err(|error| failed(&self.pin, &error))
    }

    fn rest(&mut self) -> Result<(), GpioError> {
        let outcome = self.line.clear_pwm().map_err(|error| failed(&self.pin, &error));
        self.line.set_low();
        outcome
    }
}

/// Pulses that the hardware makes: steady, and for nothing, so that they go on while the servo stands.
struct Hardware {
    pwm: HardwarePwm,
    pin: Pin,
}

impl Hardware {
    fn open(pin: &Pin, channel: Channel) -> Result<Self, String> {
        let words = |error: pwm::Error| error.to_string();
        let pwm = HardwarePwm::with_period(channel, FRAME, Duration::ZERO, Polarity::Normal, true);
        Ok(Self {
            pwm: pwm.map_err(words)?,
            pin: pin.clone(),
        })
    }
}

impl ServoLine for Hardware {
    fn pulse(&mut self, width: Duration) -> Result<(), GpioError> {
        self.pwm
            .set_pulse_width(width)
            .map_err(|error| failed(&self.pin, &error))
    }

    fn rest(&mut self) -> Result<(), GpioError> {
        Ok(())
    }
}
