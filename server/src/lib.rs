//! The meeting point: a signaling server for WebRTC peers, and the page that shows them.
//!
//! It serves unmodified clients of WebRTC's `examples/peerconnection` and browsers. What is said between peers
//! passes through without being read; media never comes here.
//!
//! ```text
//! socket -> http::connection -> http::gate -> http::{sign_in, wait, message, sign_out, page}
//!                                                      |            ^
//!                                                  http::desk  ->  hub
//! ```

pub mod args;
pub mod budget;
pub mod config;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
pub mod hub;
