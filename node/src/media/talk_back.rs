use serde::Deserialize;

/// Which viewers may be heard at the loudspeaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TalkBack {
    /// None of them.
    Nobody,
    /// Those whose program sends the microphone only while a person wants it, and says so in its offer: our page.
    #[default]
    Page,
    /// Everybody who sends a microphone, as desktop clients always do.
    All,
}
