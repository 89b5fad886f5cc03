//! `[gpio]`.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use pinhole_service::config::{ConfigError, Objection, Source, or_default};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `[gpio]`: what hangs on the board's pins.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gpio {
    /// Through what the pins are driven.
    pub driver: Driver,
    /// The chip that plain numbers are lines of, for the character device: its name or its label.
    pub chip: String,
    /// The light that tells how the node is.
    pub status: Option<Light>,
    /// The light that is on while somebody can see or hear.
    pub tally: Option<Light>,
    /// The switch or button that stops picture and sound.
    pub privacy: Option<PrivacyPin>,
    /// What viewers may switch.
    #[serde(rename = "output")]
    pub outputs: Vec<Output>,
    /// What is told to viewers.
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
    /// What viewers may turn.
    #[serde(rename = "servo")]
    pub servos: Vec<Servo>,
}

/// Through what pins are driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// `rppal` on a Raspberry Pi that it knows, the character device elsewhere.
    #[default]
    Auto,
    /// The registers of a Raspberry Pi.
    Rppal,
    /// The kernel's character device.
    Cdev,
}

/// Which line of which chip.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pin {
    /// A Raspberry Pi's BCM number; for the character device a line of the usual chip.
    Number(u32),
    /// A line of a chip, which is named as `gpiochip1` or by its label.
    OfChip(String, u32),
    /// The line that the board gives this name.
    Named(String),
}

/// A light.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Light {
    /// Where it hangs.
    pub pin: Pin,
    /// Whether it shines while the pin is low.
    #[serde(default)]
    pub active_low: bool,
}

/// `[gpio.privacy]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyPin {
    /// Where it hangs.
    pub pin: Pin,
    /// How it is used.
    #[serde(default)]
    pub kind: PrivacyKind,
    /// Whether it is closed while the pin is low: a contact to ground.
    #[serde(default = "yes")]
    pub active_low: bool,
    /// The resistor that holds the pin while the contact is open.
    #[serde(default = "up")]
    pub pull: Pull,
    /// How long the contact has to rest until it counts as open.
    #[serde(
        default = "debounce",
        rename = "debounce_ms",
        deserialize_with = "milliseconds",
        serialize_with = "as_milliseconds"
    )]
    pub debounce: Duration,
}

/// How the privacy contact is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrivacyKind {
    /// Private while it is closed.
    #[default]
    Switch,
    /// Private from one press to the next.
    Button,
}

/// The resistor inside the board that holds an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// None.
    #[default]
    None,
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// `[[gpio.output]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What viewers call it.
    pub name: PartName,
    /// Where it hangs.
    pub pin: Pin,
    /// Whether it stays as it was set.
    #[serde(default)]
    pub kind: OutputKind,
    /// What it is at the start, at the end, and whenever nobody answers for it.
    #[serde(default, deserialize_with = "on_or_off", serialize_with = "as_on_or_off")]
    pub safe: bool,
    /// Whether it is on while the pin is low.
    #[serde(default)]
    pub active_low: bool,
}

/// Whether an output stays as it was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Yes.
    #[default]
    Latching,
    /// No: it is on while somebody holds it.
    Momentary,
}

/// `[[gpio.input]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What viewers call it.
    pub name: PartName,
    /// Where it hangs.
    pub pin: Pin,
    /// The resistor that holds the pin.
    #[serde(default)]
    pub pull: Pull,
    /// Whether it is on while the pin is low.
    #[serde(default)]
    pub active_low: bool,
    /// How long a level has to stand until it counts.
    #[serde(
        default = "debounce",
        rename = "debounce_ms",
        deserialize_with = "milliseconds",
        serialize_with = "as_milliseconds"
    )]
    pub debounce: Duration,
}

