//! What a watch tells: [`statistics`] collects it, [`text`] says it to people, [`json`] to programs.

pub mod json;
pub mod latency;
pub mod statistics;
pub mod text;

use std::io;

use crate::{
    call::{Audience, Outcome},
    record::Recorded,
};

/// An audience that also hears the end.
pub trait Reporter: Audience {
    /// Everything is over.
    ///
    /// # Errors
    /// Where nobody listens any more.
    fn finish(&mut self, outcome: &Outcome, recorded: &[Recorded]) -> io::Result<()>;
}
