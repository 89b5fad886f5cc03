//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::config::listen_address;

/// What every help ends with.
const ENVIRONMENT: &str = "Environment:\n  \
    PINHOLE_LOG  what to log: error, warn, info, debug, trace or off, or of a part of the program as pinhole_server=debug\n  \
    NO_COLOR     set to anything: no colours";

/// The signaling server and the viewer page for Pinhole camera nodes.
///
/// Serves browsers, pinhole-node, pinhole-view and stock WebRTC peerconnection clients. Without a command it runs until
/// SIGTERM or SIGINT; SIGHUP makes it read its configuration again.
#[derive(Debug, Parser)]
#[command(name = "pinhole-server", version, after_help = ENVIRONMENT)]
pub struct Args {
    /// The configuration. Without this option it is /etc/pinhole/server.toml, or the defaults where there is none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where to listen, above what the configuration says; a port alone is that port on all addresses [default: 8888]
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address, global = true)]
    pub listen: Option<SocketAddr>,

    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `pinhole-server` can do besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tells whether a configuration is valid and would work on this machine, and what is wrong where not.
    #[command(after_help = ENVIRONMENT)]
    Check {
        /// Look at the file only: open no port.
        #[arg(long)]
        offline: bool,
        /// Which configuration.
        #[command(flatten)]
        of: Configuration,
    },
}

/// The configuration of a command, in either way.
#[derive(Debug, clap::Args)]
pub struct Configuration {
    /// The configuration. Without it, it is /etc/pinhole/server.toml, or the defaults where there is none.
    file: Option<PathBuf>,
    /// The configuration, as the server itself is told it.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

/// The configuration that is read where no other is named.
pub const DEFAULT_CONFIG: &str = "/etc/pinhole/server.toml";

impl Args {
    /// The configuration that is named, before the command or behind it.
    ///
    /// # Errors
    /// Two are named.
    pub fn config(&self) -> Result<Option<&Path>, clap::Error> {
        let behind = match &self.command {
            Some(Command::Check { of, .. }) => of.config.as_ref().or(of.file.as_ref()),
            None => None,
        };
        match (&self.config, behind) {
            (Some(_), Some(_)) => Err(Args::command().error(
                ErrorKind::ArgumentConflict,
                "the configuration is named twice, before the command and behind it",
            )),
            (before, behind) => Ok(before.as_ref().or(behind).map(PathBuf::as_path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, ErrorKind> {
        Args::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    fn config(line: &str) -> Result<Option<PathBuf>, ErrorKind> {
        let args = parse(line)?;
        let config = args.config().map_err(|error| error.kind())?;
        Ok(config.map(Path::to_owned))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_configuration_is_named_before_a_command_or_behind_it_and_once() {
        for line in [
            "pinhole-server --config a",
            "pinhole-server --config a check",
            "pinhole-server check --config a",
            "pinhole-server check a",
            "pinhole-server --config a check --offline",
        ] {
            assert_eq!(config(line), Ok(Some("a".into())), "{line}");
        }
        assert_eq!(config("pinhole-server check"), Ok(None));
        for line in [
            "pinhole-server --config a check b",
            "pinhole-server --config a check --config b",
            "pinhole-server check --config a b",
        ] {
            assert_eq!(config(line), Err(ErrorKind::ArgumentConflict), "{line}");
        }
    }

    #[test]
    fn where_to_listen_is_said_before_a_command_or_behind_it_and_may_be_a_port() {
        for line in [
            "pinhole-server --listen 8888",
            "pinhole-server --listen :8888",
            "pinhole-server --listen [::]:8888",
            "pinhole-server --listen 8888 check",
            "pinhole-server check --listen 8888",
        ] {
            let listen = parse(line).unwrap().listen.unwrap();
            assert_eq!(listen.to_string(), "[::]:8888", "{line}");
        }
        for line in ["pinhole-server --listen 99999", "pinhole-server --listen here"] {
            assert_eq!(parse(line).unwrap_err(), ErrorKind::ValueValidation, "{line}");
        }
    }
}
