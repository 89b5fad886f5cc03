//! A command that writes pictures to its standard output: cameras that have no V4L2 device of their own (`rpicam-vid` for
//! those on a ribbon cable), and anything else.
//!
//! It runs while somebody watches, as a process group of its own: that group gets SIGTERM and soon after SIGKILL when nobody
//! does, when it misbehaves and when we end, and the command itself SIGKILL when we are killed. There is no shell in between.
//! Every buffer has a bound, and nothing here waits longer than it was told to.

mod child;
mod complaints;
mod cut;
mod inbox;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};

use super::{Camera, CaptureError, Controls, VideoSource, Want};
use crate::media::{Colour, PixelFormat};
use child::Child;
use complaints::Limit;
#[cfg(any(test, fuzzing))]
pub(crate) use cut::cut_up;
use stream::Source;

/// A command as a camera.
pub struct Command {
    words: Vec<String>,
    pixel: PixelFormat,
    colour: Colour,
    /// Here, so that a command that is started again and again does not fill the log either.
    limit: Arc<Limit>,
    /// What was wrong with the controls.
    said: Mutex<Option<String>>,
}

impl Command {
    /// `words` are the program and its arguments. It writes frames of `pixel`: H.264 as an Annex B byte stream, MJPEG, or YU12 of
    /// these colours.
    pub fn new(words: Vec<String>, pixel: PixelFormat, colour: Colour) -> Self {
        Self {
            words,
            pixel,
            colour,
            limit: Arc::default(),
            said: Mutex::default(),
        }
    }
}

impl Command {
    /// Tells what is wrong with the controls, where that is something new: it is opened as often as somebody comes.
    fn say(&self, mistake: Option<String>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mistake) = mistake.as_ref().filter(|mistake| said.as_ref() != Some(*mistake)) {
            tracing::warn!("{mistake}");
        }
        *said = mistake;
    }
}

impl Camera for Command {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let name = self.describe();
        self.say(refuse(&name, &want.controls).err().map(|error| error.to_string()));
        let child = Child::start(&self.words).map_err(|source| CaptureError::CommandNotStarted {
            command: name.clone(),
            source,
        })?;
        let source = Source::new(child, name, (self.pixel, self.colour), want, self.limit.clone());
        Ok(Box::new(source))
    }

    fn describe(&self) -> String {
        describe(&self.words)
    }
}

/// What a command is called in logs: its arguments may be long, and hold passwords.
pub fn describe(words: &[String]) -> String {
    let program = words.first().map_or("", String::as_str);
    format!("the command {}", program.rsplit('/').next().unwrap_or(program))
}

/// A command has no controls; its arguments are.
fn refuse(name: &str, controls: &Controls) -> Result<(), CaptureError> {
    match controls.keys().next() {
        None => Ok(()),
        Some(control) => Err(CaptureError::UnknownControl {
            device: name.to_owned(),
            control: control.clone(),
            known: "none, but arguments".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
