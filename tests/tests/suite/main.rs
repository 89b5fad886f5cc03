//! Whole programs together, one test binary for all of them.
//!
//! A file is a subject. In it, the module that a test is in says which command runs it, and nothing else does:
//!
//! | module | command | what belongs there |
//! |---|---|---|
//! | `quick` | `dev/test` | seconds, on a PC with nothing but network namespaces: test picture and tone, Chromium, libwebrtc |
//! | `everything` | `dev/test everything` | what needs virtual hardware, packages or installed machines |
//! | `soak` | `dev/soak` | what measures a stretch of time and prints its figure, and matrices of cards and formats |
//!
//! How many run side by side is in `.config/nextest.toml`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod addresses;
mod attack;
mod camera_to_browser;
mod circles;
mod command_line;
mod control;
mod crowd;
mod cuts;
mod dead_connections;
mod faults;
mod formats;
mod garbage;
mod h264_camera;
mod hardware_encoder;
mod harness;
mod hdmi;
mod imports;
mod installed;
mod installed_arm64;
mod layers;
mod lengths;
mod libsrtp;
mod lip_sync;
mod manual;
mod offers;
mod overload;
mod ports;
mod restarts;
mod several_cameras;
mod sound;
mod sources;
mod status;
mod stock_programs;
mod talk;
mod terminal_viewer;
mod watching;
mod weak_paths;
