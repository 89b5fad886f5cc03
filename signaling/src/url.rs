//! Where a server is.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::http;

/// The address of a signaling server: `http://host[:port][/]`.
///
/// Without a port it is [`http::PORT`] (8888), as for the stock programs, not HTTP's 80; to mean 80, write it. The
/// host is a name, an IPv4 address, or an IPv6 address in brackets (`http://[::1]:8888`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// Without brackets.
    host: String,
    port: u16,
}

/// Why a text is not the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// It does not begin with `http://`.
    #[error("\"{0}\" does not begin with http://; write for example http://192.0.2.1:8888")]
    NoScheme(String),
    /// It begins with `https://`.
    #[error(
        "\"{0}\": signaling over https is not supported; use http://, or put a TLS tunnel (such as stunnel or a VPN) \
         before the server and give its local address"
    )]
    Https(String),
    /// There is no host, or one that can't be.
    #[error(
        "\"{0}\" has no valid host; write for example http://192.0.2.1:8888 or http://[2001:db8::1]:8888"
    )]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("the port of \"{0}\" is not a number from 1 to 65535")]
    Port(String),
    /// There is more than a host and a port.
    #[error("\"{0}\" has more than a host and a port; leave out the path, the query and any user name")]
    TooMuch(String),
}

impl ServerUrl {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` as it stands in a URL and in the `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Default for ServerUrl {
    /// The usual server on this machine, `http://127.0.0.1:8888`.
    fn default() -> ServerUrl {
        ServerUrl {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: http::PORT,
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<ServerUrl, ServerUrlError> {
        let whole = || text.to_owned();
        let after = |scheme: &str| {
            let start = text.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        };
        if after("https://").is_some() {
            return Err(ServerUrlError::Https(whole()));
        }
        let rest = after("http://").ok_or_else(|| ServerUrlError::NoScheme(whole()))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(ServerUrlError::TooMuch(whole()));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed
                    .split_once(']')
                    .ok_or_else(|| ServerUrlError::Host(whole()))?;
                host.parse::<Ipv6Addr>()
                    .map_err(|_| ServerUrlError::Host(whole()))?;
                match after.strip_prefix(':') {
                    None if after.is_empty() => (host, None),
                    None => return Err(ServerUrlError::Host(whole())),
                    Some(port) => (host, Some(port)),
                }
            }
            None => match authority.split_once(':') {
                None => (authority, None),
                Some((host, port)) => (host, Some(port)),
            },
        };
        // The host goes into a header: nothing but the characters of names and addresses.
        let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(ServerUrlError::Host(whole()));
        }
        let port = match port {
            None => http::PORT,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|&port| port != 0)
                .ok_or_else(|| ServerUrlError::Port(whole()))?,
            Some(_) => return Err(ServerUrlError::Port(whole())),
        };
        Ok(ServerUrl {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_write_are_read() {
        for (text, host, port, shown) in [
            ("http://porch", "porch", 8888, "http://porch:8888"),
            (
                "http://porch.local:80/",
                "porch.local",
                80,
                "http://porch.local:80",
            ),
            (
                "HTTP://192.0.2.1:8888",
                "192.0.2.1",
                8888,
                "http://192.0.2.1:8888",
            ),
            ("http://[::1]", "::1", 8888, "http://[::1]:8888"),
            (
                "http://[2001:db8::1]:9/",
                "2001:db8::1",
                9,
                "http://[2001:db8::1]:9",
            ),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.to_string(), shown);
            assert_eq!(shown.parse(), Ok(url));
        }
    }

    #[test]
    fn the_usual_server_is_on_this_machine() {
        let usual = ServerUrl::default();
        assert_eq!(usual.to_string(), "http://127.0.0.1:8888");
        assert_eq!("http://127.0.0.1".parse(), Ok(usual));
    }

    #[test]
    fn an_error_says_what_to_write_instead() {
        for (text, says) in [
            ("porch:8888", "does not begin with http://"),
            ("", "does not begin with http://"),
            ("ftp://porch", "does not begin with http://"),
            ("https://porch", "https is not supported"),
            ("http://", "no valid host"),
            ("http://:8888", "no valid host"),
            ("http://[::1", "no valid host"),
            ("http://[porch]:1", "no valid host"),
            ("http://[::1]x", "no valid host"),
            ("http://a b", "no valid host"),
            ("http://a\r\nb", "no valid host"),
            ("http://::1", "no valid host"),
            ("http://porch:", "the port of"),
            ("http://porch:0", "the port of"),
            ("http://porch:65536", "the port of"),
            ("http://porch:+80", "the port of"),
            ("http://porch/path", "more than a host and a port"),
            ("http://me@porch", "more than a host and a port"),
            ("http://porch?x", "more than a host and a port"),
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