/// `[[gpio.servo]]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Servo {
    /// What viewers call it; the page has a pad for `pan` and `tilt`.
    pub name: PartName,
    /// Where its signal hangs.
    pub pin: Pin,
    /// What makes the pulses.
    #[serde(default)]
    pub pwm: Pwm,
    /// How far it may turn one way, in degrees.
    #[serde(default = "left")]
    pub min: f64,
    /// How far it may turn the other way, in degrees.
    #[serde(default = "right")]
    pub max: f64,
    /// Where it stands at the start, in degrees.
    #[serde(default)]
    pub centre: f64,
    /// The pulse for `min`, in microseconds.
    #[serde(default = "short")]
    pub pulse_min_us: u32,
    /// The pulse for `max`, in microseconds; less than `pulse_min_us` turns the direction round.
    #[serde(default = "long")]
    pub pulse_max_us: u32,
    /// How fast it may turn, in degrees per second.
    #[serde(default = "speed")]
    pub speed: f64,
}

/// What makes a servo's pulses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pwm {
    /// The pin's hardware where it has some that is switched to it, else a thread.
    #[default]
    Auto,
    /// The pin's hardware.
    Hardware,
    /// A thread.
    Software,
}

/// The name of an output, input or servo: what stands in messages and on the page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName(String);

impl Default for Gpio {
    fn default() -> Self {
        Self {
            driver: Driver::default(),
            chip: "gpiochip0".to_owned(),
            status: None,
            tally: None,
            privacy: None,
            outputs: Vec::new(),
            inputs: Vec::new(),
            servos: Vec::new(),
        }
    }
}

impl Gpio {
    /// Whether nothing hangs on any pin.
    pub fn is_empty(&self) -> bool {
        self.pins().is_empty()
    }

    /// Every pin with what hangs on it.
    pub fn pins(&self) -> Vec<(&Pin, String)> {
        let parts = self.parts().into_iter();
        parts.map(|(_, pin, what)| (pin, what)).collect()
    }

    /// Every part: where it stands in the file, its pin, and what it is.
    fn parts(&self) -> Vec<(String, &Pin, String)> {
        let lights = [
            ("status", "the status light", &self.status),
            ("tally", "the tally light", &self.tally),
        ];
        let lights = lights.into_iter().filter_map(|(key, what, light)| {
            Some((format!("gpio.{key}"), &light.as_ref()?.pin, what.to_owned()))
        });
        let privacy = self.privacy.iter().map(|privacy| {
            (
                "gpio.privacy".to_owned(),
                &privacy.pin,
                "the privacy switch".to_owned(),
            )
        });
        let named = self
            .named()
            .into_iter()
            .map(|part| (part.at, part.pin, format!("{} `{}`", part.kind, part.name)));
        lights.chain(privacy).chain(named).collect()
    }

    /// The parts with names, in the order in which they are taken.
    fn named(&self) -> Vec<NamedPart<'_>> {
        fn part<'a>(kind: &'static str, index: usize, pin: &'a Pin, name: &'a PartName) -> NamedPart<'a> {
            NamedPart {
                at: format!("gpio.{kind}.{index}"),
                kind,
                pin,
                name,
            }
        }
        let outputs = self.outputs.iter().enumerate();
        let outputs = outputs.map(|(index, output)| part("output", index, &output.pin, &output.name));
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(index, input)| part("input", index, &input.pin, &input.name));
        let servos = self.servos.iter().enumerate();
        let servos = servos.map(|(index, servo)| part("servo", index, &servo.pin, &servo.name));
        outputs.chain(inputs).chain(servos).collect()
    }

    /// What can't be.
    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut objections = Vec::new();
        let mut taken = BTreeMap::new();
        for (at, pin, what) in self.parts() {
            let place = match pin {
                Pin::Number(number) => Pin::OfChip(self.chip.clone(), *number),
                other => other.clone(),
            };
            let key = format!("{at}.pin");
            if let Some((other_key, other)) = taken.get(&place) {
                let words = format!(
                    "pin {pin} is used twice in [gpio]: by {other} and by {what}; give one of them another pin"
                );
                let objection = Objection::new(key, words).with("gpio.chip");
                objections.push(objection.with(String::clone(other_key)));
            } else {
                taken.insert(place, (key, what));
            }
        }
        let mut names = BTreeMap::new();
        for NamedPart { at, kind, name, .. } in self.named() {
            let key = format!("{at}.name");
            let one = if kind == "servo" {
                "a servo".to_owned()
            } else {
                format!("an {kind}")
            };
            if let Some((other_key, other)) = names.get(name) {
                let words = format!(
                    "the name `{name}` stands twice in [gpio]: for {other} and for {one}; viewers could not tell them apart"
                );
                objections.push(Objection::new(key, words).with(String::clone(other_key)));
            } else {
                names.insert(name, (key, one));
            }
        }
        let number = self.named().len();
        if number > MOST_PARTS {
            let words =
                format!("there are {number} outputs, inputs and servos in [gpio]; {MOST_PARTS} is the most");
            objections.push(Objection::new("gpio", words));
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if output.safe && output.kind == OutputKind::Momentary {
                let words = format!(
                    "output `{}` is momentary, so it is off while nobody holds it, and `safe = \"on\"` can't be; for a load that is \
                     switched the other way round there is `active_low`",
                    output.name
                );
                objections.push(Objection::new(format!("gpio.output.{index}.safe"), words));
            }
        }
        for (index, servo) in self.servos.iter().enumerate() {
            if let Some(words) = servo.mistake() {
                objections.push(Objection::new(format!("gpio.servo.{index}"), words));
            }
        }
        objections
    }
}

