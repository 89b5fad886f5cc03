//! One address that takes what it can get, and what is left for the others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_signaling::Token;
use tokio::io::AsyncWriteExt;
use wire::{TestServer, post, reply};

const HOSTILE: &str = "127.0.0.66";
const HONEST: &str = "127.0.0.2";
/// That of the trusted proxy.
const PROXY: &str = "127.0.0.1";

fn sign_in(name: &str) -> String {
    format!("GET /sign_in?{name} HTTP/1.0\r\n\r\n")
}

fn forwarded(request: &str, client: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\nX-Forwarded-For: {client}\r\n\r\n"))
}

#[tokio::test]
async fn idle_connections_of_one_address_leave_places_for_others() {
    let server = TestServer::with(|config| config.limits.connections = 200).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(server.connect_from(HOSTILE).await);
    }
    let refused = reply(server.connect_from(HOSTILE).await).await;
    assert!(
        refused.status() == 429
            && refused
                .text()
                .contains("`address_share` under [limits] in server.toml"),
        "{refused:?}"
    );
    assert_eq!(server.ask_from(HONEST, sign_in("honest")).await.status(), 200);
    drop(idle);
    while server.ask_from(HOSTILE, sign_in("many")).await.status() != 200 {}
}

#[tokio::test]
async fn members_of_one_address_leave_places_for_others() {
    let server = TestServer::with(|config| config.limits.members = 100).await;
    for _ in 0..25 {
        assert_eq!(server.ask_from(HOSTILE, sign_in("many")).await.status(), 200);
    }
    let refused = server.ask_from(HOSTILE, sign_in("many")).await;
    assert!(
        refused.status() == 429 && refused.text().contains("your address"),
        "{refused:?}"
    );
    assert_eq!(server.ask_from(HONEST, sign_in("honest")).await.status(), 200);
}

#[tokio::test]
async fn a_hundred_nodes_behind_one_address_come_back_at_once_and_before_the_old_ones_are_given_up() {
    let server = TestServer::start().await;
    for _ in 0..200 {
        assert_eq!(server.ask_from(HONEST, sign_in("camera")).await.status(), 200);
    }
    assert_eq!(*server.control.members().borrow(), 200);
}

#[tokio::test]
async fn a_stranger_can_not_take_a_cameras_messages() {
    let server = TestServer::start().await;
    let camera = server.sign_in("porch").await;
    let steal = format!("GET /wait?peer_id={camera} HTTP/1.0\r\n\r\n");
    assert_eq!(server.ask_from(HOSTILE, &steal).await.status(), 500);
    let leave = format!("GET /sign_out?peer_id={camera} HTTP/1.0\r\n\r\n");
    assert_eq!(server.ask_from(HOSTILE, &leave).await.status(), 500);
    let caller = server.sign_in("caller").await;
    let pretend = post(&format!("/message?peer_id={camera}&to={caller}"), "as if");
    assert_eq!(server.ask_from(HOSTILE, &pretend).await.status(), 500);
    assert_eq!(server.wait(camera).await, (camera, "caller,2,1\n".into()));

    // Whoever has the token may move.
    let server =
        TestServer::with(|config| config.access.token = Some(Token::new("open-sesame").unwrap())).await;
    let with = |request: &str| request.replace("\r\n\r\n", "\r\nAuthorization: Bearer open-sesame\r\n\r\n");
    assert_eq!(
        server.ask_from(HONEST, with(&sign_in("phone"))).await.status(),
        200
    );
    let leave = with("GET /sign_out?peer_id=1 HTTP/1.0\r\n\r\n");
    assert_eq!(server.ask_from(HOSTILE, leave).await.status(), 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_counts_by_itself() {
    let server = TestServer::with(|config| {
        config.limits.members = 20;
        config.limits.address_share = 10;
        config.access.trusted_proxies = vec![PROXY.parse().unwrap()];
    })
    .await;
    // One address has 16 in any case.
    for _ in 0..16 {
        let reply = server
            .ask(forwarded(&sign_in("many"), "6.6.6.6, 192.0.2.1"))
            .await;
        assert_eq!(reply.status(), 200, "{reply:?}");
    }
    let refused = server
        .ask(forwarded(&sign_in("many"), "6.6.6.7, 192.0.2.1"))
        .await;
    assert_eq!(refused.status(), 429, "{refused:?}");
    assert_eq!(
        server
            .ask(forwarded(&sign_in("honest"), "192.0.2.2"))
            .await
            .status(),
        200
    );
    // Without the header it is the proxy's own, and who is no trusted proxy can't speak for others.
    assert_eq!(server.ask(sign_in("own")).await.status(), 200);
    let steal = forwarded("GET /sign_out?peer_id=18 HTTP/1.0\r\n\r\n", "127.0.0.1");
    assert_eq!(server.ask_from(HOSTILE, steal).await.status(), 500);
    assert_eq!(server.get("/sign_out?peer_id=18").await.status(), 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_connections_are_counted_for_each_client() {
    let server = TestServer::with(|config| {
        config.limits.connections = 200;
        config.limits.address_share = 1;
        config.access.trusted_proxies = vec![PROXY.parse().unwrap()];
    })
    .await;
    assert_eq!(
        server
            .ask(forwarded(&sign_in("many"), "192.0.2.1"))
            .await
            .status(),
        200
    );
    // One address has 32 in any case. That the server has seen them all is known by their superseding each other.
    let wait = forwarded("GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", "192.0.2.1");
    let body = "POST /message?peer_id=1&to=1 HTTP/1.0\r\nContent-Length: 9\r\n\r\n";
    let body = forwarded(body, "192.0.2.1");
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = server.connect().await;
        stream.write_all(body.as_bytes()).await.unwrap();
        let asked = server.ask(&wait.replace("/wait", "/nothing")).await;
        open.push(stream);
        if asked.status() == 429 {
            break asked;
        }
        assert!(open.len() <= 32);
    };
    assert!(refused.text().contains("your address"), "{refused:?}");
    assert_eq!(
        server
            .ask(forwarded(&sign_in("honest"), "192.0.2.2"))
            .await
            .status(),
        200
    );
}
