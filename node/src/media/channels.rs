/// Which of a sound card's channels are the microphone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// All of them: their mean.
    #[default]
    All,
    /// This one, counted from 0 as in asound.conf.
    Only(u8),
}
