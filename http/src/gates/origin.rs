use std::str::FromStr;

use hyper::header::HeaderValue;
use serde::{Deserialize, Deserializer, de};

use super::host::is_name;

/// A page from elsewhere that may use a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every page: `"*"`.
    Every,
    /// The pages of one origin (RFC 6454), as a browser writes it.
    One(String),
}

/// What is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin; write scheme, host and, if it is in the address, the port, as \"https://home.example.org:8123\", or \
     \"*\" for every page there is"
)]
pub struct OriginError(String);

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(written: &str) -> Result<AllowedOrigin, OriginError> {
        if written == "*" {
            return Ok(AllowedOrigin::Every);
        }
        match Origin::parse(written) {
            Some(Origin { scheme, authority }) => Ok(AllowedOrigin::One(format!("{scheme}://{authority}"))),
            None => Err(OriginError(written.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<AllowedOrigin, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// In lower case, without the scheme's own port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: String,
    pub(super) authority: String,
}

impl Origin {
    pub(super) fn parse(written: &str) -> Option<Origin> {
        let (scheme, authority) = written.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let scheme = scheme.to_ascii_lowercase();
        let authority = without_own_port(&scheme, &authority.to_ascii_lowercase()).to_owned();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority.as_str(), None),
        };
        let is_host = match host
            .strip_prefix('[')
            .and_then(|bracketed| bracketed.strip_suffix(']'))
        {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(host),
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        (is_scheme && is_host && is_port).then_some(Origin { scheme, authority })
    }

    /// Whether it is the one that the browser sees this server at. The scheme is not compared: before the server there
    /// may be a proxy that speaks TLS.
    pub(super) fn is_of(&self, host: &HeaderValue) -> bool {
        let Ok(host) = host.to_str() else { return false };
        // Of several proxies the first one was asked.
        let host = host.split(',').next().unwrap_or_default().trim();
        without_own_port(&self.scheme, &host.to_ascii_lowercase()) == self.authority
    }
}

fn without_own_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_in_the_configuration_is_an_origin_alone() {
        for (written, read) in [
            ("https://Home.example:443", "https://home.example"),
            ("http://porch:80", "http://porch"),
            ("http://porch:8123", "http://porch:8123"),
            ("http://[::1]:8123", "http://[::1]:8123"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(written.parse(), Ok(AllowedOrigin::One(read.into())));
        }
        for wrong in [
            "",
            "null",
            "home.example",
            "https://",
            "https://home.example/",
            "https://home.example/page",
            "https://me@home.example",
            "https://home.example:port",
            "https://*.example",
            "https://a https://b",
            "https://a; script-src *",
            "://a",
        ] {
            let error = wrong.parse::<AllowedOrigin>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{wrong}` is no origin"))
                    && error.contains("https://home.example.org:8123"),
                "{error}"
            );
        }
    }
}
