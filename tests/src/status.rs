//! What a node tells of itself on `[http] listen`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::eventually::eventually;
use crate::guest::Guest;
use crate::network::Network;
use crate::process::SOON;

/// The default of `[http] listen`.
pub const STATUS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8889);

/// Status code and body of what is served at `path`.
pub fn get(network: &Network, path: &str) -> (u16, String) {
    // A node that has just signed in may not serve it yet.
    let connect = || network.inside(|| TcpStream::connect(STATUS)).ok();
    let mut stream = eventually(SOON, connect).expect("the status is served");
    stream
        .set_read_timeout(Some(SOON))
        .expect("a time-out above zero");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {STATUS}\r\n\r\n").expect("it takes a request");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the answer is text, to the end");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.expect("a status code"), body.to_owned())
}

/// A scrape.
pub struct Metrics(String);

impl Metrics {
    /// All of it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Asks the node that runs on the host.
    pub fn scrape(network: &Network) -> Self {
        let (code, body) = get(network, "/metrics");
        assert!(
            code == 200 && body.contains("# TYPE pinhole_build_info gauge\n"),
            "{code}\n{body}"
        );
        Self(body)
    }

    /// One of the node in a guest, from there: on the guest's network it could be lost.
    pub fn scrape_in(guest: &Guest) -> Self {
        Self(guest.must(&format!(
            "exec 3<>/dev/tcp/{}/{}; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
            STATUS.ip(),
            STATUS.port()
        )))
    }

    /// The value of the first series of this name in whose line all these texts stand.
    pub fn value(&self, name: &str, texts: &[&str]) -> Option<f64> {
        let is = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
                && texts.iter().all(|text| line.contains(text))
        };
        let line = self.0.lines().find(is)?;
        line.rsplit(' ').next()?.parse().ok()
    }
}
