//! A process without file descriptors to spare: alone in its file, because the limit is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wire::{TestServer, reply, until};

#[tokio::test]
async fn a_connection_that_can_not_be_accepted_for_want_of_files_is_accepted_later() {
    let server = TestServer::start();
    let others = getrlimit(Resource::Nofile);
    // Before the limit: what the client needs. Files fill what is left below it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    let limit = Rlimit {
        current: Some(64),
        maximum: others.maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    let mut stream: TcpStream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    // The listener has tried, and waits. It is still there.
    assert!(File::open("/dev/null").is_err());
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(server.running.len() == 1 && stream.try_read(&mut [0; 1]).is_err());
    drop(files);
    until(|| File::open("/dev/null").is_ok()).await;
    assert_eq!(reply(stream).await.status(), 200);
    setrlimit(Resource::Nofile, others).unwrap();
}
