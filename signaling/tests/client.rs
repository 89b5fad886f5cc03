//! The client against a server with the stock server's quirks, and against servers that are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stock;

use pinhole_signaling::{
    Candidate, Client, ClientError, Description, DescriptionKind, Event, Member, Message, Name, PeerId,
    ServerUrl, Token, http,
};
use stock::{StockServer, answer, scripted};

async fn sign_in(server: &StockServer, name: &str) -> Client {
    Client::sign_in(&server.url(), None, &Name::from(name))
        .await
        .unwrap()
        .0
}

fn member(name: &str, id: u64, connected: bool) -> Member {
    Member {
        name: name.into(),
        id: PeerId::new(id).unwrap(),
        connected,
    }
}

fn candidate(number: usize) -> Message {
    let candidate = format!("candidate:{number} 1 udp 1 192.0.2.1 9 typ host");
    Message::Candidate(Candidate {
        sdp_mid: "0".into(),
        sdp_mline_index: 0,
        candidate,
    })
}

#[tokio::test]
async fn a_sign_in_gives_the_id_and_the_others() {
    let server = StockServer::start().await;
    let (alice, others) = Client::sign_in(&server.url(), None, &"alice".into())
        .await
        .unwrap();
    assert_eq!((alice.id().get(), others.len()), (1, 0));
    let (bob, others) = Client::sign_in(&server.url(), None, &"bob".into()).await.unwrap();
    assert_eq!((bob.id().get(), others), (2, vec![member("alice", 1, true)]));
    assert_eq!(
        alice.wait().await.unwrap(),
        Event::Presence(member("bob", 2, true))
    );
}

#[tokio::test]
async fn messages_arrive_verbatim_and_in_order_and_before_and_during_a_wait() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    let bob = sign_in(&server, "bob").await;
    alice.wait().await.unwrap();

    let offer = Message::Description(Description {
        kind: DescriptionKind::Offer,
        sdp: "v=0\r\n".repeat(5000),
    });
    let mut sent = vec![offer];
    sent.extend((0..30).map(candidate));
    sent.push(Message::Bye);
    let send = async {
        for message in &sent {
            bob.send(alice.id(), message).await.unwrap();
        }
    };
    let receive = async {
        let mut received = Vec::new();
        while received.last() != Some(&Message::Bye) {
            let Event::Message { from, body } = alice.wait().await.unwrap() else {
                panic!("nobody came or went")
            };
            assert_eq!(from, bob.id());
            received.push(Message::parse(&body).unwrap());
        }
        received
    };
    let ((), received) = tokio::join!(send, receive);
    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_message_to_oneself_is_taken() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    alice.send(alice.id(), &Message::Bye).await.unwrap();
}

#[tokio::test]
async fn a_name_goes_percent_encoded() {
    let server = StockServer::start().await;
    sign_in(&server, "John Smith@호스트").await;
    let line = "GET /sign_in?John%20Smith@%ED%98%B8%EC%8A%A4%ED%8A%B8 HTTP/1.0";
    assert_eq!(server.requests(), [line]);
}

#[tokio::test]
async fn a_server_that_forgot_says_so_to_every_request() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    let bob = sign_in(&server, "bob").await;
    server.forget_everybody();
    assert!(matches!(alice.wait().await, Err(ClientError::Forgotten)));
    assert!(matches!(alice.sign_out().await, Err(ClientError::Forgotten)));
    // Which of the two has gone can't be told.
    assert!(
        matches!(alice.send(bob.id(), &Message::Bye).await, Err(ClientError::PeerGone { to }) if to == bob.id())
    );
    assert_eq!(sign_in(&server, "alice").await.id().get(), 3);
}

#[tokio::test]
async fn a_peer_that_has_gone_is_named() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    let bob = sign_in(&server, "bob").await;
    bob.sign_out().await.unwrap();
    let error = alice.send(bob.id(), &Message::Bye).await.unwrap_err();
    assert!(!error.ends_membership());
    assert_eq!(error.to_string(), "peer 2 has most likely gone");
}

