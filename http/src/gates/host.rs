//! The name by which a browser asks, against DNS rebinding: a page of `evil.example` whose name is suddenly made to
//! mean this machine is of the same origin as this server, for the browser; but the browser still says `Host:
//! evil.example`. So only names pass that a stranger can't have, and those that the configuration adds.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap};
use serde::{Deserialize, Deserializer, de};

use super::caller::Caller;
use super::refusal::Refusal;

/// The longest name in the domain name system, in characters.
const LONGEST: usize = 253;

/// A name of a machine, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// What is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host name; write it without scheme and port, as \"cameras.example.org\", and one of other letters in \
     its ASCII form (xn--…)"
)]
pub struct HostNameError(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(written: &str) -> Result<HostName, HostNameError> {
        let name = written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase();
        if is_name(&name) {
            Ok(HostName(name))
        } else {
            Err(HostNameError(written.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for HostName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<HostName, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Labels of letters, digits, hyphens and, as some routers give them, underscores.
pub(super) fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}

#[derive(Debug)]
pub(super) struct HostGate {
    /// This machine's name, the part before the first dot; none where it has no name of its own.
    own: Option<String>,
    allowed: Vec<HostName>,
    section: &'static str,
}

impl HostGate {
    pub(super) fn new(allowed: &[HostName], section: &'static str) -> HostGate {
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        HostGate::of(&own, allowed, section)
    }

    fn of(own: &str, allowed: &[HostName], section: &'static str) -> HostGate {
        let own = own.split('.').next().unwrap_or_default().to_ascii_lowercase();
        HostGate {
            // A system whose name was never set is called so; it would let in `localhost.evil.example`.
            own: Some(own).filter(|own| is_name(own) && own != "localhost"),
            allowed: allowed.to_vec(),
            section,
        }
    }

    /// # Errors
    /// The request asks for another machine.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        // Who names no host is no browser: every one has done so for 25 years, and the stock clients don't.
        let Some(host) = hosts.next() else {
            return Ok(());
        };
        let host = host.to_str().unwrap_or_default();
        if hosts.next().is_none() && name_of(host).is_some_and(|name| self.is_own(&name)) {
            return Ok(());
        }
        tracing::debug!(host, "a request for another host");
        let section = self.section;
        let sentence = match name_of(host).filter(|name| is_name(name)) {
            Some(name) => format!(
                "{name} is not known to be a name of this server. If it is one, add hosts = [\"{name}\"] under {section}."
            ),
            None => format!(
                "The header Host names no host. It takes one name or address; names of this server are added by `hosts` \
                 under {section}."
            ),
        };
        Err(Refusal {
            caller: Caller::Stranger,
            ..Refusal::new(StatusCode::MISDIRECTED_REQUEST, sentence)
        })
    }

    /// Whether a name can be meant for this machine only.
    fn is_own(&self, name: &str) -> bool {
        if name.parse::<IpAddr>().is_ok() {
            return true;
        }
        if !is_name(name) {
            return false;
        }
        let Some((first, _)) = name.split_once('.') else {
            // Nobody owns a name without a dot; in a home network the router gives it.
            return true;
        };
        // RFC 6761, 6.3, and RFC 6762, 3: neither is ever asked for outside of this machine, and of this network.
        name.ends_with(".localhost")
            || name.ends_with(".local")
            || self.own.as_deref() == Some(first)
            || self.allowed.iter().any(|allowed| allowed.0 == name)
    }
}

/// The name or the address of `name:port`, in lower case and without brackets; nothing where it is neither.
fn name_of(host: &str) -> Option<String> {
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(bracketed) = host.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let is_rest = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return (is_rest && address.parse::<Ipv6Addr>().is_ok()).then(|| address.to_owned());
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let name = name.strip_suffix('.').unwrap_or(name);
    (is_port(port) && !name.is_empty()).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> HostGate {
        let allowed = ["cameras.example.org".parse().unwrap()];
        HostGate::of("Porch.home", &allowed, "[access] in server.toml")
    }

    fn refusal(gate: &HostGate, hosts: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        let refusal = gate.check(&headers).err()?;
        assert_eq!(refusal.status, StatusCode::MISDIRECTED_REQUEST);
        Some(refusal.sentence.into_owned())
    }

    #[test]
    fn names_that_no_stranger_can_have_pass() {
        let gate = gate();
        assert_eq!(refusal(&gate, &[]), None, "HTTP/1.0");
        for host in [
            // Addresses.
            "127.0.0.1",
            "127.0.0.1:8888",
            "192.168.1.10:80",
            "[::1]",
            "[::1]:8888",
            "[fe80::1]:8888",
            "[2001:DB8::1]:",
            // A single label.
            "shed",
            "Shed:8888",
            "shed.:8888",
            // This machine.
            "localhost",
            "LOCALHOST:8889",
            "localhost.:8889",
            "porch.localhost:1",
            // Multicast DNS.
            "garden.local:8888",
            "a.b.local",
            // Its own name, whatever the network is called.
            "porch.fritz.box:8888",
            "PORCH.home",
            "porch.lan.",
            // What the configuration adds.
            "cameras.example.org",
            "Cameras.Example.ORG:443",
        ] {
            assert_eq!(refusal(&gate, &[host]), None, "{host}");
        }
    }

    #[test]
    fn other_names_are_refused_with_the_key_that_would_allow_them() {
        for host in [
            "evil.example",
            "evil.example:8888",
            "localhost.evil.example:8889",
            "127.0.0.1.evil.example",
            "notporch.fritz.box",
            "fritz.box",
            "evil.porch.home",
            "www.cameras.example.org",
            "cameras.example.org.evil.example",
            "local.example",
        ] {
            let said = refusal(&gate(), &[host]).expect(host);
            let name = host.split(':').next().unwrap();
            assert!(said.starts_with(&format!("{name} is not known")), "{said}");
            assert!(
                said.contains(&format!("hosts = [\"{name}\"] under [access] in server.toml")),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in [
            "",
            "[",
            "[::1",
            "[::1].evil.example:80",
            "[::1]x",
            "[porch]",
            "[127.0.0.1]",
            "::1",
            "fe80::1:8888",
            "porch:http",
            "porch:888888",
            "a..local",
            ".local",
            "user@porch",
            "porch/x",
            "por ch",
        ] {
            let said = refusal(&gate(), &[host]).expect(host);
            assert!(said.contains("`hosts` under [access] in server.toml"), "{said}");
        }
        assert!(
            refusal(&gate(), &["porch", "evil.example"]).is_some(),
            "two at once"
        );
    }

    #[test]
    fn a_machine_without_a_name_of_its_own_lets_nobody_in_by_it() {
        for own in ["localhost", "localhost.localdomain", "(none)", ""] {
            let gate = HostGate::of(own, &[], "");
            assert!(refusal(&gate, &["localhost.evil.example"]).is_some(), "{own}");
            assert!(refusal(&gate, &["(none).evil.example"]).is_some(), "{own}");
        }
    }

    #[test]
    fn a_name_in_the_configuration_is_a_name_alone() {
        assert_eq!(
            "Cameras.example.org.".parse(),
            Ok(HostName("cameras.example.org".into()))
        );
        for wrong in [
            "",
            "https://cameras.example.org",
            "cameras.example.org:8888",
            "cameras.example.org/",
            "*.example.org",
            "kameras.exämple.org",
            "[::1]",
        ] {
            let error = wrong.parse::<HostName>().unwrap_err().to_string();
            assert!(error.contains("without scheme and port"), "{error}");
        }
    }
}
