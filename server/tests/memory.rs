//! Whoever makes the server hold much for him is told to stop, and costs others nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_server::hub::Parcel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::{TestServer, post, reply};

const HOSTILE: &str = "127.0.0.66";
const HONEST: &str = "127.0.0.2";

/// One address may have 256 KiB of it.
const MEMORY: usize = 1 << 20;
const SHARE: usize = MEMORY / 4;

async fn small() -> TestServer {
    TestServer::with(|config| {
        config.limits.memory_bytes = MEMORY;
        config.limits.message_bytes = 64 << 10;
        config.limits.mailbox_bytes = 64 << 10;
    })
    .await
}

fn sign_in(name: &str) -> String {
    format!("GET /sign_in?{name} HTTP/1.0\r\n\r\n")
}

async fn sign_in_from(server: &TestServer, address: &str) -> u64 {
    let reply = server.ask_from(address, sign_in("member")).await;
    reply.header("Pragma").unwrap().parse().unwrap()
}

/// Sends what is no whole request, and gives the connection back unless it is refused. One that is not, answers nothing.
async fn begin(server: &TestServer, from: &str, request: &[u8]) -> Result<TcpStream, u16> {
    let mut stream = server.connect_from(from).await;
    stream.write_all(request).await.unwrap();
    // The server takes connections in order, and this one's answer shows that it has seen the other. Bodies come a moment
    // later, so what it does with them is seen after a second look.
    for _ in 0..3 {
        assert_eq!(server.get("/").await.status(), 200);
    }
    let mut status = [0; 12];
    match stream.try_read(&mut status) {
        Ok(12) => Err(std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()),
        _ => Ok(stream),
    }
}

#[tokio::test]
async fn bodies_that_stop_just_short_take_one_address_its_share_and_no_more() {
    let server = small().await;
    let (alice, bob) = (
        sign_in_from(&server, HONEST).await,
        sign_in_from(&server, HONEST).await,
    );
    let (mule, other) = (
        sign_in_from(&server, HOSTILE).await,
        sign_in_from(&server, HOSTILE).await,
    );
    let size = 60 << 10;
    let to_other = format!("/message?peer_id={mule}&to={other}");
    let mut short = post(&to_other, &"x".repeat(size)).into_bytes();
    short.pop();
    let mut held = Vec::new();
    let refused = loop {
        match begin(&server, HOSTILE, &short).await {
            Ok(stream) => held.push(stream),
            Err(status) => break status,
        }
        assert!(held.len() * size <= SHARE, "{} bodies are held", held.len());
    };
    assert_eq!((refused, held.len()), (429, SHARE / size));
    // Its head alone is enough to be refused: nothing of it is read into memory.
    let head = &short[..short.len() - size + 1];
    assert_eq!(begin(&server, HOSTILE, head).await.err(), Some(429));
    let honest = server
        .ask_from(
            HONEST,
            post(&format!("/message?peer_id={alice}&to={bob}"), "offer"),
        )
        .await;
    assert_eq!(honest.status(), 200);
    // They may have a few bytes to go; what is held is as large as they say.
    held[0].write_all(b"x").await.unwrap();
    let whole = held.swap_remove(0);
    assert_eq!(reply(whole).await.status(), 200);
    assert!(
        begin(&server, HOSTILE, &short).await.is_err(),
        "that message waits"
    );
    drop(held);
    while begin(&server, HOSTILE, &short).await.is_err() {}
}

#[tokio::test]
async fn answers_that_are_not_read_take_one_address_its_share_and_no_more() {
    let server = TestServer::with(|config| config.limits.memory_bytes = 4 << 20).await;
    // A roster that is larger than the buffers of the system.
    let name = "x".repeat(512);
    for number in 0..500 {
        let from = format!("127.0.1.{}", number / 100 + 1);
        assert_eq!(server.ask_from(&from, sign_in(&name)).await.status(), 200);
    }
    let mut unread = Vec::new();
    let refused = loop {
        let mut stream = server.connect_from(HOSTILE).await;
        stream.write_all(sign_in(&name).as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        match &status[9..] {
            b"200" => unread.push(stream),
            status => break String::from_utf8(status.to_vec()).unwrap(),
        }
        assert!(unread.len() < 10);
    };
    assert_eq!(refused, "429");
    let honest = server.ask_from(HONEST, sign_in("honest")).await;
    assert!(
        honest.status() == 200 && honest.body.len() > 500 * 512,
        "{}",
        honest.status()
    );
    // Whoever goes makes room.
    drop(unread);
    while server.ask_from(HOSTILE, sign_in(&name)).await.status() != 200 {}
}

#[tokio::test]
async fn small_messages_that_nobody_fetches_count_with_all_that_they_cost() {
    let server = small().await;
    let mut members = Vec::new();
    for _ in 0..12 {
        members.push(sign_in_from(&server, HOSTILE).await);
    }
    let mut accepted = 0;
    let mut refused = Vec::new();
    for &to in &members[1..] {
        for _ in 0..70 {
            let message = post(&format!("/message?peer_id={}&to={to}", members[0]), "x");
            match server.ask_from(HOSTILE, message).await.status() {
                200 => accepted += 1,
                status => refused.push(status),
            }
        }
    }
    assert!(
        accepted > 100 && accepted * Parcel::OVERHEAD < SHARE,
        "{accepted}"
    );
    assert!(refused.iter().all(|&status| status == 429), "{refused:?}");
    let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let offer = post(&format!("/message?peer_id={alice}&to={bob}"), "offer");
    assert_eq!(server.ask(offer).await.status(), 200);
    // What a member leaves behind is free again.
    let leave = format!("GET /sign_out?peer_id={} HTTP/1.0\r\n\r\n", members[1]);
    assert_eq!(server.ask_from(HOSTILE, leave).await.status(), 200);
    let message = post(
        &format!("/message?peer_id={}&to={}", members[0], members[11]),
        "x",
    );
    assert_eq!(server.ask_from(HOSTILE, message).await.status(), 200);
}

#[tokio::test]
async fn many_addresses_together_are_told_that_the_server_is_full() {
    let server = small().await;
    let (alice, bob) = (
        sign_in_from(&server, HONEST).await,
        sign_in_from(&server, HONEST).await,
    );
    let offer = post(&format!("/message?peer_id={alice}&to={bob}"), "offer");
    let mut short = post("/message?peer_id=1&to=2", &"x".repeat(60 << 10)).into_bytes();
    short.pop();
    let mut held = Vec::new();
    let refused = loop {
        let from = format!("127.0.2.{}", held.len() / 4 + 1);
        match begin(&server, &from, &short).await {
            Ok(stream) => held.push(stream),
            Err(status) => break status,
        }
    };
    assert_eq!((refused, held.len()), (503, MEMORY / (61 << 10)));
    drop(held);
    while server.ask_from(HONEST, &offer).await.status() != 200 {}
}
