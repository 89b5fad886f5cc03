use std::net::{SocketAddr, UdpSocket};

/// The URLs under which people can open a server that listens on this address.
pub fn urls(listening: SocketAddr) -> Vec<String> {
    let url = |address: SocketAddr| format!("http://{address}/");
    if !listening.ip().is_unspecified() {
        return vec![url(listening)];
    }
    let mut urls = vec![format!("http://localhost:{}/", listening.port())];
    // The address of the way out is the one under which the others of this network know this machine. Nothing
    // is sent: connecting a UDP socket only looks up the way. The addresses are for documentation (RFC 5737, 3849).
    for (local, remote) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        if local.starts_with('[') && listening.is_ipv4() {
            continue;
        }
        let way_out = UdpSocket::bind(local).and_then(|socket| {
            socket.connect(remote)?;
            socket.local_addr()
        });
        if let Ok(way_out) = way_out.map(|address| SocketAddr::new(address.ip(), listening.port())) {
            urls.push(url(way_out));
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_can_be_opened() {
        assert_eq!(
            urls("127.0.0.1:8888".parse().unwrap()),
            ["http://127.0.0.1:8888/"]
        );
        assert_eq!(urls("[::1]:8888".parse().unwrap()), ["http://[::1]:8888/"]);
        let all = urls("[::]:8888".parse().unwrap());
        assert_eq!(all[0], "http://localhost:8888/");
        assert!(
            all.iter()
                .all(|url| url.ends_with(":8888/") && !url.contains("[::]")),
            "{all:?}"
        );
    }
}
