use std::time::Duration;

/// Units that may wait for one subscriber, whatever their time stamps say.
pub(super) const MOST_UNITS: usize = 1024;

/// How much may wait for a subscriber. What is more is lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// From the oldest to the newest, by when they were captured.
    pub lasting: Duration,
    /// The same while the source makes no keyframe when it is asked for one: then a loss lasts until it makes one by itself.
    pub lasting_unasked: Duration,
    /// Together. One unit may always wait, however large it is.
    pub bytes: usize,
}

impl Depth {
    /// For one who watches live pictures.
    pub const PICTURES: Self = Self {
        // Eight at 30 frames a second. More would be latency.
        lasting: Duration::from_millis(250),
        // Such a camera makes a keyframe every few seconds, and a picture that is late is better than none for so long.
        lasting_unasked: Duration::from_secs(1),
        // A second at 60 Mbit/s.
        bytes: 8 << 20,
    };
    /// For one who hears live sound.
    pub const SOUND: Self = Self {
        lasting: Duration::from_millis(160),
        lasting_unasked: Duration::from_millis(160),
        // More than so much sound takes in any codec.
        bytes: 64 << 10,
    };

    /// What may wait from a source that makes keyframes on request, or does not.
    pub(super) fn duration(&self, on_request: bool) -> Duration {
        if on_request {
            self.lasting
        } else {
            self.lasting_unasked
        }
    }
}
