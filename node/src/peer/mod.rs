//! One access unit to each viewer. The only room that knows WebRTC.
//!
//! The [`Engine`] is one task that owns every session and the sockets. It drives the sans-IO `rtc` core
//! itself: all viewers share one UDP port, incoming packets find their session by the ICE user name of a
//! connectivity check and then by address, and what goes out leaves in batches. It is asked by [`Calls`], and what it has to tell
//! goes back by the [`Caller`] that comes with each offer: how viewers come to call is nobody's business here.
//!
//! Invariants: an access unit is packetised once per rendition; a viewer starts at a keyframe; a session ends at
//! once when its call is hung up or with a DTLS close, and otherwise half a minute after the viewer fell silent, which costs
//! nothing but itself meanwhile; nothing that a viewer sends can end another one's session.

#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used, reason = "a test fails by panicking")]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing takes a part of it"))]
mod bench;
mod caller;
mod channels;
mod congestion;
mod ending;
mod engine;
mod feed;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used, reason = "a test fails by panicking")]
pub(crate) mod fuzz;
mod id;
mod places;
mod report;
mod request;
mod ring;
mod rtcp;
mod sdp;
mod session;
mod sessions;
mod shard;
mod sleepers;
mod sound;
mod srtp;
mod transport;
mod viewers;

pub use caller::{Caller, Refused, Reply};
pub use channels::{Ears, Line};
pub use ending::Ending;
pub use engine::{Engine, Parts, Settings};
pub use id::{CallId, CameraId};
pub use report::{Reception, Report, Stage, Viewer};
pub use request::{Calls, Request};
pub use session::{Candidate, LABEL, PAGE};
pub use transport::{Transport, TransportError};
pub use viewers::{Figures, Viewers};
