//! Viewers' voices to a loudspeaker.
//!
//! The way of a voice: `peer` gives RTP packets to the [`Intake`], which never waits; the [`Speaker`]'s thread puts those of
//! each talker into order (`jitter`), decodes them and makes up what is missing (`speech`, `decode`), adds all talkers up
//! (`mixer`), and plays the sum at the card's own rate (`player`, `alsa`).
//!
//! Invariants: the card asks and the talkers answer, never the other way round, so nothing can pile up; what is held of one
//! talker is bounded ([`jitter`]'s 200 ms), and what is not needed of it is left out; the device is open only while
//! somebody talks, and a few seconds longer.

mod account;
mod alsa;
mod decode;
mod delay;
mod figures;
mod intake;
mod jitter;
mod level;
mod median;
mod mixer;
mod output;
mod packet;
mod player;
mod resample;
mod speaker;
mod speech;
mod steer;
#[cfg(test)]
mod tone;

pub use account::{Account, Condition, State};
pub use alsa::try_device;
pub use figures::Figures;
pub use intake::Intake;
pub use mixer::TalkerReport;
pub use output::{Open, Output, OutputError};
pub use packet::{Packet, Talker};
pub use speaker::{Settings, Speaker};
