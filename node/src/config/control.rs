use std::path::PathBuf;

use serde::Deserialize;

/// `[control]`: what those who watch may do besides watching.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// Who may switch outputs.
    pub outputs: Allow,
    /// Who may turn servos.
    pub servos: Allow,
    /// Who may set the camera's controls.
    pub camera: Allow,
    /// Who may ask for a picture as a file.
    pub snapshot: Allow,
    /// Who is told of inputs and faults.
    pub events: Allow,
    /// Who may talk with the programs at the socket.
    pub messages: Allow,
    /// Where programs on this machine take part; absolute.
    #[serde(deserialize_with = "pinhole_service::config::absolute")]
    pub socket: Option<PathBuf>,
}

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// No viewer; programs at the socket may.
    Nobody,
    /// Who watches on the server's page.
    Page,
    /// Every viewer that speaks the protocol.
    All,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            outputs: Allow::Page,
            servos: Allow::Page,
            // Every camera has controls, whether anybody thought of them or not; all else is there because it was configured.
            camera: Allow::Nobody,
            snapshot: Allow::Page,
            events: Allow::Page,
            messages: Allow::Page,
            socket: None,
        }
    }
}