/// An output, input or servo.
struct NamedPart<'a> {
    at: String,
    kind: &'static str,
    pin: &'a Pin,
    name: &'a PartName,
}

/// The section `[gpio]` in a file of its own, or among whatever else: what is wrong with the rest is nobody's business here.
#[derive(Default, Deserialize, Serialize)]
struct Alone {
    #[serde(default)]
    gpio: Gpio,
}

/// What a file says of `[gpio]`, also where the rest of it can't be used.
///
/// # Errors
/// It is not there or can't be read, is no TOML, or this section has a mistake.
pub fn of_file(path: &Path) -> Result<Gpio, ConfigError> {
    let source = Source::of_file(path)?;
    let mut reading = source.read::<Alone>();
    if let Some(file) = &reading.value {
        let objections = file.gpio.objections();
        reading.object(objections);
    }
    Ok(reading.finish()?.gpio)
}

/// [`of_file`], where there may be no file: then nothing hangs on the pins.
///
/// # Errors
/// The file is there, and can't be read or is not valid.
pub fn of_file_or_default(path: &Path) -> Result<Gpio, ConfigError> {
    or_default(of_file(path))
}

/// What [`of_file`] reads.
///
/// # Errors
/// It can't be written as TOML, which would be a mistake in these types.
pub fn as_file(gpio: &Gpio) -> Result<String, toml::ser::Error> {
    toml::to_string(&Alone { gpio: gpio.clone() })
}

/// No header has more pins, and all of them fit into one message.
const MOST_PARTS: usize = 64;

impl Servo {
    /// The pulse that turns it to `degrees`, which are taken as the nearest that it may turn to.
    pub fn pulse(&self, degrees: f64) -> Duration {
        let share = (degrees.clamp(self.min, self.max) - self.min) / (self.max - self.min);
        let (from, to) = (f64::from(self.pulse_min_us), f64::from(self.pulse_max_us));
        Duration::from_secs_f64((from + (to - from) * share) / 1e6)
    }

