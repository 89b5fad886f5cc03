//! Pinhole's daemon: captures from a camera, encodes once, and streams to every viewer over WebRTC.

pub mod capture;
pub mod encode;
pub mod media;
