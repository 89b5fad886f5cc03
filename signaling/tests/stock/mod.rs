//! A tiny server with the quirks of the stock one: it reads `Content-Length` and `Content-Type` case-sensitively,
//! drops a POST that lacks them without a word, and never closes a connection after answering.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pinhole_signaling::ServerUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub struct StockServer {
    pub address: SocketAddr,
    room: Arc<Mutex<Room>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Room {
    last_id: u64,
    members: BTreeMap<u64, Member>,
    /// Answered, and left open.
    open: Vec<TcpStream>,
    requests: Vec<String>,
}

#[derive(Default)]
struct Member {
    name: String,
    wait: Option<TcpStream>,
    events: VecDeque<Vec<u8>>,
}

impl StockServer {
    pub async fn start() -> StockServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let room = Arc::new(Mutex::new(Room::default()));
        let mut serving = JoinSet::new();
        let shared = room.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, shared.clone()));
            }
        });
        StockServer {
            address,
            room,
            _serving: serving,
        }
    }

    pub fn url(&self) -> ServerUrl {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// As after a restart, or after 30 s without a wait.
    pub fn forget_everybody(&self) {
        self.room.lock().unwrap().members.clear();
    }

    /// Puts a raw answer into a member's queue of events.
    pub fn deliver(&self, to: u64, answer: &[u8]) {
        let mut room = self.room.lock().unwrap();
        let room = &mut *room;
        room.members
            .get_mut(&to)
            .unwrap()
            .post(answer.to_vec(), &mut room.open);
    }

    /// The first lines of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.room.lock().unwrap().requests.clone()
    }
}

impl Member {
    fn post(&mut self, event: Vec<u8>, open: &mut Vec<TcpStream>) {
        match self.wait.take() {
            Some(wait) => say(wait, &event, open),
            None => self.events.push_back(event),
        }
    }
}

fn say(stream: TcpStream, answer: &[u8], open: &mut Vec<TcpStream>) {
    // Small, and into an empty buffer.
    assert_eq!(stream.try_write(answer).unwrap(), answer.len());
    open.push(stream);
}

pub fn answer(status: &str, pragma: Option<u64>, body: &[u8]) -> Vec<u8> {
    let pragma = pragma.map(|id| format!("Pragma: {id}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: PeerConnectionTestServer/0.1\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n{pragma}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn serve(mut stream: TcpStream, room: Arc<Mutex<Room>>) {
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8(received[..head_end].to_vec()).unwrap();
    let header = |name: &str| {
        Some(
            head.split(&format!("\r\n{name}: "))
                .nth(1)?
                .split("\r\n")
                .next()?
                .to_owned(),
        )
    };
    let mut body = received.split_off(head_end);
    if head.starts_with("POST") {
        let length = header("Content-Length")
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0);
        if length == 0 || header("Content-Type").is_none() {
            return;
        }
        while body.len() < length {
            stream.read_buf(&mut body).await.unwrap();
        }
    }
    let line = head.lines().next().unwrap().to_owned();
    let target = line.split(' ').nth(1).unwrap().to_owned();
    let (path, query) = target.split_once('?').unwrap();
    let id = |key: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(key)?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let mut room = room.lock().unwrap();
    let room = &mut *room;
    room.requests.push(line);
    let gone = answer("500 Error", None, b"Peer most likely gone.");
    if path == "/sign_in" {
        room.last_id += 1;
        let own = format!("{query},{},1\n", room.last_id);
        let mut roster = own.clone();
        for (id, member) in &mut room.members {
            roster.push_str(&format!("{},{id},1\n", member.name));
            member.post(answer("200 OK", Some(*id), own.as_bytes()), &mut room.open);
        }
        room.members.insert(
            room.last_id,
            Member {
                name: query.to_owned(),
                ..Member::default()
            },
        );
        return say(
            stream,
            &answer("200 Added", Some(room.last_id), roster.as_bytes()),
            &mut room.open,
        );
    }
    let own = id("peer_id=");
    let Some(member) = room.members.get_mut(&own) else {
        return say(stream, &gone, &mut room.open);
    };
    match path {
        "/wait" => match member.events.pop_front() {
            Some(event) => say(stream, &event, &mut room.open),
            None => member.wait = Some(stream),
        },
        "/message" if id("to=") == own => say(stream, &answer("200 OK", Some(own), &body), &mut room.open),
        "/message" => match room.members.get_mut(&id("to=")) {
            Some(other) => {
                other.post(answer("200 OK", Some(own), &body), &mut room.open);
                say(stream, &answer("200 OK", None, b""), &mut room.open);
            }
            None => say(stream, &gone, &mut room.open),
        },
        "/sign_out" => {
            room.members.remove(&own);
            say(stream, &answer("200 OK", None, b""), &mut room.open);
        }
        _ => say(stream, &answer("500 Sorry", None, b""), &mut room.open),
    }
}

/// A server that answers every connection with the same bytes, once a request has begun, and then closes it or not.
pub async fn scripted(answer: Vec<u8>, closes: bool) -> (ServerUrl, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            // The client may stop reading early.
            let _ = stream.write_all(&answer).await;
            if !closes {
                open.push(stream);
            }
        }
    });
    (url, serving)
}
