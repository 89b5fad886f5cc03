//! The command line.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

/// What every help ends with.
const ENVIRONMENT: &str = "Environment:\n  \
    PINHOLE_LOG  what to log: error, warn, info, debug, trace or off, or of a part of the program as pinhole_node=debug\n  \
    NO_COLOR     set to anything: no colours";

/// Streams a camera over WebRTC to whoever calls.
///
/// Without a command it runs until SIGTERM or SIGINT; SIGHUP makes it read its configuration again.
#[derive(Debug, Parser)]
#[command(name = "pinhole-node", version, after_help = ENVIRONMENT)]
pub struct Args {
    /// The configuration. Without this option it is /etc/pinhole/node.toml, or the defaults where there is none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `pinhole-node` can do besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tells whether a configuration is valid and would work on this machine, and what is wrong where not.
    #[command(after_help = ENVIRONMENT)]
    Check {
        /// Look at the file only: touch no device, port or network.
        #[arg(long)]
        offline: bool,
        /// Which configuration.
        #[command(flatten)]
        of: Configuration,
    },
    /// Makes every output that a configuration names safe, for when the node was killed: systemd calls it then.
    #[command(after_help = ENVIRONMENT)]
    Safe {
        /// Which configuration.
        #[command(flatten)]
        of: Configuration,
    },
    /// Lists the cameras of this machine with their formats and controls, the sound cards, the encoders, and the GPIO chips.
    #[command(after_help = ENVIRONMENT)]
    Devices {
        /// For programs: one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// The configuration of a command, in either way.
#[derive(Debug, clap::Args)]
pub struct Configuration {
    /// The configuration, which has to be there. Without it, it is /etc/pinhole/node.toml, or the defaults where there is none.
    file: Option<PathBuf>,
    /// The configuration, as the node itself is told it.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

/// The configuration that is read where no other is named.
pub const DEFAULT_CONFIG: &str = "/etc/pinhole/node.toml";

impl Args {
    /// The configuration that is named, before the command or behind it.
    ///
    /// # Errors
    /// Two are named, or one for a command that reads none.
    pub fn config(&self) -> Result<Option<&Path>, clap::Error> {
        let behind = match &self.command {
            None => None,
            Some(Command::Check { of, .. } | Command::Safe { of }) => of.config.as_ref().or(of.file.as_ref()),
            Some(Command::Devices { .. }) if self.config.is_some() => {
                return Err(conflict("devices reads no configuration: leave --config out"));
            }
            Some(Command::Devices { .. }) => None,
        };
        match (&self.config, behind) {
            (Some(_), Some(_)) => Err(conflict(
                "the configuration is named twice, before the command and behind it",
            )),
            (before, behind) => Ok(before.as_ref().or(behind).map(PathBuf::as_path)),
        }
    }
}

fn conflict(words: &str) -> clap::Error {
    Args::command().error(ErrorKind::ArgumentConflict, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(line: &str) -> Result<Option<PathBuf>, ErrorKind> {
        let args = Args::try_parse_from(line.split(' ')).map_err(|error| error.kind())?;
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
            "pinhole-node --config a",
            "pinhole-node --config a check",
            "pinhole-node check --config a",
            "pinhole-node check a",
            "pinhole-node check --offline a",
            "pinhole-node --config a check --offline",
            "pinhole-node --config a safe",
            "pinhole-node safe --config a",
            "pinhole-node safe a",
        ] {
            assert_eq!(config(line), Ok(Some("a".into())), "{line}");
        }
        for line in [
            "pinhole-node",
            "pinhole-node check",
            "pinhole-node safe",
            "pinhole-node devices --json",
        ] {
            assert_eq!(config(line), Ok(None), "{line}");
        }
        for line in [
            "pinhole-node --config a check b",
            "pinhole-node --config a check --config b",
            "pinhole-node check --config a b",
            "pinhole-node --config a devices",
        ] {
            assert_eq!(config(line), Err(ErrorKind::ArgumentConflict), "{line}");
        }
        let unknown = config("pinhole-node devices --config a");
        assert_eq!(unknown, Err(ErrorKind::UnknownArgument));
    }
}
