use std::{collections::BTreeMap, time::Duration};

use super::{GpioError, InputLine, Lines, OutputLine, ServoLine, Wake, open};
use crate::{
    config::{Gpio, gpio::Pin},
    control::Part,
};

/// All pins that a configuration names, as far as they can be had. Dropped, outputs are safe and everything is given up.
pub struct Board {
    gpio: Gpio,
    wake: Wake,
    lines: Option<Box<dyn Lines>>,
    outputs: BTreeMap<Part, Box<dyn OutputLine>>,
    inputs: BTreeMap<Part, Box<dyn InputLine>>,
    servos: BTreeMap<usize, Box<dyn ServoLine>>,
}

/// Since when a pin is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// From now on.
    Now,
    /// It was already.
    Before,
}

impl Board {
    /// Takes no pin yet: [`Board::take`] does. `wake` is called when an input may have changed.
    pub fn new(gpio: &Gpio, wake: Wake) -> Self {
        Self {
            gpio: gpio.clone(),
            wake,
            lines: None,
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            servos: BTreeMap::new(),
        }
    }

    /// What drives, where something does.
    pub fn driver(&self) -> Option<&'static str> {
        Some(self.lines.as_ref()?.name())
    }

    /// What hangs on the pins, in the order in which they are to be taken: outputs first, which are safe as soon as can be, then
    /// what is read, and at last servos, which may take a while.
    pub fn parts(&self) -> Vec<Part> {
        parts(&self.gpio).into_iter().map(|(part, _)| part).collect()
    }

    /// Takes a pin that is not taken yet, an output in its safe state.
    ///
    /// # Errors
    /// It can't be had.
    pub fn take(&mut self, part: Part) -> Result<Taken, GpioError> {
        let taken = match part {
            Part::Servo(index) => self.servos.contains_key(&index),
            Part::Privacy | Part::Input(_) => self.inputs.contains_key(&part),
            Part::Status | Part::Tally | Part::Output(_) => self.outputs.contains_key(&part),
        };
        let Some((_, pin)) = parts(&self.gpio).into_iter().find(|(known, _)| *known == part) else {
            return Ok(Taken::Before);
        };
        if taken {
            return Ok(Taken::Before);
        }
        self.open()?;
        let Some(lines) = &self.lines else {
            return Ok(Taken::Before);
        };
        match part {
            Part::Status | Part::Tally | Part::Output(_) => {
                let (safe, inverted) = self.output(part);
                let line = lines.output(&pin, safe != inverted)?;
                self.outputs.insert(part, line);
            }
            Part::Privacy | Part::Input(_) => {
                let pull = match part {
                    Part::Input(index) => self.gpio.inputs[index].pull,
                    _ => self.gpio.privacy.as_ref().map(|pin| pin.pull).unwrap_or_default(),
                };
                let line = lines.input(&pin, pull, self.wake.clone())?;
                self.inputs.insert(part, line);
            }
            Part::Servo(index) => {
                let line = lines.servo(&pin, self.gpio.servos[index].pwm)?;
                self.servos.insert(index, line);
            }
        }
        Ok(Taken::Now)
    }

    /// Takes a pin where that disturbs nobody who has it already, and else looks whether it could be taken. Whether it was taken.
    ///
    /// # Errors
    /// It can't be had.
    pub fn take_gently(&mut self, part: Part) -> Result<bool, GpioError> {
        self.open()?;
        let lines = self.lines.as_ref().filter(|lines| !lines.is_exclusive());
        let Some(lines) = lines else {
            return self.take(part).map(|_| true);
        };
        let all = parts(&self.gpio);
        let pin = all.into_iter().find(|(known, _)| *known == part);
        pin.map_or(Ok(()), |(_, pin)| lines.look(&pin))?;
        Ok(false)
    }

    fn open(&mut self) -> Result<(), GpioError> {
        if self.lines.is_none() {
            self.lines = Some(open(self.gpio.driver, &self.gpio.chip)?);
        }
        Ok(())
    }

    /// Of an output or a light: whether it is on in its safe state, and whether it is on while the pin is low.
    fn output(&self, part: Part) -> (bool, bool) {
        let light = |light: &Option<crate::config::gpio::Light>| {
            (false, light.as_ref().is_some_and(|light| light.active_low))
        };
        match part {
            Part::Status => light(&self.gpio.status),
            Part::Tally => light(&self.gpio.tally),
            Part::Output(index) => {
                let output = self.gpio.outputs.get(index);
                output.map_or((false, false), |output| (output.safe, output.active_low))
            }
            Part::Privacy | Part::Input(_) | Part::Servo(_) => (false, false),
        }
    }

    /// Switches a light or an output. One that was not to be had is passed over.
    ///
    /// # Errors
    /// The chip has gone. The part is given up, and may be taken again.
    pub fn switch(&mut self, part: Part, on: bool) -> Result<(), GpioError> {
        let (_, inverted) = self.output(part);
        let Some(line) = self.outputs.get_mut(&part) else {
            return Ok(());
        };
        line.set(on != inverted).inspect_err(|_| {
            self.outputs.remove(&part);
        })
    }

    /// Turns a servo.
    ///
    /// # Errors
    /// As for [`Board::switch`].
    pub fn turn(&mut self, index: usize, pulse: Duration) -> Result<(), GpioError> {
        let Some(line) = self.servos.get_mut(&index) else {
            return Ok(());
        };
        line.pulse(pulse).inspect_err(|_| {
            self.servos.remove(&index);
        })
    }

    /// A servo stands.
    ///
    /// # Errors
    /// As for [`Board::switch`].
    pub fn rest(&mut self, index: usize) -> Result<(), GpioError> {
        let Some(line) = self.servos.get_mut(&index) else {
            return Ok(());
        };
        line.rest().inspect_err(|_| {
            self.servos.remove(&index);
        })
    }

    /// Whether the contact at each input is closed.
    pub fn contacts(&mut self) -> Vec<(Part, Result<bool, GpioError>)> {
        let gpio = &self.gpio;
        let inverted = |part: &Part| match part {
            Part::Input(index) => gpio.inputs.get(*index).is_some_and(|input| input.active_low),
            _ => gpio.privacy.as_ref().is_some_and(|privacy| privacy.active_low),
        };
        let read = self.inputs.iter_mut().map(|(part, line)| {
            let closed = line.is_high().map(|high| high != inverted(part));
            (*part, closed)
        });
        let read: Vec<_> = read.collect();
        for (part, level) in &read {
            if level.is_err() {
                self.inputs.remove(part);
            }
        }
        read
    }

    /// Makes every output safe and ends every pulse.
    pub fn make_safe(&mut self) {
        let parts: Vec<_> = self.outputs.keys().copied().collect();
        for part in parts {
            let (safe, _) = self.output(part);
            if let Err(error) = self.switch(part, safe) {
                tracing::warn!("not made safe: {error}");
            }
        }
        self.servos.clear();
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.make_safe();
    }
}

