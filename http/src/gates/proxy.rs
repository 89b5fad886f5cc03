//! Whom a proxy speaks for. All that it passes on comes from its own address; whose it is it says in a header, which anybody
//! else can write as well. So only the word of those proxies counts that the configuration trusts.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use hyper::header::{FORWARDED, HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, de};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of a proxy, or a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy {
    network: IpAddr,
    /// How many bits of it count.
    length: u32,
}

/// What is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address of a proxy; write it as \"127.0.0.1\", or a network as \"10.0.0.0/8\" or \"fd00::/8\""
)]
pub struct TrustedProxyError(String);

impl TrustedProxy {
    fn has(self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - self.length).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - self.length).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(written: &str) -> Result<TrustedProxy, TrustedProxyError> {
        let wrong = || TrustedProxyError(written.to_owned());
        let (address, length) = match written.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (written, None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if length <= most {
            Ok(TrustedProxy { network, length })
        } else {
            Err(wrong())
        }
    }
}

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<TrustedProxy, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Whoever a proxy can't tell us: no client has this address.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whether one of them is at this address.
pub(super) fn is_trusted(proxies: &[TrustedProxy], address: IpAddr) -> bool {
    proxies.iter().any(|proxy| proxy.has(address))
}

/// Whose request it is that came from this address: of the addresses on its way, the last one that is no trusted proxy's.
///
/// There are two headers for it, and a proxy passes on unseen what it does not know. So where both are there they have to say
/// the same. Where they don't, or make no sense, the request is [`NOBODY`]'s: a program beside the proxy has the same address as the
/// proxy, and nobody must be able to pass for it. Without either header the request is the proxy's own.
pub(super) fn client(proxies: &[TrustedProxy], from: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !is_trusted(proxies, from) {
        return from;
    }
    let by = |name, address_of| last_untrusted(proxies, from, headers, name, address_of);
    match (by(X_FORWARDED_FOR, plain), by(FORWARDED, forwarded)) {
        (Some(one), Some(other)) if one != other => NOBODY,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => from,
    }
}

/// `None` without such a header.
fn last_untrusted(
    proxies: &[TrustedProxy],
    from: IpAddr,
    headers: &HeaderMap,
    name: HeaderName,
    address_of: fn(&str) -> Option<IpAddr>,
) -> Option<IpAddr> {
    let mut lines = headers.get_all(name).iter().rev().peekable();
    lines.peek()?;
    let mut client = from;
    for line in lines {
        for element in line.to_str().unwrap_or_default().rsplit(',') {
            // What makes no sense was not written by a proxy that is worth its trust; whom it is about nobody knows.
            let Some(address) = address_of(element.trim()) else {
                return Some(NOBODY);
            };
            client = address;
            if !is_trusted(proxies, address) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// An element of `X-Forwarded-For`: an address, which some write with a port.
fn plain(element: &str) -> Option<IpAddr> {
    let bare = element.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let bare = bare.map_or(element, |(address, _)| address);
    let address = bare
        .parse()
        .ok()
        .or_else(|| bare.rsplit_once(':')?.0.parse().ok().filter(IpAddr::is_ipv4))?;
    Some(address.to_canonical())
}

/// An element of `Forwarded`: `for=192.0.2.1;proto=https`, `for="[2001:db8::1]:4711"` (RFC 7239, 4).
fn forwarded(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(key, _)| key.eq_ignore_ascii_case("for"));
    plain(named.next()?.1.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(written: &[&str]) -> Vec<TrustedProxy> {
        written.iter().map(|proxy| proxy.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_and_a_network_are_told_apart() {
        for (proxy, address, is_its) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.7/8", "10.1.1.1", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
            ("::1", "::1", true),
        ] {
            let proxy: TrustedProxy = proxy.parse().unwrap();
            assert_eq!(proxy.has(address.parse().unwrap()), is_its, "{proxy:?} {address}");
        }
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.1:80",
        ] {
            let error = wrong.parse::<TrustedProxy>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")), "{error}");
        }
    }

    #[test]
    fn the_last_address_that_is_not_trusted_counts_and_only_a_trusted_proxy_is_believed() {
        const X: &str = "x-forwarded-for";
        const F: &str = "forwarded";
        let trusted = proxies(&["127.0.0.1", "10.0.0.0/8"]);
        for (from, lines, client) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("192.0.2.9", &[(X, "192.0.2.1")], "192.0.2.9"),
            ("127.0.0.1", &[(X, "192.0.2.1")], "192.0.2.1"),
            ("127.0.0.1", &[(X, "6.6.6.6, 192.0.2.1")], "192.0.2.1"),
            (
                "127.0.0.1",
                &[(X, "6.6.6.6"), (X, "192.0.2.1, 10.0.0.2")],
                "192.0.2.1",
            ),
            ("127.0.0.1", &[(X, "10.0.0.3,10.0.0.2")], "10.0.0.3"),
            ("127.0.0.1", &[(X, "192.0.2.1:4711")], "192.0.2.1"),
            ("127.0.0.1", &[(X, "2001:db8::1")], "2001:db8::1"),
            ("127.0.0.1", &[(X, "[2001:db8::1]:4711")], "2001:db8::1"),
            ("127.0.0.1", &[(X, "192.0.2.1, unknown, 10.0.0.2")], "0.0.0.0"),
            ("127.0.0.1", &[(X, "")], "0.0.0.0"),
            ("127.0.0.1", &[(F, "for=192.0.2.1;proto=https")], "192.0.2.1"),
            (
                "127.0.0.1",
                &[(F, "for=6.6.6.6, For=\"[2001:db8::1]:4711\"")],
                "2001:db8::1",
            ),
            ("127.0.0.1", &[(F, "for=_hidden")], "0.0.0.0"),
            ("127.0.0.1", &[(F, "proto=https")], "0.0.0.0"),
            // One of the two is the client's own.
            ("127.0.0.1", &[(X, "192.0.2.1"), (F, "for=6.6.6.6")], "0.0.0.0"),
            (
                "127.0.0.1",
                &[(X, "192.0.2.1"), (F, "for=192.0.2.1")],
                "192.0.2.1",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            let found = super::client(&trusted, from.parse().unwrap(), &headers);
            assert_eq!(found.to_string(), client, "{from} {lines:?}");
        }
    }
}
