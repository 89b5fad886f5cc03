//! A site that echoes, on a real listener, and a client that reads to the end.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pinhole_http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use pinhole_http::{
    Access, Answer, Gates, Limits, Listener, Receipt, Refusal, Request, Settings, Site, StatusCode, Words,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const LIMITS: Limits = Limits {
    connections: 8,
    connections_each: 8,
    turned_away: 2,
    head_bytes: 16 * 1024,
    target_bytes: 1024,
    body_bytes: 1024,
    head: Duration::from_secs(10),
    body: Duration::from_secs(10),
    stall: Duration::from_secs(10),
    arrival: Duration::from_secs(10),
    arrival_awaited: Duration::from_secs(10),
    whole: None,
    linger: Duration::from_secs(30),
    linger_bytes: 64 << 20,
    grace: Duration::from_secs(30),
};

/// What `/large` is answered with: more than a small window takes, and less than the system does of an answer.
pub const LARGE: usize = 40_000;

/// A body comes back, but to `/no-room`, `/document` may be linked to, `/large` is large, and `/hang` hangs until it is let go.
#[derive(Clone)]
pub struct Echo {
    gates: Arc<Gates>,
    pub hanging: Arc<AtomicUsize>,
    pub let_go: Arc<Notify>,
    pub delivered: Arc<AtomicUsize>,
    pub lost: Arc<AtomicUsize>,
    /// Whether something waits to know whether answers arrive.
    pub awaited: Arc<AtomicBool>,
}

/// Counts what became of an answer.
struct Count {
    site: Echo,
    is_delivered: bool,
}

impl Receipt for Count {
    fn delivered(mut self: Box<Self>) {
        self.is_delivered = true;
    }

    fn is_awaited(&self) -> bool {
        self.site.awaited.load(Ordering::SeqCst)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let count = if self.is_delivered {
            &self.site.delivered
        } else {
            &self.site.lost
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

impl Echo {
    fn new(access: Access) -> Echo {
        Echo {
            gates: Arc::new(Gates::new(access, "[test] in test.toml")),
            hanging: Arc::default(),
            let_go: Arc::default(),
            delivered: Arc::default(),
            lost: Arc::default(),
            awaited: Arc::default(),
        }
    }
}

fn text(status: StatusCode, body: impl Into<bytes::Bytes>) -> Answer {
    Answer::new(status, body).with(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
}

impl Site for Echo {
    const TITLE_CASE: bool = true;
    const FULL: &'static str = "All places are taken.";
    const FULL_FOR_ONE: &'static str = "All places of your address are taken.";

    fn gates(&self) -> &Gates {
        &self.gates
    }

    fn is_document(&self, path: &str) -> bool {
        path == "/document"
    }

    async fn answer(&self, request: Request) -> Answer {
        let path = request.uri.path().to_owned();
        if path == "/hang" {
            self.hanging.fetch_add(1, Ordering::SeqCst);
            self.let_go.notified().await;
        }
        let caller = request.caller.clone();
        match request.body.receive(|_| path != "/no-room").await {
            Ok(body) if body.is_empty() => {
                let count = Count {
                    site: self.clone(),
                    is_delivered: false,
                };
                let words = match path.as_str() {
                    "/large" => "x".repeat(LARGE),
                    _ => format!("{path} {caller:?}"),
                };
                text(StatusCode::OK, words).with_receipt(count)
            }
            Ok(body) => text(StatusCode::OK, body),
            Err(error) => text(error.status(), error.to_string()),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        let answer = text(refusal.status, refusal.sentence.into_owned());
        match refusal.challenge {
            Some(challenge) => answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge)),
            None => answer,
        }
    }
}

/// A real listener on a free port; it ends with the test.
pub struct TestServer {
    pub address: SocketAddr,
    pub site: Echo,
    pub settings: watch::Sender<Settings<Echo>>,
    pub stop: CancellationToken,
    pub running: JoinSet<()>,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::with(LIMITS, Access::default())
    }

    pub fn with(limits: Limits, access: Access) -> TestServer {
        let words = Words {
            what: "the test",
            key: "`listen`",
            rival: "another test",
            most: "may be",
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), words).unwrap();
        let (address, site, stop) = (listener.address(), Echo::new(access), CancellationToken::new());
        let (settings, receiver) = watch::channel(Settings {
            site: site.clone(),
            limits,
        });
        let mut running = JoinSet::new();
        running.spawn(listener.serve(receiver, stop.clone()));
        TestServer {
            address,
            site,
            settings,
            stop,
            running,
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this and reads all that comes.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.unwrap();
        reply(stream).await
    }

    /// Opens a request that hangs, and waits until its handler has begun.
    pub async fn hang(&self) -> TcpStream {
        let before = self.site.hanging.load(Ordering::SeqCst);
        let mut stream = self.connect().await;
        stream.write_all(b"GET /hang HTTP/1.0\r\n\r\n").await.unwrap();
        until(|| self.site.hanging.load(Ordering::SeqCst) > before).await;
        stream
    }
}

/// Waits for something that happens elsewhere in this runtime.
pub async fn until(mut happens: impl FnMut() -> bool) {
    let happened = async {
        while !happens() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), happened)
        .await
        .unwrap();
}

#[derive(Debug)]
pub struct Reply {
    pub head: String,
    pub body: String,
}

/// Reads to the end of the connection, which must come in order.
pub async fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    Reply {
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
