//! A signaling server with the quirks of the stock one (WebRTC's examples/peerconnection/server), which the node must live
//! with. The wire is the same to the byte; inside it is a thread per connection instead of select():
//!
//! - request headers are found only as `Content-Length: ` and `Content-Type: `, in this case; a POST without both, or
//!   with a length of 0, has its connection dropped without an answer;
//! - a connection is left open after its answer: the client has to close it;
//! - a sign-in is answered `200 Added`; the name ends at the first space;
//! - whoever is unknown, or had no `/wait` open for over 30 s, gets `500 Error`; unknown paths get `500 Sorry`;
//! - on `/quit` every wait is answered with a text and no `Pragma`, and the server ends;
//! - IPv4 only.

mod members;
mod request;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::members::{Event, Members};
use self::request::{Request, query, read_request};
use crate::network::Network;

/// A running server. It ends when this is dropped.
pub struct StockServer {
    shared: Arc<Shared>,
    address: SocketAddrV4,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    members: Mutex<Members>,
    changed: Condvar,
    connections: Mutex<Vec<TcpStream>>,
    stopping: AtomicBool,
}

impl StockServer {
    /// Listens on `address` in `network`.
    pub fn start(network: &Network, address: SocketAddrV4) -> Self {
        let listener = network
            .inside(|| TcpListener::bind(address))
            .expect("the port is free");
        let address = match listener.local_addr() {
            Ok(std::net::SocketAddr::V4(address)) => address,
            other => panic!("bound to {other:?}"),
        };
        let shared = Arc::new(Shared {
            members: Mutex::default(),
            changed: Condvar::new(),
            connections: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            shared,
            address,
            acceptor: Some(acceptor),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Forgets the member of that name, as after 30 s without a `/wait`: its next request is answered with 500, and so
    /// is the `/wait` that it has open.
    pub fn forget(&self, name: &str) {
        self.shared.members().remove_named(name);
        self.shared.changed.notify_all();
    }

    /// Waits until the member of that name has signed in for the `count`-th time. Whether it did within `patience`.
    pub fn await_sign_in(&self, name: &str, count: usize, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut members = self.shared.members();
        while members.sign_ins(name) < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            members = self
                .shared
                .changed
                .wait_timeout(members, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Whether a member of that name is there now.
    pub fn is_signed_in(&self, name: &str) -> bool {
        self.shared.members().is_present(name)
    }

    /// What was found wrong with requests that were dropped without an answer.
    pub fn dropped_requests(&self) -> Vec<String> {
        self.shared.members().dropped_requests.clone()
    }
}

impl Drop for StockServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        for connection in self.shared.connections().drain(..) {
            // One that is closed already needs no shutdown.
            let _ = connection.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = self.acceptor.take() {
            // A panic in there has been printed.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    // Woken now and then, to stop and to notice who has gone.
    listener.set_nonblocking(true).expect("a listener can be polled");
    while !shared.is_stopping() {
        if shared.members().remove_silent(Instant::now()) {
            shared.changed.notify_all();
        }
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).expect("a stream can block");
                shared
                    .connections()
                    .push(stream.try_clone().expect("a descriptor can be copied"));
                let shared = Arc::clone(shared);
                thread::spawn(move || {
                    // A client that went away in the middle is its own affair.
                    let _ = serve(stream, &shared);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(10))
            }
            Err(error) => panic!("the stock server cannot accept: {error}"),
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let request = match read_request(&mut stream)? {
        Ok(request) => request,
        Err(fault) => {
            shared.members().dropped_requests.push(fault);
            return stream.shutdown(Shutdown::Both);
        }
    };
    let answer = answer(&request, shared);
    stream.write_all(&answer)?;
    // Left open: it is the client's to close.
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

fn answer(request: &Request, shared: &Shared) -> Vec<u8> {
    let own = query(&request.target, "peer_id=");
    let known = |id: Option<u64>| id.filter(|id| shared.members().knows(*id));
    match (request.method.as_str(), request.path()) {
        ("OPTIONS", _) => write("200 OK", None, "text/html", b""),
        ("GET", "/sign_in") => {
            let (id, list) = shared.members().sign_in(request.name());
            shared.changed.notify_all();
            write("200 Added", Some(id), "text/plain", &list)
        }
        ("GET", "/wait") => match known(own) {
            Some(id) => wait(id, shared),
            None => gone(),
        },
        ("POST", "/message") => match (known(own), known(query(&request.target, "to="))) {
            (Some(own), Some(to)) if own == to => {
                write("200 OK", Some(own), &request.content_type, &request.body)
            }
            (Some(own), Some(to)) => {
                let event = Event {
                    from: own,
                    content_type: request.content_type.clone(),
                    body: request.body.clone(),
                };
                shared.members().queue(to, event);
                shared.changed.notify_all();
                write("200 OK", None, "text/html", b"")
            }
            _ => gone(),
        },
        ("GET", "/sign_out") => match known(own) {
            Some(id) => {
                shared.members().remove(id);
                shared.changed.notify_all();
                write("200 OK", None, "text/html", b"")
            }
            None => gone(),
        },
        ("GET", "/quit") => {
            shared.stopping.store(true, Ordering::Relaxed);
            shared.changed.notify_all();
            write("200 OK", None, "text/html", b"Server shutting down")
        }
        _ => write("500 Sorry", None, "text/html", b"<html><body>Sorry</body></html>"),
    }
}

fn wait(id: u64, shared: &Shared) -> Vec<u8> {
    let mut members = shared.members();
    let turn = members.begin_wait(id);
    loop {
        if shared.is_stopping() {
            return write("200 OK", None, "text/html", b"Server shutting down");
        }
        if !members.knows(id) {
            return gone();
        }
        if let Some(event) = members.take_event(id, turn) {
            return write("200 OK", Some(event.from), &event.content_type, &event.body);
        }
        members = shared
            .changed
            .wait(members)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn gone() -> Vec<u8> {
    write("500 Error", None, "text/html", b"Peer most likely gone.")
}

fn write(status: &str, pragma: Option<u64>, content_type: &str, body: &[u8]) -> Vec<u8> {
    let pragma = pragma.map(|id| format!("Pragma: {id}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: PeerConnectionTestServer/0.1\r\nCache-Control: no-cache\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n{pragma}Access-Control-Allow-Origin: *\r\n\
         Access-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Methods: POST, GET, OPTIONS\r\n\
         Access-Control-Allow-Headers: Content-Type, Content-Length, Connection, Cache-Control\r\n\
         Access-Control-Expose-Headers: Content-Length, X-Peer-Id\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
