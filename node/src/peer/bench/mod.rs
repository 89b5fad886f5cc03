//! The sessions' bench: a session and a viewer over an emulated path, in virtual time. No socket, no task and nobody who sleeps, so an hour
//! of a bad network is over in seconds, and a course of events that did harm can be had again by its seed.
//!
//! | file | what it is |
//! |---|---|
//! | `call`, `setting` | both ends, what is between them, and the clock, which jumps to whatever comes next |
//! | `link` | one direction of the path: loss, delay, jitter, reordering, duplication, a bottleneck with its queue |
//! | `viewer` | the other end, on the same core: it offers, and asks for what got lost |
//! | `screen` | what could be decoded of what arrives, and for how long nothing could |
//! | `source`, `picture` | a camera with its encoder, before the node's own fan-out and feed |
//! | `holding` | what a session still holds of what it was given |
//! | `connecting`, `watching`, `ending` | one behaviour each |
//! | `runs` | many calls over paths that are drawn by lot |

mod call;
mod connecting;
mod ending;
mod holding;
mod link;
mod picture;
mod runs;
mod screen;
mod setting;
mod source;
mod viewer;
mod watching;
