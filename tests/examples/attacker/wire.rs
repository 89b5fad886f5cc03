//! The signaling requests, as bytes, from whichever address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Target;

/// A server that is busy with others may take its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// What `Pragma` says: a member's id.
    pub id: Option<u64>,
    /// What follows the head.
    pub body: String,
}

/// Where requests go, and where they come from.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    server: SocketAddr,
    own: Option<IpAddr>,
}

impl Door {
    /// That of the attacker's address of this number.
    pub fn number(target: &Target, number: usize) -> Self {
        let own = (!target.from.is_empty()).then(|| target.from[number % target.from.len()]);
        let mut server = target.server;
        // Who speaks from this machine's own addresses reaches it there.
        if own.is_some_and(|own| own.is_loopback()) {
            server.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Self { server, own }
    }

    /// A connection on which nothing was said yet.
    pub async fn connect(self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(own) = self.own {
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(own, 0))?;
        }
        within(socket.connect(self.server)).await
    }

    /// Sends a request and reads the answer.
    pub async fn ask(self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect().await?;
        within(stream.write_all(request)).await?;
        within(read(&mut stream)).await
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await?
}

async fn read(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut data = Vec::new();
    loop {
        if let Some(answer) = whole(&data) {
            return Ok(answer);
        }
        if stream.read_buf(&mut data).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The answer, once its head and as much as that promises are there.
fn whole(data: &[u8]) -> Option<Answer> {
    let end = data.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&data[..end]).ok()?;
    let header = |name: &str| {
        head.split("\r\n")
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let length = header("Content-Length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let body = data.get(end + 4..end + 4 + length)?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        id: header("Pragma").and_then(|id| id.parse().ok()),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

/// A request to sign in.
pub fn sign_in(name: &str) -> Vec<u8> {
    format!("GET /sign_in?{name} HTTP/1.0\r\n\r\n").into_bytes()
}

/// A request for the next event of a member.
pub fn wait(id: u64) -> Vec<u8> {
    format!("GET /wait?peer_id={id} HTTP/1.0\r\n\r\n").into_bytes()
}

/// A message of one member to another.
pub fn message(from: u64, to: u64, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /message?peer_id={from}&to={to} HTTP/1.0\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Somebody who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Whence.
    pub door: Door,
    /// Its id.
    pub id: u64,
    /// The node's id.
    pub node: u64,
}

impl Member {
    /// Signs in, from the address of this number.
    pub async fn sign_in(target: &Target, number: usize) -> anyhow::Result<Self> {
        let door = Door::number(target, number);
        let answer = door.ask(&sign_in(&format!("attacker {number}"))).await?;
        let listed = |line: &str| {
            let (id, name) = (line.split(',').nth(1)?, line.split(',').next()?);
            (name == target.node).then(|| id.parse().ok()).flatten()
        };
        let node = answer.body.lines().find_map(listed);
        Ok(Self {
            door,
            id: answer
                .id
                .with_context(|| format!("not signed in: {}", answer.status))?,
            node: node.context("the node is not there")?,
        })
    }

    /// Sends something to the node.
    pub async fn send(self, target: &Target, body: &[u8]) {
        let answer = self.door.ask(&message(self.id, self.node, body)).await;
        target.count(
            match answer {
                Ok(answer) if answer.status == 200 => "sent",
                _ => "refused",
            },
            1,
        );
    }

    /// Fetches what comes for it, and throws it away, until the server knows it no more.
    pub async fn fetch(self) {
        while let Ok(answer) = self.door.ask(&wait(self.id)).await
            && answer.status == 200
        {}
    }
}
