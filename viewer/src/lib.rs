//! Pinhole's terminal peer: lists, watches, records and measures camera nodes.
//!
//! The way of a picture: [`receive`] (packets, access units, decoder, clock) to [`report`] (figures) and
//! [`record`] (a file). The way of a message: the server to [`call`], which thinks without IO.

pub mod app;
pub mod args;
pub mod call;
mod printable;
pub mod receive;
pub mod record;
pub mod report;
