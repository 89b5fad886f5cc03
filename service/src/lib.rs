//! What a program needs to live as a service: a log that the journal understands, signals, the service manager's
//! protocol, a watchdog that knows when a part of the program is stuck, and configuration files whose errors help.
//!
//! All of it works without systemd as well: the log then goes to standard error, and nobody is notified.

pub mod check;
pub mod config;
mod file;
pub mod log;
pub mod notify;
pub mod quiet;
pub mod signals;
pub mod watchdog;
