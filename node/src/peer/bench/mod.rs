//! The sessions' bench: a session and a viewer over an emulated path, in virtual time. No socket, no task and nobody who sleeps, so an hour
//! of a bad network is over in seconds, and a course of events that did harm can be had again by its seed.
//!
//! | file | what it is |
//! |---|---|
//! | `call`, `step`, `pump`, `port`, `setting`, `told` | both ends, what is between them, and the clock, which jumps to whatever comes next |
//! | `link` | one direction of the path: loss, delay, jitter, reordering, duplication, a bottleneck with its queue |
//! | `viewer` | the other end, on the same core: it offers, asks for what got lost, and may move to another address |
//! | `screen`, `ear` | what could be decoded of what arrives, and for how long nothing could |
//! | `source`, `picture`, `microphone` | a camera and a microphone with their encoders, before the node's own fan-out and feeds |
//! | `holding` | what a session still holds of what it was given |
//! | `nonces`, `reception`, `numbers` | what packets were sealed with, no nonce for two of them; and whether all could be decrypted |
//! | `connecting`, `watching`, `hearing`, `moving`, `wishing`, `ending` | one behaviour each |
//! | `narrow` | paths that carry less than the camera gives |
//! | `runs` | many calls over paths that are drawn by lot |
//! | `sealing` | many short ones, in which everything happens that touches what packets are sealed with |
//! | `seeds` | how many there are of these, and how one is had again |
//! | `hostile` | what others, and the viewer itself, may send into a call: `dev/fuzz demux` |

mod call;
#[cfg(test)]
mod connecting;
mod ear;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod hearing;
mod holding;
mod hostile;
mod link;
mod microphone;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod narrow;
mod nonces;
mod numbers;
mod picture;
mod port;
mod pump;
mod reception;
#[cfg(test)]
mod runs;
mod screen;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod seeds;
mod setting;
mod source;
mod step;
mod told;
mod viewer;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod wishing;

pub use hostile::demux;
