//! `pinhole-server check`: tries on this machine what a configuration asks for, as the running server would.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use pinhole_server::config::Config;
use pinhole_server::http::try_listen;

use super::files;

/// Below this port a process needs a privilege; the system's own word for it.
const FIRST_FREE_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    /// It may be as it should be; a person decides.
    Note,
    Fails,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Works => "works",
            Verdict::Note => "note",
            Verdict::Fails => "FAILS",
        })
    }
}

/// Says whether the file is valid and, unless `offline`, what would fail.
///
/// # Errors
/// Something is wrong with it.
pub(crate) fn check(file: &Path, offline: bool) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    let mut out = io::stdout();
    writeln!(out, "{} is valid", file.display())?;
    if offline {
        return Ok(());
    }
    let findings = [
        ("listen", listen(config.listen)),
        ("files", open_files(&config)),
        ("access", access(&config)),
    ];
    for (subject, (verdict, text)) in &findings {
        writeln!(out, "{subject:<8} {verdict:<5}  {text}")?;
    }
    let failures = findings
        .iter()
        .filter(|(_, (verdict, _))| *verdict == Verdict::Fails)
        .count();
    anyhow::ensure!(failures == 0, "{failures} of these would fail");
    Ok(())
}

fn listen(address: SocketAddr) -> (Verdict, String) {
    let first_free = std::fs::read_to_string(FIRST_FREE_PORT);
    let first_free: u16 = first_free
        .ok()
        .and_then(|port| port.trim().parse().ok())
        .unwrap_or(1024);
    match try_listen(address) {
        Ok(()) if address.port() != 0 && address.port() < first_free => (
            Verdict::Note,
            format!(
                "{address}: ports below {first_free} need CAP_NET_BIND_SERVICE, which the service does not have"
            ),
        ),
        Ok(()) => (Verdict::Works, address.to_string()),
        // By the server that runs already, in most cases.
        Err(error) if error.cause.kind() == io::ErrorKind::AddrInUse => (Verdict::Note, error.to_string()),
        Err(error) => (Verdict::Fails, error.to_string()),
    }
}

fn open_files(config: &Config) -> (Verdict, String) {
    let wanted = config.limits.connections;
    match files::connections(wanted) {
        (connections, files) if connections < wanted => {
            (Verdict::Note, files::shortage(wanted, connections, files))
        }
        _ => (Verdict::Works, format!("{wanted} connections")),
    }
}

fn access(config: &Config) -> (Verdict, String) {
    match &config.access.token_file {
        Some(file) => (
            Verdict::Works,
            format!("whoever has the token of {}", file.display()),
        ),
        None if config.listen.ip().is_loopback() => (Verdict::Works, "everybody on this machine".to_owned()),
        None => (
            Verdict::Note,
            "everybody who can reach this machine; a token_file under [access] would keep strangers out"
                .to_owned(),
        ),
    }
}
