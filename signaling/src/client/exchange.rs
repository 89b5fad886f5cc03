//! One request and its answer, over one TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{self, Answer, ReadError};
use super::{CONNECT, ClientError};
use crate::http;
use crate::token::Token;
use crate::url::ServerUrl;

/// Probes are for connections on which nothing is under way. What was sent and is not acknowledged for this long
/// ends a connection, too: left to itself, the system would go on for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// A connection on which nothing comes is probed after this long, then each `PROBE_EVERY`, and is dead
/// after `PROBES` probes without an answer.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

pub(super) struct Request<'a> {
    pub(super) server: &'a ServerUrl,
    pub(super) token: Option<&'a Token>,
    /// Path and query, percent-encoded.
    pub(super) target: String,
    /// With a body it is a POST, without one a GET.
    pub(super) body: Option<Bytes>,
    /// How long the answer may take; `None`: for ever.
    pub(super) patience: Option<Duration>,
    /// The most bytes of the answer's body.
    pub(super) limit: usize,
}

impl Request<'_> {
    /// Connects, asks, and reads the whole answer; the connection is closed then.
    pub(super) async fn exchange(self) -> Result<Answer, ClientError> {
        let (mut stream, address) = connect(self.server).await?;
        let local_address = stream.local_addr().ok().map(|address| address.ip());
        let outcome = match self.patience {
            None => self.ask(&mut stream).await,
            Some(patience) => timeout(patience, self.ask(&mut stream))
                .await
                .unwrap_or_else(|_| {
                    let what = format!("no answer within {} s", patience.as_secs());
                    Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
                }),
        };
        match outcome {
            Ok(answer) => Ok(Answer {
                local_address,
                ..answer
            }),
            Err(ReadError::Io(source)) => Err(ClientError::Unreachable {
                address: address.to_string(),
                source,
            }),
            Err(ReadError::Answer(error)) => Err(error),
        }
    }

    async fn ask(&self, stream: &mut TcpStream) -> Result<Answer, ReadError> {
        // In one write: the stock server reads a small request in one piece.
        stream.write_all(&self.to_bytes()).await?;
        answer::read(stream, self.limit).await
    }

    fn to_bytes(&self) -> Vec<u8> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let authority = self.server.authority();
        let mut request = format!("{method} {} HTTP/1.0\r\nHost: {authority}\r\n", self.target).into_bytes();
        if let Some(token) = self.token {
            request.extend_from_slice(format!("{}: {}\r\n", http::AUTHORIZATION, token.bearer()).as_bytes());
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            let length = format!("{}: {}\r\n", http::CONTENT_LENGTH, body.len());
            request.extend_from_slice(length.as_bytes());
            request.extend_from_slice(format!("{}: {}\r\n", http::CONTENT_TYPE, http::TEXT_PLAIN).as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        request
    }
}

/// Tries the server's addresses in turn (the stock server has no IPv6, though `localhost` may), sharing the time.
async fn connect(server: &ServerUrl) -> Result<(TcpStream, SocketAddr), ClientError> {
    let unreachable = |address: String, source| ClientError::Unreachable { address, source };
    let slow = || io::Error::new(io::ErrorKind::TimedOut, "no answer");
    let deadline = Instant::now() + CONNECT;
    let resolved = timeout_at(deadline, tokio::net::lookup_host((server.host(), server.port()))).await;
    let addresses: Vec<SocketAddr> = resolved
        .unwrap_or_else(|_| Err(slow()))
        .map_err(|source| unreachable(server.authority(), source))?
        .collect();
    let mut failed = None;
    for (tried, &address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / (addresses.len() - tried) as u32;
        match timeout(share, open(address))
            .await
            .unwrap_or_else(|_| Err(slow()))
        {
            Ok(stream) => return Ok((stream, address)),
            Err(source) => failed = Some(unreachable(address.to_string(), source)),
        }
    }
    Err(failed.unwrap_or_else(|| {
        unreachable(
            server.authority(),
            io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        )
    }))
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES);
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, token: Option<&Token>, body: Option<&'static [u8]>) -> String {
        let server: ServerUrl = "http://[::1]:8888".parse().unwrap();
        let body = body.map(Bytes::from_static);
        let request = Request {
            server: &server,
            token,
            target: target.into(),
            body,
            patience: None,
            limit: 0,
        };
        String::from_utf8(request.to_bytes()).unwrap()
    }

    #[test]
    fn requests_are_spelt_as_the_stock_server_reads_them() {
        assert_eq!(
            request("/wait?peer_id=1", None, None),
            "GET /wait?peer_id=1 HTTP/1.0\r\nHost: [::1]:8888\r\n\r\n"
        );
        assert_eq!(
            request("/message?peer_id=1&to=2", None, Some(b"BYE")),
            "POST /message?peer_id=1&to=2 HTTP/1.0\r\nHost: [::1]:8888\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nBYE"
        );
    }

    #[test]
    fn a_token_goes_with_every_request() {
        let token = Token::new("12345678").unwrap();
        assert_eq!(
            request("/wait?peer_id=1", Some(&token), None),
            "GET /wait?peer_id=1 HTTP/1.0\r\nHost: [::1]:8888\r\nAuthorization: Bearer 12345678\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_connection_is_probed_while_nothing_comes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = open(listener.local_addr().unwrap()).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_EVERY);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
    }
}
