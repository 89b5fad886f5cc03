//! What an engine is made of.

use std::{num::NonZeroUsize, sync::Arc};

use tokio::sync::watch;

use crate::{
    fanout::Broadcast,
    media::{Privacy, SoundUnit, TalkBack},
    peer::{channels::Ears, transport::Transport},
    voice::Intake,
};

/// What the engine is told by the configuration, and may be told anew while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Viewers that are connected at the same time; one more is refused.
    pub max_viewers: usize,
    /// Hosts and ports of the STUN servers that are asked for our address on the far side of a NAT.
    pub stun_servers: Vec<(String, u16)>,
    /// Who may be heard; the default is for a node with a loudspeaker.
    pub talk_back: TalkBack,
    /// Whether those who call are offered sound.
    pub sound: bool,
}

/// What an engine is made of.
pub struct Parts {
    /// What carries packets.
    pub transport: Transport,
    /// What the configuration says, at any time.
    pub settings: watch::Receiver<Settings>,
    /// The sound of all cameras.
    pub sound: Broadcast<SoundUnit>,
    /// What was captured before this is switched on is not sent any more.
    pub privacy: Privacy,
    /// Who takes part in viewers' control channels; without, there are none.
    pub ears: Option<Arc<dyn Ears>>,
    /// Where viewers are heard, as far as the settings allow it.
    pub intake: Option<Intake>,
    /// How many threads may send at the same time, the engine's own among them: as many as there are processors.
    pub threads: NonZeroUsize,
}