    fn mistake(&self) -> Option<String> {
        // A servo's frame is 20 ms; what is outside of these limits is a slip in the unit.
        const PULSES: std::ops::RangeInclusive<u32> = 200..=5000;
        let name = &self.name;
        let finite = [self.min, self.max, self.centre, self.speed]
            .iter()
            .all(|number| number.is_finite() && number.abs() <= 3600.0);
        if !finite {
            return Some(format!(
                "servo `{name}`: an angle or speed is beyond 3600 degrees"
            ));
        }
        if self.min >= self.max || self.centre < self.min || self.centre > self.max {
            return Some(format!(
                "servo `{name}`: `min` = {}, `centre` = {} and `max` = {} have to rise",
                self.min, self.centre, self.max
            ));
        }
        if self.speed <= 0.0 {
            return Some(format!(
                "servo `{name}`: `speed` is {}; it has to be more than 0 degrees per second",
                self.speed
            ));
        }
        let pulses = [self.pulse_min_us, self.pulse_max_us];
        if self.pulse_min_us == self.pulse_max_us || pulses.iter().any(|pulse| !PULSES.contains(pulse)) {
            return Some(format!(
                "servo `{name}`: `pulse_min_us` = {} and `pulse_max_us` = {} have to be two different lengths of {} to {} \
                 microseconds; 1000 and 2000 suit most",
                self.pulse_min_us,
                self.pulse_max_us,
                PULSES.start(),
                PULSES.end()
            ));
        }
        None
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pin::Number(number) => number.fmt(f),
            Pin::OfChip(chip, line) => write!(f, "{chip}/{line}"),
            Pin::Named(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a pin is a number as 17, a line of a chip as \"gpiochip1/5\", or a line's name as \"GPIO17\""
        )]
        enum Written {
            Number(u32),
            Text(String),
        }
        let wrong = |text: &str| {
            de::Error::custom(format!(
                "`{text}` is no pin; it is a number as 17, a line of a chip as \"gpiochip1/5\", or a line's name as \"GPIO17\""
            ))
        };
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Pin::Number(number)),
            Written::Text(text) => match text.split_once('/') {
                Some((chip, line)) if !chip.is_empty() => {
                    let line = line.parse().map_err(|_| wrong(&text))?;
                    Ok(Pin::OfChip(chip.to_owned(), line))
                }
                None if !text.is_empty() => Ok(Pin::Named(text)),
                _ => Err(wrong(&text)),
            },
        }
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Pin::Number(number) => serializer.serialize_u32(*number),
            Pin::OfChip(..) | Pin::Named(_) => serializer.collect_str(self),
        }
    }
}

impl PartName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PartName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        if name.trim() == name && (1..=32).contains(&name.chars().count()) && name.chars().all(plain) {
            Ok(Self(name))
        } else {
            Err(de::Error::custom(format!(
                "`{}` is no name; it has 1 to 32 letters, digits, spaces, `-` and `_`",
                name.escape_debug()
            )))
        }
    }
}

impl Serialize for PartName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match i64::deserialize(deserializer)? {
        debounce @ 0..=2000 => Ok(Duration::from_millis(debounce.unsigned_abs())),
        other => Err(de::Error::custom(format!(
            "`debounce_ms` is {other}; it must be 0 to 2000 milliseconds"
        ))),
    }
}

fn on_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum State {
        On,
        Off,
    }
    State::deserialize(deserializer).map(|state| matches!(state, State::On))
}

