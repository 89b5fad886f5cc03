//! A client that is as literal as the stock one: HTTP/1.0, no `Host`, header names compared byte by byte.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_server::config::Config;
use pinhole_server::http::{Control, Server};
use pinhole_service::watchdog::Watchdog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// That of the server's pulse.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A real server on a free port; it ends with the test.
pub struct TestServer {
    pub address: SocketAddr,
    pub control: Control,
    pub watchdog: Watchdog,
    pub stop: CancellationToken,
    pub running: JoinSet<()>,
}

impl TestServer {
    pub async fn start() -> TestServer {
        TestServer::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..Config::default()
        };
        change(&mut config);
        let server = Server::bind(&config).unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        let control = server.control();
        let watchdog = Watchdog::default();
        let pulse = watchdog.pulse("the server", PATIENCE);
        let mut running = JoinSet::new();
        running.spawn(server.run(stop.clone(), pulse));
        TestServer {
            address,
            control,
            watchdog,
            stop,
            running,
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects as another machine would, from an address of the loopback network. What is not read soon fills its buffer.
    pub async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends a request from another address and reads the answer.
    pub async fn ask_from(&self, address: &str, request: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect_from(address).await;
        stream.write_all(request.as_ref()).await.unwrap();
        reply(stream).await
    }

    /// Sends a request and reads the answer.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.unwrap();
        reply(stream).await
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.ask(format!("GET {target} HTTP/1.0\r\n\r\n")).await
    }

    pub async fn post(&self, target: &str, body: &str) -> Reply {
        self.ask(post(target, body)).await
    }

    /// Signs in and gives the id.
    pub async fn sign_in(&self, name: &str) -> u64 {
        let reply = self.get(&format!("/sign_in?{name}")).await;
        assert_eq!(reply.status(), 200, "{reply:?}");
        reply.header("Pragma").unwrap().parse().unwrap()
    }

    /// Opens a wait and leaves it open.
    pub async fn open_wait(&self, id: u64) -> TcpStream {
        let mut stream = self.connect().await;
        stream
            .write_all(format!("GET /wait?peer_id={id} HTTP/1.0\r\n\r\n").as_bytes())
            .await
            .unwrap();
        stream
    }

    /// Waits for one event: its `Pragma` and its body.
    pub async fn wait(&self, id: u64) -> (u64, String) {
        let reply = reply(self.open_wait(id).await).await;
        assert_eq!(reply.status(), 200, "{reply:?}");
        (reply.header("Pragma").unwrap().parse().unwrap(), reply.text())
    }
}

pub fn post(target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.0\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n{body}",
        body.len()
    )
}

/// A whole answer, as it came.
#[derive(Debug)]
pub struct Reply {
    pub head: String,
    pub body: Vec<u8>,
}

/// Reads until the server closes the connection. Every answer must say its length, in the stock's spelling, and keep
/// to it.
pub async fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4);
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let body = bytes.split_off(end);
    let reply = Reply {
        head: String::from_utf8(bytes).unwrap(),
        body,
    };
    if reply.status() != 304 {
        assert_eq!(
            reply.header("Content-Length"),
            Some(reply.body.len().to_string().as_str()),
            "{reply:?}"
        );
    }
    assert_eq!(reply.header("Connection"), Some("close"), "{reply:?}");
    reply
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .split(&format!("\r\n{name}: "))
            .nth(1)?
            .split("\r\n")
            .next()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
