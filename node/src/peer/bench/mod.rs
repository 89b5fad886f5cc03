//! The sessions' bench: a session and a viewer over an emulated path, in virtual time. No socket, no task and nobody who sleeps, so an hour
//! of a bad network is over in seconds, and a course of events that did harm can be had again by its seed.
//!
//! | file | what it is |
//! |---|---|
//! | `call`, `pump`, `port`, `setting`, `told` | both ends, what is between them, and the clock, which jumps to whatever comes next |
//! | `link` | one direction of the path: loss, delay, jitter, reordering, duplication, a bottleneck with its queue |
//! | `viewer` | the other end, on the same core: it offers, and asks for what got lost |
//! | `screen` | what could be decoded of what arrives, and for how long nothing could |
//! | `source`, `picture` | a camera with its encoder, before the node's own fan-out and feed |
//! | `holding` | what a session still holds of what it was given |
//! | `nonces` | what its packets were sealed with: no nonce is used for two |
//! | `connecting`, `watching`, `ending` | one behaviour each |
//! | `runs` | many calls over paths that are drawn by lot |
//! | `hostile` | what others, and the viewer itself, may send into a call: `dev/fuzz demux` |

mod call;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod ending;
mod holding;
mod hostile;
mod link;
mod nonces;
mod picture;
mod port;
mod pump;
#[cfg(test)]
mod runs;
mod screen;
mod setting;
mod source;
mod told;
mod viewer;
#[cfg(test)]
mod watching;

pub use hostile::demux;
