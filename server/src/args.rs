//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// The signaling server and the viewer page for Pinhole camera nodes.
///
/// Serves browsers, pinhole-node, pinhole-view and stock WebRTC peerconnection clients.
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
}
