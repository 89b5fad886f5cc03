//! The host: logging and signals.

pub mod log;
pub mod signals;
