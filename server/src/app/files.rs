//! Every connection is an open file, of which the system allows a process so many.

use pinhole_server::config::Config;
use pinhole_server::http::TURNED_AWAY;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors for what is not a connection within the limit: those that are turned away, and those of the program itself.
const OTHER_FILES: u64 = TURNED_AWAY as u64 + 64;

/// The configuration with no more connections than the system lets this process have, which it raises where it can.
pub(super) fn affordable(mut config: Config) -> Config {
    let wanted = config.limits.connections;
    let (connections, files) = connections(wanted);
    if connections < wanted {
        tracing::warn!("{}", shortage(wanted, connections, files));
    }
    config.limits.connections = connections;
    config
}

/// Tells that there are too few files.
pub(super) fn shortage(wanted: usize, connections: usize, files: u64) -> String {
    let needed = wanted as u64 + OTHER_FILES;
    format!(
        "the system allows {files} open files, enough for {connections} of {wanted} connections, which need {needed}; raise \
         it (systemd: LimitNOFILE=), or lower limits.connections"
    )
}

/// How many connections the system lets this process have, up to those wanted, and how many files.
pub(super) fn connections(wanted: usize) -> (usize, u64) {
    let limit = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + OTHER_FILES;
    let now = limit.current.unwrap_or(u64::MAX);
    if now >= needed {
        return (wanted, now);
    }
    let raised = needed.min(limit.maximum.unwrap_or(u64::MAX));
    let more = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    let files = setrlimit(Resource::Nofile, more).map_or(now, |()| raised);
    (
        (files.saturating_sub(OTHER_FILES) as usize).clamp(4, wanted),
        files,
    )
}
