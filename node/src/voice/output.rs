use std::time::Duration;

/// What plays samples: a sound card, or what takes its place in a test or a bench. One channel in; it is spread over all
/// that there are.
pub trait Output: Send {
    /// Its sample rate, in Hz.
    fn rate(&self) -> u32;

    /// The device and what it takes, in words: `hw:CARD=Device,DEV=0, 48000 Hz, 2 channels, S16_LE`.
    fn describe(&self) -> String;

    /// How long until the next sample that is written is heard.
    ///
    /// # Errors
    /// As for [`Output::write`].
    fn queued(&mut self) -> Result<Duration, OutputError>;

    /// How much it wants to have before it: enough that it never runs dry, and no more.
    fn goal(&self) -> Duration;

    /// Plays these samples, between -1 and 1, behind those before.
    ///
    /// # Errors
    /// [`OutputError::Dry`]: it has run dry and goes on with what is written next. Any other: it is lost.
    fn write(&mut self, samples: &[f32]) -> Result<(), OutputError>;

    /// Waits until it has less than its goal before it; no longer than two periods of it.
    ///
    /// # Errors
    /// As for [`Output::write`].
    fn wait(&mut self) -> Result<(), OutputError>;
}

/// Opens the output of that name.
///
/// # Errors
/// What keeps it from playing; it is tried again while somebody talks.
pub type Open = dyn Fn(&str) -> Result<Box<dyn Output>, OutputError> + Send;

/// Why an output can't be opened or went away, in words for the log and the status page.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It had nothing to play.
    #[error("the loudspeaker had nothing to play")]
    Dry,
    /// Nothing has this name.
    #[error(
        "there is no sound device `{device}` to play on; `pinhole-node devices` lists what is there, and `device` in [speaker] chooses"
    )]
    Absent {
        /// What was asked for.
        device: String,
    },
    /// It was there.
    #[error("the loudspeaker `{device}` is gone; was it unplugged?")]
    Gone {
        /// Its name.
        device: String,
    },
    /// Another program plays on it.
    #[error(
        "the loudspeaker `{device}` is in use by another program; stop that one, or name one that can be shared"
    )]
    Busy {
        /// Its name.
        device: String,
    },
    /// The system does not let us.
    #[error("the loudspeaker `{device}` may not be used; is the user of pinhole-node in the group `audio`?")]
    Denied {
        /// Its name.
        device: String,
    },
    /// It takes nothing that we can make.
    #[error("the loudspeaker `{device}` has no usable format; usable are {usable}, interleaved")]
    NoUsableFormat {
        /// Its name.
        device: String,
        /// The names of those that are usable.
        usable: String,
    },
    /// Anything else.
    #[error("the loudspeaker `{device}` does not work: {cause}")]
    Broken {
        /// Its name.
        device: String,
        /// What the system says.
        cause: String,
    },
}

impl OutputError {
    /// Whether it may pass by itself.
    pub fn is_transient(&self) -> bool {
        !matches!(
            self,
            OutputError::Denied { .. } | OutputError::NoUsableFormat { .. }
        )
    }
}
