//! Pinhole's daemon: captures from a camera and a microphone, encodes once, and streams to every viewer over WebRTC.
//!
//! The rooms, in the order of a frame's way: [`capture`], [`encode`], [`fanout`], which [`pipeline`] runs, and
//! [`peer`]. A message's way is [`presence`], then [`peer`]. What all of them publish of themselves, [`status`] tells.
//! ARCHITECTURE.md tells more.

pub mod app;
pub mod args;
pub mod capture;
pub mod check;
pub mod config;
pub mod control;
pub mod devices;
pub mod encode;
pub mod fanout;
pub mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod media;
pub mod peer;
pub mod pipeline;
pub mod presence;
mod retry;
pub mod status;
pub mod voice;
