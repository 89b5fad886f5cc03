//! What no client should send: each gets a clear status, and the others notice nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use tokio::io::AsyncWriteExt;
use wire::{TestServer, post, reply};

/// That the server still serves others.
async fn is_well(server: &TestServer) -> bool {
    server.get("/").await.status() == 200
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_quit_is_not_there() {
    let server = TestServer::start().await;
    for target in [
        "/quit",
        "/nothing",
        "/sign_in/",
        "//",
        "/../etc/passwd",
        "/%2e%2e/x",
    ] {
        let reply = server.get(target).await;
        assert_eq!(reply.status(), 404, "{target}: {reply:?}");
        assert!(reply.text().contains("nothing here"), "{reply:?}");
    }
    assert!(is_well(&server).await);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = TestServer::start().await;
    for (request, allowed) in [
        ("POST /sign_in?x HTTP/1.0\r\n\r\n", "GET, OPTIONS"),
        ("GET /message?peer_id=1&to=2 HTTP/1.0\r\n\r\n", "POST, OPTIONS"),
        ("DELETE / HTTP/1.0\r\n\r\n", "GET, HEAD, OPTIONS"),
    ] {
        let reply = server.ask(request).await;
        assert_eq!(
            (reply.status(), reply.header("Allow")),
            (405, Some(allowed)),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn a_query_without_ids_is_told_which() {
    let server = TestServer::start().await;
    for (target, says) in [
        ("/wait", "peer_id=<id>"),
        ("/wait?peer_id=", "not a peer id"),
        ("/wait?peer_id=-1", "not a peer id"),
        ("/wait?peer_id=1x", "not a peer id"),
        ("/sign_out?id=1", "peer_id=<id>"),
    ] {
        let reply = server.get(target).await;
        assert_eq!(reply.status(), 400, "{target}");
        assert!(reply.text().contains(says), "{reply:?}");
    }
    let reply = server.post("/message?peer_id=1", "x").await;
    assert!(
        reply.status() == 400 && reply.text().contains("to=<id>"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn garbage_is_a_bad_request() {
    let server = TestServer::start().await;
    for garbage in [
        &b"nonsense\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.0\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.0\r\nContent-Length: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(garbage).await.unwrap();
        let shown = String::from_utf8_lossy(garbage);
        assert_eq!(reply(stream).await.status(), 400, "{shown:?}");
    }
    assert!(is_well(&server).await);
}

#[tokio::test]
async fn what_is_too_large_is_told_so() {
    let server = TestServer::start().await;
    server.sign_in("alice").await;
    let long_target = format!("GET /sign_in?{} HTTP/1.0\r\n\r\n", "x".repeat(10_000));
    assert_eq!(server.ask(long_target).await.status(), 414);
    let endless_line = vec![b'x'; 1_000_000];
    assert_eq!(server.ask(endless_line).await.status(), 414);
    let long_header = format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(server.ask(long_header).await.status(), 431);
    let many_headers = format!("GET / HTTP/1.0\r\n{}\r\n", "X: x\r\n".repeat(500));
    assert_eq!(server.ask(many_headers).await.status(), 431);
    let big = "x".repeat(256 * 1024 + 1);
    let reply = server.post("/message?peer_id=1&to=1", &big).await;
    assert_eq!(reply.status(), 413);
    assert!(reply.text().contains("262144 bytes"), "{reply:?}");
    let chunked = format!(
        "POST /message?peer_id=1&to=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{big}\r\n0\r\n\r\n",
        big.len()
    );
    assert_eq!(server.ask(chunked).await.status(), 413);
    let largest = &big[1..];
    assert_eq!(
        server.post("/message?peer_id=1&to=1", largest).await.body,
        largest.as_bytes()
    );
}

#[tokio::test]
async fn a_message_without_a_body_is_refused() {
    let server = TestServer::start().await;
    server.sign_in("alice").await;
    for request in [
        "POST /message?peer_id=1&to=1 HTTP/1.0\r\n\r\n".to_owned(),
        post("/message?peer_id=1&to=1", ""),
    ] {
        let reply = server.ask(request).await;
        assert!(
            reply.status() == 400 && reply.text().contains("needs a body"),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn slow_requests_are_given_up() {
    let server =
        TestServer::with(|config| config.limits.request_timeout = std::time::Duration::from_secs(3)).await;
    server.sign_in("alice").await;
    for beginning in [
        "GET /sign_in?na",
        "GET / HTTP/1.0\r\nX: ",
        "POST /message?peer_id=1&to=1 HTTP/1.0\r\nContent-Length: 10\r\nContent-Type: text/plain\r\n\r\nhalf",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let reply = reply(stream).await;
        assert_eq!(reply.status(), 408, "{beginning:?}: {reply:?}");
        assert!(reply.text().contains("within 3 s"), "{reply:?}");
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_place_that_is_free_again_is_used() {
    let server = TestServer::with(|config| config.limits.connections = 4).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(server.connect().await);
    }
    let refused = reply(server.connect().await).await;
    assert!(
        refused.status() == 503 && refused.text().contains("connections"),
        "{refused:?}"
    );
    drop(idle);
    while server.get("/").await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_member_too_many_is_told_so() {
    let server = TestServer::with(|config| config.limits.members = 2).await;
    server.sign_in("alice").await;
    server.sign_in("bob").await;
    let refused = server.get("/sign_in?eve").await;
    assert!(
        refused.status() == 503 && refused.text().contains("members"),
        "{refused:?}"
    );
    server.get("/sign_out?peer_id=1").await;
    assert_eq!(server.sign_in("eve").await, 3);
}

#[tokio::test]
async fn a_flood_of_messages_is_the_senders_trouble() {
    let server = TestServer::with(|config| config.limits.mailbox_messages = 5).await;
    let (alice, _) = (server.sign_in("alice").await, server.sign_in("bob").await);
    for _ in 0..5 {
        assert_eq!(server.post("/message?peer_id=2&to=1", "x").await.status(), 200);
    }
    let refused = server.post("/message?peer_id=2&to=1", "x").await;
    assert!(
        refused.status() == 429 && refused.text().contains("Too many messages"),
        "{refused:?}"
    );
    assert_eq!(server.wait(alice).await, (1, "bob,2,1\n".into()));
    assert_eq!(server.wait(alice).await, (2, "x".into()));
    assert_eq!(server.post("/message?peer_id=2&to=1", "y").await.status(), 200);
}
