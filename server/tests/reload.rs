//! A server whose configuration changes while members are signed in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::time::{Duration, Instant};

use pinhole_server::config::Config;
use pinhole_signaling::{Client, ClientError, Event, Message, ServerUrl, Token};
use wire::{TestServer, reply};

const TOKEN: &str = "open-sesame";

fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

/// The configuration of a test's server, changed.
fn changed(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

/// Asks until the server has taken the change over.
async fn until(server: &TestServer, status: u16) {
    while server.get("/").await.status() != status {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_token_locks_strangers_out_and_members_without_it_at_their_next_request() {
    let server = TestServer::start().await;
    let url: ServerUrl = format!("http://{}", server.address).parse().unwrap();
    // Without a key, which its raw waits below don't show.
    let (with, _) = Client::sign_in_with(&url, Some(&token()), &"with".into(), None)
        .await
        .unwrap();
    let (without, _) = Client::sign_in(&url, None, &"without".into()).await.unwrap();
    with.wait().await.unwrap();
    // From the answer to the superseded one it is known that the other is open.
    let id = with.id().get();
    let (one, two) = (server.open_wait(id).await, server.open_wait(id).await);
    let open = tokio::select! {
        _ = one.readable() => two,
        _ = two.readable() => one,
    };

    server
        .control
        .obey(changed(|config| config.access.token = Some(token())));
    until(&server, 401).await;
    let error = without.send(with.id(), &Message::Bye).await.unwrap_err();
    assert!(matches!(error, ClientError::TokenWanted), "{error}");
    // Who has the token is a member as before, and a wait that was open goes on.
    with.send(without.id(), &Message::Bye).await.unwrap();
    with.send(with.id(), &Message::Bye).await.unwrap();

    server.control.obey(Config::default());
    until(&server, 200).await;
    without.send(with.id(), &Message::Bye).await.unwrap();
    assert_eq!(reply(open).await.text(), "BYE");
    assert!(matches!(without.wait().await.unwrap(), Event::Message { .. }));
}

#[tokio::test]
async fn fewer_connections_close_none_and_more_are_taken_at_once() {
    let server = TestServer::with(|config| config.limits.connections = 8).await;
    let mut idle = Vec::new();
    for _ in 0..6 {
        idle.push(server.connect().await);
    }
    assert_eq!(server.get("/").await.status(), 200);
    server
        .control
        .obey(changed(|config| config.limits.connections = 4));
    until(&server, 503).await;
    // They still work, all of them.
    for stream in &mut idle {
        tokio::io::AsyncWriteExt::write_all(stream, b"GET /nothing HTTP/1.0\r\n")
            .await
            .unwrap();
    }
    server
        .control
        .obey(changed(|config| config.limits.connections = 16));
    until(&server, 200).await;
    for mut stream in idle {
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"\r\n")
            .await
            .unwrap();
        assert_eq!(reply(stream).await.status(), 404);
    }
}

#[tokio::test]
async fn the_limits_of_the_hub_change_without_dropping_members() {
    let server = TestServer::start().await;
    let (alice, _) = (server.sign_in("alice").await, server.sign_in("bob").await);
    server.control.obey(changed(|config| {
        config.limits.members = 1;
        config.limits.message_bytes = 1024;
    }));
    while server
        .post("/message?peer_id=1&to=1", &"x".repeat(1025))
        .await
        .status()
        != 413
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get("/sign_in?eve").await.status(), 503);
    assert_eq!(server.wait(alice).await, (alice, "bob,2,1\n".into()));
    assert_eq!(*server.control.members().borrow(), 2);
}

#[tokio::test]
async fn the_number_of_members_is_told() {
    let server = TestServer::start().await;
    let mut members = server.control.members();
    assert_eq!(*members.borrow_and_update(), 0);
    server.sign_in("alice").await;
    members.wait_for(|&count| count == 1).await.unwrap();
    server.get("/sign_out?peer_id=1").await;
    members.wait_for(|&count| count == 0).await.unwrap();
}

#[tokio::test]
async fn a_server_that_serves_beats_and_one_that_is_held_up_does_not() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/").await.status(), 200);
    // As seen when the pulse's patience is over that begins now: nobody beats meanwhile, since this runtime has one
    // thread, which is here.
    let then = Instant::now() + wire::PATIENCE + Duration::from_millis(2);
    assert_eq!(server.watchdog.stuck(then).unwrap().part, "the server");
    while server.watchdog.stuck(then).is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
