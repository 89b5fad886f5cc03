use std::{fmt, str::FromStr};

use serde::Deserialize;

/// A STUN server, `stun:HOST` or `stun:HOST:PORT` (RFC 7064).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct StunServer {
    host: String,
    port: u16,
}

/// What is wrong with the URL of an ICE server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunServerError {
    /// TURN.
    #[error("`{0}`: TURN relays are not supported, only STUN servers such as \"stun:stun.example.org:3478\"")]
    Turn(String),
    /// Anything else.
    #[error(
        "`{0}` is not a STUN server; write \"stun:HOST\" or \"stun:HOST:PORT\", for example \"stun:stun.example.org:3478\""
    )]
    Syntax(String),
}

impl FromStr for StunServer {
    type Err = StunServerError;

    fn from_str(url: &str) -> Result<Self, StunServerError> {
        if url.starts_with("turn:") || url.starts_with("turns:") {
            return Err(StunServerError::Turn(url.to_owned()));
        }
        let read = || {
            let address = url.strip_prefix("stun:")?;
            let (host, port) = match address.rsplit_once(':') {
                // An IPv6 address without a port ends in a bracket.
                Some((host, port)) if !port.ends_with(']') => {
                    (host, port.parse().ok().filter(|port| *port > 0)?)
                }
                _ => (address, 3478),
            };
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .unwrap_or(host);
            let plausible = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
            let valid =
                !bare.is_empty() && bare.chars().all(plausible) && (bare != host || !bare.contains(':'));
            valid.then(|| Self {
                host: bare.to_owned(),
                port,
            })
        };
        read().ok_or_else(|| StunServerError::Syntax(url.to_owned()))
    }
}

impl TryFrom<String> for StunServer {
    type Error = StunServerError;

    fn try_from(url: String) -> Result<Self, StunServerError> {
        url.parse()
    }
}

impl fmt::Display for StunServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The colons of an IPv6 address stand in brackets (RFC 7064, 3.1).
        if self.host.contains(':') {
            write!(f, "stun:[{}]:{}", self.host, self.port)
        } else {
            write!(f, "stun:{}:{}", self.host, self.port)
        }
    }
}

impl StunServer {
    /// Its name or address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_checked() {
        for (url, expected) in [
            ("stun:stun.example.org", "stun:stun.example.org:3478"),
            ("stun:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            ("stun:[2001:db8::1]:5000", "stun:[2001:db8::1]:5000"),
            ("stun:[2001:db8::1]", "stun:[2001:db8::1]:3478"),
        ] {
            assert_eq!(
                url.parse::<StunServer>().map(|server| server.to_string()),
                Ok(expected.to_owned())
            );
        }
        for url in [
            "",
            "stun:",
            "stun::5",
            "stun:x:0",
            "stun:x:99999",
            "http://x",
            "stun:a b",
            "stun:2001:db8::1",
        ] {
            assert!(
                matches!(url.parse::<StunServer>(), Err(StunServerError::Syntax(_))),
                "{url}"
            );
        }
        assert!(matches!(
            "turn:x".parse::<StunServer>(),
            Err(StunServerError::Turn(_))
        ));
    }
}
