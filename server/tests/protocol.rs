//! The server as the stock client and a browser see it, byte by byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_signaling::{Client, Event, Message, Name, ServerUrl};
use tokio::io::AsyncWriteExt;
use wire::{TestServer, reply};

#[tokio::test]
async fn a_sign_in_is_answered_like_the_stock_server_does() {
    let server = TestServer::start().await;
    server.sign_in("alice@host").await;
    let reply = server.get("/sign_in?bob%2Cx").await;
    let expected = format!(
        "HTTP/1.0 200 Added\r\n\
         Server: pinhole/{}\r\n\
         Cache-Control: no-cache\r\n\
         Connection: close\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: 25\r\n\
         Pragma: 2\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Access-Control-Allow-Credentials: true\r\n\
         Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n\
         Access-Control-Allow-Headers: Content-Type, Content-Length, Connection, Cache-Control, Authorization\r\n\
         Access-Control-Expose-Headers: Content-Length, X-Peer-Id\r\n\
         \r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(reply.head, expected);
    assert_eq!(reply.text(), "bob_x,2,1\nalice@host,1,1\n");
}

#[tokio::test]
async fn a_stock_call_goes_from_sign_in_to_sign_out() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    assert_eq!(server.wait(alice).await, (alice, "bob,2,1\n".into()));

    let sent = server
        .post("/message?peer_id=2&to=1", "{\n   \"type\" : \"offer\"\n}\n")
        .await;
    assert_eq!(
        (sent.status(), sent.text().as_str(), sent.header("Pragma")),
        (200, "", None)
    );
    assert_eq!(
        server.wait(alice).await,
        (bob, "{\n   \"type\" : \"offer\"\n}\n".into())
    );

    let waiting = server.open_wait(bob).await;
    assert_eq!(server.post("/message?peer_id=1&to=2", "BYE").await.status(), 200);
    let event = reply(waiting).await;
    assert_eq!(
        (event.header("Pragma"), event.text().as_str()),
        (Some("1"), "BYE")
    );

    let left = server.get("/sign_out?peer_id=2").await;
    assert_eq!((left.status(), left.text().as_str()), (200, ""));
    assert_eq!(server.wait(alice).await, (alice, "bob,2,0\n".into()));
}

#[tokio::test]
async fn a_message_keeps_its_bytes_and_its_content_type() {
    let server = TestServer::start().await;
    let (alice, _) = (server.sign_in("alice").await, server.sign_in("bob").await);
    server.wait(alice).await;
    let mut request = b"POST /message?peer_id=2&to=1 HTTP/1.0\r\nContent-Length: 4\r\n\
                        Content-Type: application/x-what; a=\"b\"\r\n\r\n"
        .to_vec();
    request.extend_from_slice(b"\x00\xff\r\n");
    assert_eq!(server.ask(&request).await.status(), 200);
    let event = reply(server.open_wait(alice).await).await;
    assert_eq!(event.header("Content-Type"), Some("application/x-what; a=\"b\""));
    assert_eq!(event.body, b"\x00\xff\r\n");
}

#[tokio::test]
async fn a_message_to_oneself_is_echoed() {
    let server = TestServer::start().await;
    server.sign_in("alice").await;
    let echo = server.post("/message?peer_id=1&to=1", "hello").await;
    assert_eq!(
        (echo.status(), echo.header("Pragma"), echo.text().as_str()),
        (200, Some("1"), "hello")
    );
}

#[tokio::test]
async fn the_forgotten_and_the_unknown_get_a_500() {
    let server = TestServer::start().await;
    server.sign_in("alice").await;
    for reply in [
        server.get("/wait?peer_id=7").await,
        server.get("/sign_out?peer_id=7").await,
        server.post("/message?peer_id=7&to=1", "x").await,
        server.post("/message?peer_id=1&to=7", "x").await,
    ] {
        assert!(reply.head.starts_with("HTTP/1.0 500 Error\r\n"), "{reply:?}");
        assert_eq!(reply.text(), "Peer most likely gone.");
    }
}