fn parts(gpio: &Gpio) -> Vec<(Part, Pin)> {
    let outputs = gpio.outputs.iter().enumerate();
    let outputs = outputs.map(|(index, output)| (Part::Output(index), output.pin.clone()));
    let lights = [(Part::Status, &gpio.status), (Part::Tally, &gpio.tally)];
    let lights = lights
        .into_iter()
        .filter_map(|(part, light)| Some((part, light.as_ref()?.pin.clone())));
    let privacy = gpio
        .privacy
        .iter()
        .map(|privacy| (Part::Privacy, privacy.pin.clone()));
    let inputs = gpio.inputs.iter().enumerate();
    let inputs = inputs.map(|(index, input)| (Part::Input(index), input.pin.clone()));
    let servos = gpio.servos.iter().enumerate();
    let servos = servos.map(|(index, servo)| (Part::Servo(index), servo.pin.clone()));
    outputs
        .chain(lights)
        .chain(privacy)
        .chain(inputs)
        .chain(servos)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_privacy_switch_is_taken_before_what_takes_a_while() {
        let gpio = "servo = [{ name = \"pan\", pin = 12 }]\nprivacy = { pin = 3 }\n\
                    input = [{ name = \"door\", pin = 4 }]\noutput = [{ name = \"light\", pin = 5 }]\ntally = { pin = 6 }";
        let gpio: Gpio = toml::from_str(gpio).expect("valid");
        let order = Board::new(&gpio, Arc::new(|| {})).parts();
        let expected = [
            Part::Output(0),
            Part::Tally,
            Part::Privacy,
            Part::Input(0),
            Part::Servo(0),
        ];
        assert_eq!(order, expected);
    }
}
