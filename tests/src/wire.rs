//! A bare member of a server: the signaling requests as bytes, for tests that send what no proper client would, or
//! that only want to know who is there. It shares no code with the project's own client on purpose.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::network::Network;
use crate::process::SOON;

/// An answer, as far as the protocol uses it.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Everything before the empty line.
    pub head: String,
    /// What follows it.
    pub body: Vec<u8>,
}

/// Sends `request` on a connection of its own and reads the answer to its Content-Length, or to the end.
///
/// # Errors
/// The connection fails, or ends before the answer is whole.
pub fn exchange(network: &Network, server: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = network.inside(|| TcpStream::connect(server))?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(request)?;
    read_answer(&mut stream)
}

/// Reads one answer.
///
/// # Errors
/// The connection fails, or ends before the answer is whole.
pub fn read_answer(stream: &mut impl Read) -> io::Result<Answer> {
    let mut data = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = data.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&data[..end]).into_owned();
            let length = header(&head, "Content-Length")
                .and_then(|value| value.parse::<usize>().ok())
                .unwrap_or(0);
            if data.len() >= end + 4 + length {
                let status = head
                    .split(' ')
                    .nth(1)
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(0);
                return Ok(Answer {
                    status,
                    head,
                    body: data[end + 4..end + 4 + length].to_vec(),
                });
            }
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        data.extend_from_slice(&buffer[..count]);
    }
}

/// The value of a header, its name in exactly this case.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .skip(1)
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A member that a test speaks for.
pub struct Member<'network> {
    network: &'network Network,
    server: SocketAddr,
    /// Its id.
    pub id: u64,
    /// Name and id of those who were there when it came.
    pub others: Vec<(String, u64)>,
}

impl<'network> Member<'network> {
    /// Signs in.
    pub fn sign_in(network: &'network Network, server: SocketAddr, name: &str) -> Self {
        let answer = exchange(
            network,
            server,
            format!("GET /sign_in?{name} HTTP/1.0\r\n\r\n").as_bytes(),
        )
        .expect("the server answers a sign-in");
        assert_eq!(answer.status, 200, "{}", answer.head);
        let id = header(&answer.head, "Pragma")
            .and_then(|id| id.parse().ok())
            .expect("Pragma is the own id");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let others = body
            .lines()
            .filter_map(entry)
            .filter(|(_, other)| *other != id)
            .collect();
        Self {
            network,
            server,
            id,
            others,
        }
    }

    /// The id of the member of that name, from the list at the sign-in.
    pub fn find(&self, name: &str) -> u64 {
        let found = self.others.iter().find(|(other, _)| other == name);
        found
            .unwrap_or_else(|| panic!("{name} is not among {:?}", self.others))
            .1
    }

    /// Sends `body` to another member; the status of the answer.
    pub fn send(&self, to: u64, body: &[u8]) -> u16 {
        let head = format!(
            "POST /message?peer_id={}&to={to} HTTP/1.0\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n",
            self.id,
            body.len()
        );
        let answer = exchange(self.network, self.server, &[head.as_bytes(), body].concat());
        answer.expect("the server answers a message").status
    }

    /// The next event within `patience`: who it is from (itself, for a presence entry), and what it says.
    pub fn wait(&self, patience: Duration) -> Option<(u64, String)> {
        let request = format!("GET /wait?peer_id={} HTTP/1.0\r\n\r\n", self.id);
        let mut stream = self
            .network
            .inside(|| TcpStream::connect(self.server))
            .expect("the server listens");
        stream
            .set_read_timeout(Some(patience))
            .expect("a time-out above zero");
        stream
            .write_all(request.as_bytes())
            .expect("the server takes a request");
        let answer = read_answer(&mut stream).ok()?;
        let from = header(&answer.head, "Pragma").and_then(|id| id.parse().ok())?;
        Some((from, String::from_utf8_lossy(&answer.body).into_owned()))
    }
}

fn entry(line: &str) -> Option<(String, u64)> {
    let mut parts = line.split(',');
    Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?))
}
