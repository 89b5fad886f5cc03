//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Streams a camera over WebRTC to whoever calls.
///
/// Without a command it runs until SIGTERM or SIGINT; SIGHUP makes it read its configuration again.
#[derive(Parser)]
#[command(name = "pinhole-node", version)]
pub struct Args {
    /// The configuration. Without this option it is /etc/pinhole/node.toml, or the defaults where there is none.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `pinhole-node` can do besides running.
#[derive(Subcommand)]
pub enum Command {
    /// Tells whether a configuration is valid and would work on this machine, and what is wrong where not.
    Check {
        /// Look at the file only: touch no device, port or network.
        #[arg(long)]
        offline: bool,
        /// The configuration.
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Makes every output that a configuration names safe, for when the node was killed: systemd calls it then.
    Safe {
        /// The configuration.
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Lists the cameras of this machine with their formats and controls, the sound cards, the encoders, and the GPIO chips.
    Devices {
        /// For programs: one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// The configuration that is read where no other is named.
pub const DEFAULT_CONFIG: &str = "/etc/pinhole/node.toml";