fn as_milliseconds<S: Serializer>(debounce: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(debounce.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn as_on_or_off<S: Serializer>(on: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *on { "on" } else { "off" })
}

fn yes() -> bool {
    true
}

fn up() -> Pull {
    Pull::Up
}

fn debounce() -> Duration {
    Duration::from_millis(30)
}

fn left() -> f64 {
    -90.0
}

fn right() -> f64 {
    90.0
}

fn short() -> u32 {
    1000
}

fn long() -> u32 {
    2000
}

fn speed() -> f64 {
    60.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, parse};

    fn read(text: &str) -> Result<Gpio, String> {
        parse(text, "node.toml".as_ref())
            .map(|config: Config| config.gpio)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_needs_little_more_than_its_pin() {
        let gpio = read("[gpio.tally]\npin = 27\n[gpio.privacy]\npin = 22\n[[gpio.output]]\nname = \"light\"\npin = \"gpiochip1/5\"\n[[gpio.servo]]\nname = \"pan\"\npin = \"GPIO12\"")
            .expect("valid");
        assert_eq!(gpio.tally.expect("there").pin, Pin::Number(27));
        let privacy = gpio.privacy.expect("there");
        assert!(
            privacy.active_low && privacy.pull == Pull::Up,
            "a contact to ground"
        );
        assert_eq!(gpio.outputs[0].pin, Pin::OfChip("gpiochip1".to_owned(), 5));
        assert!(!gpio.outputs[0].safe);
        assert_eq!(gpio.servos[0].pin, Pin::Named("GPIO12".to_owned()));
        assert_eq!(gpio.driver, Driver::Auto);
    }

    #[test]
    fn what_is_written_down_is_what_was_read() {
        let everything = "[gpio]\ndriver = \"cdev\"\nchip = \"gpiochip1\"\n[gpio.status]\npin = 17\nactive_low = true\n\
             [gpio.privacy]\npin = 22\nkind = \"button\"\ndebounce_ms = 7\n\
             [[gpio.output]]\nname = \"light 1\"\npin = \"gpiochip1/5\"\nsafe = \"on\"\n\
             [[gpio.output]]\nname = \"horn\"\npin = \"GPIO5\"\nkind = \"momentary\"\n\
             [[gpio.input]]\nname = \"door\"\npin = 24\npull = \"down\"\n\
             [[gpio.servo]]\nname = \"pan\"\npin = 12\npwm = \"software\"\nmin = -45.5\nspeed = 33.3\n";
        for text in [everything, ""] {
            let gpio = read(text).expect("valid");
            let written = as_file(&gpio).expect("TOML");
            assert_eq!(read(&written), Ok(gpio), "{written}");
        }
    }

    #[test]
    fn a_servo_turns_between_its_pulses() {
        let text = "[[gpio.servo]]\nname = \"pan\"\npin = 12\nmin = -45\nmax = 45\n";
        let servo = read(text).expect("valid").servos.remove(0);
        for (degrees, microseconds) in [
            (-45.0, 1000),
            (0.0, 1500),
            (45.0, 2000),
            (100.0, 2000),
            (-100.0, 1000),
        ] {
            assert_eq!(
                servo.pulse(degrees),
                Duration::from_micros(microseconds),
                "{degrees}"
            );
        }
        let turned = format!("{text}pulse_min_us = 2000\npulse_max_us = 1000\n");
        let servo = read(&turned).expect("valid").servos.remove(0);
        assert_eq!(servo.pulse(-45.0), Duration::from_micros(2000));
    }

    #[test]
    fn what_can_not_be_is_named() {
        let output = |name: &str, rest: &str| format!("[[gpio.output]]\nname = {name:?}\n{rest}\n");
        let servo = |rest: &str| format!("[[gpio.servo]]\nname = \"pan\"\npin = 12\n{rest}\n");
        for (text, expected) in [
            (
                format!("[gpio.tally]\npin = 17\n{}", output("light", "pin = 17")),
                "pin 17 is used twice in [gpio]: by the tally light and by output `light`",
            ),
            (
                format!(
                    "{}{}",
                    output("a", "pin = 3"),
                    output("b", "pin = \"gpiochip0/3\"")
                ),
                "used twice",
            ),
            (
                format!("{}{}", output("a", "pin = 3"), output("a", "pin = 4")),
                "the name `a` stands twice",
            ),
            (
                output("a", "pin = 3\nkind = \"momentary\"\nsafe = \"on\""),
                "`active_low`",
            ),
            (output("a", "pin = 3\nkind = \"toggle\""), "momentary"),
            (output("a", "pin = 3\nsafe = true"), "line 4"),
            (output("a<b", "pin = 3"), "is no name"),
            (output("a", "pin = -3"), "a pin is a number as 17"),
            (output("a", "pin = \"/3\""), "is no pin"),
            (output("a", "pin = \"chip/x\""), "is no pin"),
            (output("a", ""), "pin"),
            (output("a", "pin = 3\npins = 4"), "did you mean `pin`?"),
            (servo("min = 10\nmax = -10"), "have to rise"),
            (servo("centre = 100"), "have to rise"),
            (servo("speed = 0"), "more than 0"),
            (servo("max = inf"), "beyond"),
            (servo("pulse_max_us = 20"), "1000 and 2000 suit most"),
            (servo("pulse_max_us = 1000"), "1000 and 2000 suit most"),
            ("[gpio]\ndriver = \"wiring\"".to_owned(), "rppal"),
            (
                "[gpio.privacy]\npin = 2\ndebounce_ms = 90000".to_owned(),
                "0 to 2000",
            ),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }
}
