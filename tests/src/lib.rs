//! Server, node and viewers together: whole programs, real network interfaces, real drivers.
//!
//! A test is a place ([`network::Network`], [`guest::Guest`], [`machine::Machine`]), programs in it ([`programs`]) and viewers that look
//! ([`peers`]). Whatever a test starts dies with it. Nothing here knows the inside of a program: it reads their log
//! lines, the wire and the picture.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

pub mod attacker;
pub mod calm;
pub mod cgroup;
pub mod ear;
pub mod eventually;
pub mod guest;
pub mod installed;
pub mod log;
pub mod machine;
pub mod network;
pub mod packages;
pub mod path;
pub mod peers;
pub mod process;
pub mod programs;
pub mod scratch;
pub mod skip;
pub mod status;
pub mod stock_server;
pub mod viewer;
pub mod wire;
