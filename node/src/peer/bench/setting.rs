//! What a call of the bench is made of.

use std::time::Duration;

use super::{
    link::Conditions,
    viewer::{Asking, Ciphers, Wants},
};
use crate::media::Codec;

/// A source, a path and a viewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) codec: Codec,
    /// Of the source, in bits a second.
    pub(super) bitrate: u64,
    pub(super) to_viewer: Conditions,
    pub(super) to_node: Conditions,
    pub(super) asking: Asking,
    pub(super) wants: Wants,
    pub(super) ciphers: Ciphers,
    /// Whether the viewer takes lost packets in a stream of their own.
    pub(super) repairs: bool,
    /// Whether the node has a microphone.
    pub(super) microphone: bool,
    /// Whether the camera makes a keyframe when it is asked for one.
    pub(super) on_request: bool,
    /// With which number each stream begins, where that is not left to chance.
    pub(super) first: Option<u16>,
}

impl Default for Setting {
    /// A good path, of 40 ms there and back.
    fn default() -> Self {
        let good = Conditions {
            delay: Duration::from_millis(20),
            ..Conditions::default()
        };
        Self {
            seed: 1,
            codec: Codec::H264,
            bitrate: 1_000_000,
            to_viewer: good,
            to_node: good,
            asking: Asking::default(),
            wants: Wants::Video,
            on_request: true,
            ciphers: Ciphers::Any,
            repairs: false,
            microphone: false,
            first: None,
        }
    }
}