#[tokio::test]
async fn names_come_raw_with_spaces_and_in_any_encoding() {
    let server = TestServer::start().await;
    for (sent, entry) in [
        (
            &b"John Smith@\xed\x98\xb8\xec\x8a\xa4\xed\x8a\xb8"[..],
            &b"John Smith@\xed\x98\xb8\xec\x8a\xa4\xed\x8a\xb8,1,1\n"[..],
        ),
        (b"caf\xe9 \"<a>\" #1", b"caf\xe9 \"<a>\" #1,2,1\n"),
        (b"a,b\tc", b"a_b_c,3,1\n"),
        (b"J%C3%BCrgen+M", b"J\xc3\xbcrgen M,4,1\n"),
        (b"", b"peer_5,5,1\n"),
    ] {
        let request = [b"GET /sign_in?", sent, b" HTTP/1.0\r\n\r\n"].concat();
        let reply = server.ask(&request).await;
        assert!(reply.body.starts_with(entry), "{reply:?}");
    }
    let long = server
        .ask([b"GET /sign_in?", &[b'x'; 600][..], b" HTTP/1.0\r\n\r\n"].concat())
        .await;
    assert!(long.body.starts_with(&[&[b'x'; 512][..], b",6,1\n"].concat()));
    let bare = server.get("/sign_in").await;
    assert!(bare.text().starts_with("peer_7,7,1\n"), "{bare:?}");
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    for piece in ["GET /sig", "n_in?John ", "Smith HT", "TP/1.0\r", "\n\r", "\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(reply(stream).await.text(), "John Smith,1,1\n");
}

#[tokio::test]
async fn options_opens_the_way_for_pages_from_elsewhere() {
    let server = TestServer::start().await;
    for target in ["/sign_in", "/message?peer_id=1&to=2", "/anything"] {
        let reply = server
            .ask(format!("OPTIONS {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert!(reply.head.starts_with("HTTP/1.1 200 OK\r\n"), "{reply:?}");
        assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(
            reply.header("Access-Control-Allow-Methods"),
            Some("POST, GET, OPTIONS")
        );
    }
}

#[tokio::test]
async fn of_two_waits_the_newer_gets_the_event() {
    let server = TestServer::start().await;
    let alice = server.sign_in("alice").await;
    let older = server.open_wait(alice).await;
    // That both are there is known from the answer to the older one; which came first, only the server knows.
    let newer = server.open_wait(alice).await;
    let (superseded, other) = tokio::select! {
        biased;
        _ = older.readable() => (older, newer),
        _ = newer.readable() => (newer, older),
    };
    assert_eq!(reply(superseded).await.status(), 409);
    server.sign_in("bob").await;
    assert_eq!(reply(other).await.text(), "bob,2,1\n");
}

#[tokio::test]
async fn an_event_never_goes_to_a_connection_that_was_closed() {
    let server = TestServer::start().await;
    let alice = server.sign_in("alice").await;
    server.sign_in("bob").await;
    server.wait(alice).await;
    for round in 0..100 {
        let waiting = server.open_wait(alice).await;
        for _ in 0..round % 7 {
            // More or less far into the server's handling of it.
            tokio::task::yield_now().await;
        }
        if round % 2 == 0 {
            // A killed process with unread data makes the system reset the connection instead.
            socket2::SockRef::from(&waiting)
                .set_linger(Some(std::time::Duration::ZERO))
                .unwrap();
        }
        drop(waiting);
        let body = format!("message {round}");
        assert_eq!(server.post("/message?peer_id=2&to=1", &body).await.status(), 200);
        assert_eq!(server.wait(alice).await, (2, body));
    }
}

#[tokio::test]
async fn many_messages_between_two_arrive_in_order() {
    let server = TestServer::start().await;
    let url: ServerUrl = format!("http://{}", server.address).parse().unwrap();
    let (alice, _) = Client::sign_in(&url, None, &Name::from("alice")).await.unwrap();
    let (bob, others) = Client::sign_in(&url, None, &Name::from("bob")).await.unwrap();
    assert_eq!(others[0].id, alice.id());
    assert!(matches!(alice.wait().await.unwrap(), Event::Presence(member) if member.id == bob.id()));
    let candidates: Vec<Message> = (0..100)
        .map(|number| {
            let candidate = format!("candidate:{number}");
            Message::Candidate(pinhole_signaling::Candidate {
                sdp_mid: "0".into(),
                sdp_mline_index: 0,
                candidate,
            })
        })
        .collect();
    let send = async {
        for candidate in &candidates {
            bob.send(alice.id(), candidate).await.unwrap();
        }
    };
    let receive = async {
        for candidate in &candidates {
            let Event::Message { from, body } = alice.wait().await.unwrap() else {
                panic!("nobody moved")
            };
            assert_eq!((from, &Message::parse(&body).unwrap()), (bob.id(), candidate));
        }
    };
    tokio::join!(send, receive);
    bob.sign_out().await.unwrap();
    assert!(matches!(alice.wait().await.unwrap(), Event::Presence(member) if !member.connected));
}

#[tokio::test]
async fn one_socket_serves_ipv4_and_ipv6() {
    let server = TestServer::with(|config| config.listen = "[::]:0".parse().unwrap()).await;
    let hosts = if server.address.is_ipv6() {
        vec!["127.0.0.1", "[::1]"]
    } else {
        vec!["127.0.0.1"]
    };
    for host in hosts {
        let url: ServerUrl = format!("http://{host}:{}", server.address.port())
            .parse()
            .unwrap();
        Client::sign_in(&url, None, &Name::from("alice")).await.unwrap();
    }
}

#[tokio::test]
async fn the_page_comes_with_a_policy_and_is_not_sent_twice() {
    let server = TestServer::start().await;
    let page = server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (page.status(), page.header("Content-Type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(
        page.header("Content-Security-Policy")
            .unwrap()
            .contains("default-src 'self'")
    );
    assert_eq!(page.header("Cache-Control"), Some("no-cache"));
    assert!(
        page.text().to_lowercase().starts_with("<!doctype html>"),
        "{}",
        page.text()
    );

    let tag = page.header("Etag").unwrap();
    let again = server
        .ask(format!(
            "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\", {tag}\r\n\r\n"
        ))
        .await;
    assert_eq!((again.status(), again.body.len()), (304, 0));
    assert_eq!(again.header("Etag"), Some(tag));
    let other = server
        .ask("GET /index.html HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\n\r\n")
        .await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn a_server_that_stops_answers_the_waits() {
    let mut server = TestServer::start().await;
    let alice = server.sign_in("alice").await;
    let waiting = server.open_wait(alice).await;
    // An event in between shows that the server has taken the wait.
    server.sign_in("bob").await;
    assert_eq!(reply(waiting).await.status(), 200);
    let waiting = server.open_wait(2).await;
    server.sign_in("eve").await;
    assert_eq!(reply(waiting).await.status(), 200);
    let (first, second) = (server.open_wait(1).await, server.open_wait(2).await);
    assert_eq!(reply(first).await.text(), "eve,3,1\n");
    server.stop.cancel();
    server.running.join_next().await.unwrap().unwrap();
    // Taken or not when it stopped: it is told so, or finds the port closed.
    let mut rest = Vec::new();
    let mut second = second;
    match tokio::io::AsyncReadExt::read_to_end(&mut second, &mut rest).await {
        Ok(_) if !rest.is_empty() => assert!(String::from_utf8_lossy(&rest).contains(" 503 "), "{rest:?}"),
        _ => {}
    }
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_member_with_a_key_is_told_that_it_counts_and_known_by_nothing_else() {
    const KEY: &str = "X-Pinhole-Key: 00112233445566778899aabbccddeeff";
    let server = TestServer::start().await;
    let with = |target: &str, key: &str| format!("GET {target} HTTP/1.0\r\n{key}\r\n\r\n");
    let reply = server.ask(with("/sign_in?porch", KEY)).await;
    assert_eq!(
        reply.header("X-Pinhole-Key"),
        Some("00112233445566778899aabbccddeeff")
    );
    server.sign_in("viewer").await;
    assert_eq!(server.get("/wait?peer_id=1").await.status(), 500);
    let elsewhere = server
        .ask_from("127.0.0.9", with("/wait?peer_id=1", &KEY.to_lowercase()))
        .await;
    assert_eq!(
        (elsewhere.status(), elsewhere.text().as_str()),
        (200, "viewer,2,1\n")
    );
    for nonsense in ["X-Pinhole-Key: 7", "X-Pinhole-Key: "] {
        let refused = server.ask(with("/sign_in?porch", nonsense)).await;
        assert_eq!(refused.status(), 400, "{refused:?}");
        assert!(
            refused.text().starts_with("X-Pinhole-Key: it has to be 32 "),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_killed_program_that_is_started_anew_is_one_member() {
    let server = TestServer::start().await;
    let server_url: ServerUrl = format!("http://{}", server.address).parse().unwrap();
    let name = Name::from("porch");
    let (old, _) = Client::sign_in(&server_url, None, &name).await.unwrap();
    let watcher = server.sign_in("watcher").await;
    assert!(matches!(old.wait().await, Ok(Event::Presence(_))));
    let mut wait = Box::pin(old.wait());
    tokio::select! {
        biased;
        event = &mut wait => panic!("{event:?}"),
        () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
    }
    drop(wait); // The system closes the connections of a process that dies.
    let (new, _) = Client::sign_in(&server_url, None, &name).await.unwrap();
    let waiting = async { while new.wait().await.is_ok() {} };
    let mut members = server.control.members();
    tokio::select! {
        () = waiting => panic!("the new one is no member"),
        // The old one may still be there: that is known some seconds after its connection broke.
        alone = members.wait_for(|&members| members == 2) => drop(alone.unwrap()),
    }
    drop(server.get(&format!("/sign_out?peer_id={watcher}")).await);
}

#[tokio::test]
async fn a_wait_that_is_renewed_brings_the_next_event() {
    let server = TestServer::start().await;
    let server_url: ServerUrl = format!("http://{}", server.address).parse().unwrap();
    let (alice, _) = Client::sign_in(&server_url, None, &Name::from("alice"))
        .await
        .unwrap();
    let wait = alice.wait();
    let renewing = async {
        for _ in 0..20 {
            alice.renew_wait();
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        server.sign_in("bob").await;
    };
    let (event, ()) = tokio::join!(wait, renewing);
    assert!(matches!(event, Ok(Event::Presence(member)) if member.name == "bob"));
}
