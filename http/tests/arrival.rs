//! An answer has arrived when the client's machine has acknowledged it, and not when the system has taken it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pinhole_http::{Access, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use wire::{LARGE, LIMITS, TestServer, until};

const SOON: Duration = Duration::from_millis(300);
const NEVER: Duration = Duration::from_secs(3600);

fn with(arrival: Duration, arrival_awaited: Duration) -> TestServer {
    let limits = Limits {
        arrival,
        arrival_awaited,
        ..LIMITS
    };
    TestServer::with(limits, Access::default())
}

/// Asks for a large answer, and takes next to nothing of it, as a client whose connection is dead.
async fn ask_and_take_nothing(server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.0\r\n\r\n").await.unwrap();
    stream
}

fn outcomes(server: &TestServer) -> (usize, usize) {
    let site = &server.site;
    (
        site.delivered.load(Ordering::SeqCst),
        site.lost.load(Ordering::SeqCst),
    )
}

#[tokio::test]
async fn what_nobody_takes_has_not_arrived_and_does_not_later() {
    let server = with(SOON, NEVER);
    let mut stream = ask_and_take_nothing(&server).await;
    until(|| outcomes(&server) == (0, 1)).await;
    let mut taken = Vec::new();
    let error = stream.read_to_end(&mut taken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(taken.len() < LARGE);
}

#[tokio::test]
async fn it_is_given_up_sooner_where_something_waits_for_that() {
    let server = with(NEVER, SOON);
    let _stream = ask_and_take_nothing(&server).await;
    server.site.awaited.store(true, Ordering::SeqCst);
    until(|| outcomes(&server) == (0, 1)).await;
}

#[tokio::test]
async fn what_is_taken_late_has_arrived_also_where_the_client_does_not_close() {
    let server = with(NEVER, NEVER);
    let mut stream = ask_and_take_nothing(&server).await;
    stream.readable().await.unwrap();
    assert_eq!(outcomes(&server), (0, 0), "nobody knows yet");
    let mut taken = Vec::new();
    stream.read_to_end(&mut taken).await.unwrap();
    assert!(taken.len() > LARGE);
    until(|| outcomes(&server) == (1, 0)).await;
    drop(stream);
}

#[tokio::test]
async fn what_a_client_has_not_taken_when_it_dies_has_not_arrived() {
    let server = with(NEVER, NEVER);
    let stream = ask_and_take_nothing(&server).await;
    stream.readable().await.unwrap();
    drop(stream); // With something unread, so the system resets it.
    until(|| outcomes(&server) == (0, 1)).await;
}
