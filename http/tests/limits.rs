//! Whatever a client does is bounded, and what it is refused it gets to read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::sync::atomic::Ordering;
use std::time::Duration;

use pinhole_http::{Access, Limits, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use wire::{LIMITS, TestServer, reply, until};

/// A time that is over soon, where it is to be seen what happens then.
const SHORT: Duration = Duration::from_secs(1);

fn with(limits: Limits) -> TestServer {
    TestServer::with(limits, Access::default())
}

#[tokio::test]
async fn an_answer_says_its_length_and_ends_the_connection() {
    let server = TestServer::start();
    let reply = server.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((reply.status(), reply.body.as_str()), (200, "/ Program"));
    assert_eq!(reply.header("Content-Length"), Some("9"), "{reply:?}");
    let reply = server
        .ask("POST / HTTP/1.1\r\nHost: porch\r\nContent-Length: 4\r\n\r\nbody")
        .await;
    assert_eq!((reply.status(), reply.body.as_str()), (200, "body"));
    until(|| server.site.delivered.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_a_free_place_is_used() {
    let server = with(Limits {
        connections: 2,
        ..LIMITS
    });
    let places = [server.hang().await, server.hang().await];
    // More of them than are waited for at a time: those beyond are told as well.
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..LIMITS.turned_away + 3 {
        idle.push(server.connect().await);
    }
    for stream in idle {
        let refused = reply(stream).await;
        assert_eq!(
            (refused.status(), refused.body.as_str()),
            (503, "All places are taken.")
        );
        assert_eq!(refused.header("Content-Length"), Some("21"), "{refused:?}");
        assert_eq!(refused.header("Connection"), Some("close"), "{refused:?}");
    }
    server.site.let_go.notify_waiters();
    for stream in places {
        assert_eq!(reply(stream).await.status(), 200);
    }
    while server.ask("GET / HTTP/1.0\r\n\r\n").await.status() != 200 {}
}

#[tokio::test]
async fn one_client_does_not_take_the_places_of_others() {
    let server = with(Limits {
        connections_each: 2,
        ..LIMITS
    });
    let places = [server.hang().await, server.hang().await];
    let refused = reply(server.connect().await).await;
    assert_eq!(
        (refused.status(), refused.body.as_str()),
        (429, "All places of your address are taken.")
    );
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(server.address).await.unwrap();
    other.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(reply(other).await.status(), 200);
    server.site.let_go.notify_waiters();
    for stream in places {
        assert_eq!(reply(stream).await.status(), 200);
    }
    while server.ask("GET / HTTP/1.0\r\n\r\n").await.status() != 200 {}
}

#[tokio::test]
async fn other_limits_count_for_those_who_come_later() {
    let server = TestServer::start();
    let place = server.hang().await;
    server.settings.send_replace(Settings {
        site: server.site.clone(),
        limits: Limits {
            connections: 1,
            ..LIMITS
        },
    });
    assert_eq!(server.ask("GET / HTTP/1.0\r\n\r\n").await.status(), 503);
    server.site.let_go.notify_waiters();
    assert_eq!(reply(place).await.status(), 200);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up_in_words() {
    let server = with(Limits {
        head: SHORT,
        ..LIMITS
    });
    for beginning in ["G", "GET / HTTP/1.0\r\nX: "] {
        let mut stream = server.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let reply = reply(stream).await;
        assert_eq!(
            (reply.status(), reply.body.as_str()),
            (408, "The request did not come within 1 s.")
        );
        assert_eq!(reply.header("Connection"), Some("close"));
    }
    // Who has said nothing has asked nothing.
    let mut silent = server.connect().await;
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start();
    let long = format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    assert_eq!(server.ask(long).await.status(), 431);
    let many = format!("GET / HTTP/1.0\r\n{}\r\n", "X: x\r\n".repeat(1000));
    assert_eq!(server.ask(many).await.status(), 431);
    let target = server
        .ask(format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(2000)))
        .await;
    assert_eq!(target.status(), 414);
    assert!(target.body.contains("1024 bytes"), "{target:?}");
    assert_eq!(server.ask(vec![b'x'; 1_000_000]).await.status(), 414);
    assert_eq!(server.ask("nonsense\r\n\r\n").await.status(), 400);
}

#[tokio::test]
async fn half_a_body_is_given_up() {
    let server = with(Limits {
        body: SHORT,
        ..LIMITS
    });
    let half = "POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\nhalf";
    let reply = server.ask(half).await;
    assert_eq!(
        (reply.status(), reply.body.as_str()),
        (408, "The body did not come within 1 s.")
    );
    // Its sender hangs up in the middle: nobody is left to be told, and the place is free.
    drop(server.connect().await.write_all(half.as_bytes()).await);
    assert_eq!(server.ask("GET / HTTP/1.0\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_to_a_sender_that_reads_only_in_the_end() {
    let server = TestServer::start();
    // So much does not fit into the system's buffers: it can be sent only if somebody takes it.
    let size = 32 << 20;
    let declared = [
        format!("POST / HTTP/1.0\r\nContent-Length: {size}\r\n\r\n").into_bytes(),
        vec![b'x'; size],
    ];
    let chunk = format!("{size:x}\r\n").into_bytes();
    let head = b"POST / HTTP/1.1\r\nHost: porch\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunked = [head, chunk, vec![b'x'; size], b"\r\n0\r\n\r\n".to_vec()];
    for request in [declared.concat(), chunked.concat()] {
        let reply = server.ask(request).await;
        assert_eq!(reply.status(), 413);
        assert!(reply.body.contains("1024 bytes"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_body_for_which_there_is_no_memory_is_refused_before_it_comes() {
    let server = TestServer::start();
    let head = "POST /no-room HTTP/1.1\r\nHost: porch\r\n";
    for rest in [
        "Content-Length: 4\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
    ] {
        let reply = server.ask(format!("{head}{rest}")).await;
        assert_eq!(reply.status(), 503, "{reply:?}");
        assert!(reply.body.contains("no memory"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_body_comes_whole_in_whichever_pieces() {
    let server = TestServer::start();
    let chunks: String = (0..20).map(|piece| format!("5\r\n-{piece:04}\r\n")).collect();
    let whole: String = (0..20).map(|piece| format!("-{piece:04}")).collect();
    let head = "POST / HTTP/1.1\r\nHost: porch\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = server.ask(format!("{head}{chunks}0\r\n\r\n")).await;
    assert_eq!((reply.status(), reply.body), (200, whole));
}

#[tokio::test]
async fn who_sends_for_ever_is_cut_off() {
    let server = with(Limits {
        linger_bytes: 100_000,
        ..LIMITS
    });
    let mut stream = server.connect().await;
    let head = b"POST / HTTP/1.1\r\nHost: porch\r\nContent-Length: 999999999999\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let cut_off = async { while stream.write_all(&[b'x'; 65536]).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(60), cut_off)
        .await
        .expect("it is cut off");
}

#[tokio::test]
async fn who_does_not_read_is_given_up() {
    let server = with(Limits {
        body_bytes: 64 << 20,
        stall: SHORT,
        ..LIMITS
    });
    let size = 32 << 20;
    let mut stream = server.connect().await;
    let head = format!("POST / HTTP/1.0\r\nContent-Length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; size]).await.unwrap();
    // The echo begins, and can't go on. What came until then is less than all.
    let mut head = [0; 8];
    stream.read_exact(&mut head).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < size, "{}", rest.len());
}

#[tokio::test]
async fn a_connection_may_be_bounded_as_a_whole() {
    let server = with(Limits {
        whole: Some(SHORT),
        ..LIMITS
    });
    let mut hanging = server.hang().await;
    assert_eq!(hanging.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_goes_ends_its_request_and_its_answer_counts_as_lost() {
    let server = TestServer::start();
    let gone = server.hang().await;
    socket2::SockRef::from(&gone)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(gone);
    // Its place is free, without anybody having let it go.
    let mut others = Vec::new();
    for _ in 0..LIMITS.connections {
        others.push(server.hang().await);
    }
    server.site.let_go.notify_waiters();
    for other in others {
        assert_eq!(reply(other).await.status(), 200);
    }
    until(|| server.site.delivered.load(Ordering::SeqCst) == LIMITS.connections).await;
    assert_eq!(server.site.lost.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stop_closes_the_port_and_lets_answers_end() {
    let mut server = TestServer::start();
    let hanging = server.hang().await;
    server.stop.cancel();
    let address = server.address;
    while TcpStream::connect(address).await.is_ok() {}
    server.site.let_go.notify_waiters();
    assert_eq!(reply(hanging).await.status(), 200);
    server.running.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut server = with(Limits {
        grace: SHORT,
        ..LIMITS
    });
    let mut hanging = server.hang().await;
    server.stop.cancel();
    server.running.join_next().await.unwrap().unwrap();
    assert_eq!(hanging.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
