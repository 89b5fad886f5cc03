//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The signaling server and the viewer page for Pinhole camera nodes.
///
/// Serves browsers, pinhole-node, pinhole-view and stock WebRTC peerconnection clients. Without a command it runs until
/// SIGTERM or SIGINT; SIGHUP makes it read its configuration again.
#[derive(Debug, Parser)]
#[command(
    name = "pinhole-server",
    version,
    after_help = "Environment:\n  \
    PINHOLE_LOG  what to log: error, warn, info (default), debug, trace, or a filter such as pinhole_server=debug"
)]
pub struct Args {
    /// The configuration file [default: /etc/pinhole/server.toml if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The address and port to listen on, above what the configuration says [default: [::]:8888]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `pinhole-server` can do besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tells whether a configuration is valid and would work on this machine, and what is wrong where not.
    Check {
        /// Look at the file only: open no port.
        #[arg(long)]
        offline: bool,
        /// The configuration.
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
}

/// The configuration that is read where no other is named.
pub const DEFAULT_CONFIG: &str = "/etc/pinhole/server.toml";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
