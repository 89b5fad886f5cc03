//! What a watch tells: [`statistics`] collects it, [`text`] says it to people, [`json`] to programs.

pub mod json;
pub mod latency;
pub mod statistics;
pub mod text;

use std::io;

use crate::{
    call::{Audience, Outcome, Slate},
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

/// What is said to people where the node sends something else than before.
fn words(slate: Option<&Slate>) -> String {
    slate.map_or_else(|| "the camera's picture is back".to_owned(), Slate::to_string)
}
