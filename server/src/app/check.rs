//! `pinhole-server check`: tries on this machine what a configuration asks for, as the running server would.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use pinhole_server::args::DEFAULT_CONFIG;
use pinhole_server::config::Config;
use pinhole_server::http::try_listen;
use pinhole_service::check::{Finding, Verdict, report};

use super::files;

/// Below this port a process needs a privilege; the system's own word for it.
const FIRST_FREE_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// Says whether the file is valid and, unless `offline`, what would fail, listening where the command line says.
///
/// # Errors
/// Something is wrong with it.
pub(crate) fn check(file: Option<&Path>, listen_at: Option<SocketAddr>, offline: bool) -> anyhow::Result<()> {
    let usual = Path::new(DEFAULT_CONFIG);
    let mut config = match file {
        Some(file) => Config::read(file)?,
        None => Config::read_or_default(usual)?,
    };
    config.listen = listen_at.unwrap_or(config.listen);
    let mut out = io::stdout();
    match file.unwrap_or(usual) {
        file if file.exists() => writeln!(out, "{} is valid", file.display())?,
        file => writeln!(out, "there is no {}, and the defaults are valid", file.display())?,
    }
    if offline {
        return Ok(());
    }
    let findings = [
        listen(config.listen),
        open_files(&config),
        memory(&config),
        access(&config),
    ];
    let failures = report(&findings)?;
    anyhow::ensure!(failures == 0, "{failures} of these would fail");
    Ok(())
}

fn listen(address: SocketAddr) -> Finding {
    let found = |verdict, text| Finding::new("listen", verdict, text);
    let first_free = std::fs::read_to_string(FIRST_FREE_PORT);
    let first_free: u16 = first_free
        .ok()
        .and_then(|port| port.trim().parse().ok())
        .unwrap_or(1024);
    match try_listen(address) {
        Ok(()) if address.port() != 0 && address.port() < first_free => found(
            Verdict::Note,
            format!(
                "{address}: ports below {first_free} need CAP_NET_BIND_SERVICE, which the service does not have"
            ),
        ),
        Ok(()) => found(Verdict::Works, address.to_string()),
        // By the server that runs already, in most cases.
        Err(error) if error.cause.kind() == io::ErrorKind::AddrInUse => {
            found(Verdict::Note, error.to_string())
        }
        Err(error) => found(Verdict::Fails, error.to_string()),
    }
}

fn open_files(config: &Config) -> Finding {
    let found = |verdict, text| Finding::new("files", verdict, text);
    let wanted = config.limits.connections;
    match files::connections(wanted) {
        (connections, files) if connections < wanted => {
            found(Verdict::Note, files::shortage(wanted, connections, files))
        }
        _ => found(Verdict::Works, format!("{wanted} connections")),
    }
}

fn memory(config: &Config) -> Finding {
    let found = |verdict, text| Finding::new("memory", verdict, text);
    let (wanted, enough_for) = (config.limits.members, config.members_that_fit());
    if enough_for < wanted {
        let text = format!(
            "limits.memory is enough for about {enough_for} of {wanted} members; raise it, or lower limits.members"
        );
        return found(Verdict::Note, text);
    }
    let connections = config.limits.connections;
    if connections < wanted + wanted / 10 {
        let text = format!(
            "{wanted} members need a connection each to wait, and one more to send; limits.connections is {connections}"
        );
        return found(Verdict::Note, text);
    }
    found(Verdict::Works, format!("{wanted} members"))
}

fn access(config: &Config) -> Finding {
    let found = |verdict, text| Finding::new("access", verdict, text);
    match &config.access.token_file {
        Some(file) => found(
            Verdict::Works,
            format!("whoever has the token of {}", file.display()),
        ),
        None if config.listen.ip().is_loopback() => {
            found(Verdict::Works, "everybody on this machine".to_owned())
        }
        None => found(
            Verdict::Note,
            "everybody who can reach this machine; a token_file under [access] would keep strangers out"
                .to_owned(),
        ),
    }
}
