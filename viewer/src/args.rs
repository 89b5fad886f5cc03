//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use pinhole_signaling::ServerUrl;

use crate::receive::Codec;

/// What every help ends with.
const ENVIRONMENT: &str = "Environment:\n  \
    PINHOLE_LOG         what to log: error, warn, info, debug, trace or off, or of a part of the program as pinhole_view=debug\n  \
    PINHOLE_TOKEN_FILE  as --token-file\n  \
    NO_COLOR            set to anything: no colours";

/// Watches, records and measures Pinhole camera nodes from a terminal.
#[derive(Debug, Parser)]
#[command(name = "pinhole-view", version, after_help = ENVIRONMENT)]
pub struct Cli {
    /// The signaling server, as http://HOST[:PORT] (port 8888 if none is given).
    #[arg(long, value_name = "URL", default_value = DEFAULT_SERVER, global = true)]
    pub server: ServerUrl,
    /// A file with the server's access token, where it wants one.
    #[arg(long, value_name = "FILE", env = "PINHOLE_TOKEN_FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// The server that is asked where no other is named: one on this machine, as the node's default has it.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8888";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Prints who is signed in at the server.
    #[command(after_help = ENVIRONMENT)]
    List {
        /// One JSON object per member and line.
        #[arg(long)]
        json: bool,
    },
    /// Calls a node, receives its video, and tells how well it comes.
    #[command(after_help = ENVIRONMENT)]
    Watch(WatchArgs),
}

/// How to watch.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The node's name, or as much of its start as no other name has.
    pub node: String,
    /// Stop that many seconds after the first picture; without it, watch until Ctrl-C.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// Wait that many seconds for the node to sign in, if it is not there.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub wait: Duration,
    /// Tell the figures that often.
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "1")]
    pub interval: Duration,
    /// Record into this file: .mkv holds any codec, .webm asks the node for VP8.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Overwrite the recording's file if it exists.
    #[arg(long, requires = "record")]
    pub force: bool,
    /// One JSON object per interval and line, and a summary as the last line.
    #[arg(long)]
    pub json: bool,
    /// Accept only this codec; without it, H.264 and, where the node has none, VP8.
    #[arg(long)]
    pub codec: Option<Codec>,
    /// A STUN server that helps to find a path through NAT, as stun:HOST:PORT; may be given several times.
    #[arg(long = "ice-server", value_name = "URL", value_parser = ice_server)]
    pub ice_servers: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    // A year is longer than anyone means, and short enough to be added to any instant.
    if !(0.0..=365.0 * 86_400.0).contains(&number) {
        return Err("not between 0 and a year".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}

fn interval(text: &str) -> Result<Duration, String> {
    // More often there is not a picture in each.
    let interval = seconds(text)?;
    match (0.1..=3600.0).contains(&interval.as_secs_f64()) {
        true => Ok(interval),
        false => Err("not between 0.1 and 3600".to_owned()),
    }
}

fn ice_server(text: &str) -> Result<String, String> {
    if text.starts_with("turn:") || text.starts_with("turns:") {
        return Err("TURN relays are not supported, only STUN servers: write stun:HOST:PORT".to_owned());
    }
    match text.strip_prefix("stun:") {
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("write stun:HOST:PORT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_watch_takes_all_its_options() {
        let line = "pinhole-view --server http://[::1]:80 watch porch --seconds 2.5 --record a.mkv --force --json \
                    --codec vp8 --interval 0.25 --ice-server stun:stun.example.org:3478";
        let Action::Watch(watch) = parse(line).expect("valid").action else {
            panic!("not a watch")
        };
        assert_eq!(
            (watch.seconds, watch.wait, watch.interval),
            (
                Some(Duration::from_millis(2500)),
                Duration::from_secs(10),
                Duration::from_millis(250)
            )
        );
        assert_eq!(
            (watch.codec, watch.json, watch.force),
            (Some(Codec::Vp8), true, true)
        );
        assert_eq!(watch.ice_servers, ["stun:stun.example.org:3478"]);
    }

    #[test]
    fn the_server_is_named_before_the_command_or_behind_it_or_is_on_this_machine() {
        for (line, expected) in [
            ("pinhole-view list", DEFAULT_SERVER),
            ("pinhole-view watch porch", DEFAULT_SERVER),
            ("pinhole-view --server http://x list", "http://x:8888"),
            ("pinhole-view list --server http://x:80 --json", "http://x:80"),
            ("pinhole-view watch porch --server http://x", "http://x:8888"),
        ] {
            assert_eq!(parse(line).expect(line).server.to_string(), expected, "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "pinhole-view --server https://x list",
            "pinhole-view --server http://x watch",
            "pinhole-view --server http://x watch a --seconds -1",
            "pinhole-view --server http://x watch a --seconds NaN",
            "pinhole-view --server http://x watch a --wait 1e300",
            "pinhole-view --server http://x watch a --interval 0",
            "pinhole-view --server http://x watch a --interval 0.01",
            "pinhole-view --server http://x watch a --interval 4000",
            "pinhole-view --server http://x watch a --codec av1",
            "pinhole-view --server http://x watch a --force",
            "pinhole-view --server http://x watch a --ice-server http://y",
            "pinhole-view watch a --ice-server turn:relay.example.org",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
