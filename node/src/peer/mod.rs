//! One access unit to each viewer. The only room that knows WebRTC.
//!
//! The [`Engine`] is one task that owns every session and the sockets. It drives the sans-IO `rtc` core
//! itself: all viewers share one UDP port, incoming packets find their session by the ICE user name of a
//! connectivity check and then by address, and what goes out leaves in batches.
//!
//! Invariants: an access unit is packetised once per codec; a viewer starts at a keyframe; a session ends at
//! once with a `BYE`, with its member leaving the server, or with a DTLS close, and otherwise seconds after the
//! viewer fell silent; nothing that a viewer sends can end another one's session.

mod calls;
mod candidates;
mod channel;
mod clock;
mod contact;
mod demux;
mod ending;
mod engine;
mod feed;
mod feedback;
mod floor;
mod meter;
mod names;
mod negotiation;
mod outbox;
mod reflexive;
mod report;
mod session;
mod setup;
mod socket;
mod sound;
mod stream;
mod voice;

pub use channel::{Ears, LABEL, Line, PAGE};
pub use contact::{Call, CameraId, Contact, Letter};
pub use ending::Ending;
pub use engine::{Engine, EngineError, Settings, try_port};
pub use report::{Figures, Reception, Report, Stage, Viewer, Viewers};
