//! What the node does at this moment, for people and machines: one line for the service manager, a page, `/health`
//! and `/metrics` (docs/status.md), served by `pinhole-http`.
//!
//! The other rooms know nothing of it: they publish their state and their figures. Nothing here runs while nobody
//! asks, and whatever a client does, what it costs is bounded in number, size and time.

mod answer;
mod health;
mod metrics;
mod microphone;
mod page;
mod server;
mod snapshot;
mod sources;
mod speaker;
mod watch;

pub use health::{Health, Verdict};
pub use metrics::{Process, metrics};
pub use microphone::{Microphone, MicrophoneSource, MicrophoneState};
pub use server::Server;
pub use snapshot::{
    Camera, CameraState, Encoder, Latency, Overload, ServerState, Sessions, Signaling, Snapshot, Steps,
    Viewer,
};
pub use sources::{CameraSource, Roster, Sources, Stuck};
pub use speaker::{Speaker, SpeakerState, Talker};
pub use watch::{Outlook, Watch};