#[tokio::test]
async fn a_server_that_shuts_down_ends_the_wait() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    for parting in [
        answer("200 OK", None, b"Server shutting down"),
        answer("503 Service Unavailable", None, b""),
    ] {
        server.deliver(1, &parting);
        let error = alice.wait().await.unwrap_err();
        assert!(
            matches!(error, ClientError::Closing) && error.ends_membership(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_without_ipv6_is_found_by_a_name_that_has_both() {
    let server = StockServer::start().await;
    let url: ServerUrl = format!("http://localhost:{}", server.address.port())
        .parse()
        .unwrap();
    assert_eq!(
        Client::sign_in(&url, None, &"alice".into()).await.unwrap().0.id(),
        PeerId::FIRST
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url: ServerUrl = format!("http://{free}").parse().unwrap();
    let error = Client::sign_in(&url, None, &"alice".into()).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Unreachable { address, .. } if *address == free.to_string()),
        "{error}"
    );
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let (url, _serving) = scripted(Vec::new(), false).await;
    let error = Client::sign_in(&url, None, &"alice".into()).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 10 s"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_wait() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    let (wait, ()) = tokio::join!(alice.wait(), async {
        while !server.requests().iter().any(|line| line.contains("/wait")) {
            tokio::task::yield_now().await;
        }
        server.forget_everybody(); // Its end of the wait's connection is dropped.
    });
    assert!(matches!(wait, Err(ClientError::Unreachable { .. })), "{wait:?}");
}

#[tokio::test]
async fn what_is_no_signaling_server_is_told_apart() {
    let refused = answer("404 Not Found", None, b"<html>no such thing");
    for (sent, says) in [
        (b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), "HTTP status line"),
        (answer("200 OK", None, b"<html>"), "no Pragma"),
        (refused, "status 404 (<html>no such thing)"),
        (answer("503 Full", None, b""), "status 503 (Full)"),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), "closed within the head"),
        (Vec::new(), "closed without an answer"),
        (
            vec![b'x'; http::MAX_HEAD + 10_000],
            "the head of the answer is too long",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n".to_vec(),
            "the body of the answer is too long",
        ),
    ] {
        let (url, _serving) = scripted(sent, true).await;
        let error = Client::sign_in(&url, None, &"alice".into())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_wants_a_token_is_told_apart_from_one_that_wants_another() {
    let token = Token::new("12345678").unwrap();
    for (token, says) in [
        (None, "the signaling server wants an access token"),
        (
            Some(&token),
            "the signaling server does not take this access token",
        ),
    ] {
        let (url, _serving) = scripted(answer("401 Unauthorized", None, b"no"), true).await;
        let error = Client::sign_in(&url, token, &"alice".into()).await.unwrap_err();
        assert!(error.is_about_token() && !error.ends_membership());
        assert_eq!(error.to_string(), says);
    }
}

#[tokio::test]
async fn a_server_that_wants_no_token_takes_everybody() {
    let server = StockServer::start().await;
    let token = Token::new("12345678").unwrap();
    let alice = Client::sign_in(&server.url(), Some(&token), &"alice".into())
        .await
        .unwrap()
        .0;
    alice.send(alice.id(), &Message::Bye).await.unwrap();
}

#[tokio::test]
async fn an_entry_that_is_broken_does_not_hide_the_others() {
    let roster = b"alice,3,1\nbroken by\na line end,1,1\nno id,x,1\nbob,2,1\n";
    let (url, _serving) = scripted(answer("200 Added", Some(3), roster), false).await;
    let (_, others) = Client::sign_in(&url, None, &"alice".into()).await.unwrap();
    assert_eq!(others, [member("a line end", 1, true), member("bob", 2, true)]);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_sent() {
    let server = StockServer::start().await;
    let alice = sign_in(&server, "alice").await;
    let sdp = "x".repeat(http::MAX_MESSAGE);
    let offer = Message::Description(Description {
        kind: DescriptionKind::Offer,
        sdp,
    });
    assert!(matches!(
        alice.send(alice.id(), &offer).await,
        Err(ClientError::TooLong { .. })
    ));
    assert_eq!(server.requests().len(), 1);
}
