//! What no proper program sends: a clear status, a line in a log at most, and nothing falls over.

use std::io::{Read, Write};
use std::net::TcpStream;

use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{NO_PICTURE, node_config, server_address, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::wire::{Member, exchange, header};
use serde_json::json;

/// A stranger can still see the picture.
fn assert_serves(network: &Network, server: &mut Process, node: &mut Process) {
    let mut client = Peer::stock_client(network);
    client.ask(
        "sign_in",
        json!({"server": server_address().to_string(), "name": "proper@pc"}),
    );
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": true}));
    client.ask("frames", json!({"changing": 23}));
    node.assert_never_said(NO_PICTURE);
    client.ask("hang_up", json!({}));
    server.assert_running();
    node.assert_running();
}

mod quick {
    use super::*;

    #[test]
    fn the_server_answers_garbage_with_a_clear_status() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let mut server = start_server(&network);
        let status =
            |request: &[u8]| exchange(&network, server_address(), request).map_or(0, |answer| answer.status);

        // Known paths, unknown members: what the stock server says, which clients act on.
        for request in [
            "GET /wait?peer_id=99 HTTP/1.0\r\n\r\n",
            "GET /sign_out?peer_id=99 HTTP/1.0\r\n\r\n",
            "POST /message?peer_id=98&to=99 HTTP/1.0\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi",
        ] {
            assert_eq!(status(request.as_bytes()), 500, "{request:?}");
        }
        for (request, clear) in [
            (&b"GET /no/such/path HTTP/1.0\r\n\r\n"[..], &[404][..]),
            (b"GET /wait HTTP/1.0\r\n\r\n", &[400, 500]),
            (b"GET /wait?peer_id=-1 HTTP/1.0\r\n\r\n", &[400, 500]),
            (
                b"GET /wait?peer_id=99999999999999999999999999 HTTP/1.0\r\n\r\n",
                &[400, 500],
            ),
            (b"GET /sign_out?peer_id=0 HTTP/1.0\r\n\r\n", &[400, 500]),
            (b"GET /quit HTTP/1.0\r\n\r\n", &[404]),
            (b"DELETE /sign_in?x HTTP/1.0\r\n\r\n", &[404, 405]),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", &[400, 0]),
            (b"no request at all\r\n\r\n", &[400, 0]),
        ] {
            let status = status(request);
            assert!(
                clear.contains(&status),
                "{:?} is answered with {status}",
                String::from_utf8_lossy(request)
            );
        }
        let long_name = format!("GET /sign_in?{} HTTP/1.0\r\n\r\n", "x".repeat(1 << 20));
        assert!(
            [414, 431, 0].contains(&status(long_name.as_bytes())),
            "an endless name"
        );
        let many_headers = format!(
            "GET /wait?peer_id=1 HTTP/1.0\r\n{}\r\n",
            "X-Header: x\r\n".repeat(100_000)
        );
        assert!(
            [400, 431, 0].contains(&status(many_headers.as_bytes())),
            "endless headers"
        );

        let member = Member::sign_in(&network, server_address(), "member");
        let huge = vec![b'x'; 64 << 20];
        let head = format!(
            "POST /message?peer_id={0}&to={0} HTTP/1.0\r\nContent-Length: {1}\r\nContent-Type: text/plain\r\n\r\n",
            member.id,
            huge.len()
        );
        assert!(
            [413, 0].contains(&status(&[head.as_bytes(), &huge].concat())),
            "an endless body"
        );
        server.assert_running();
    }

    #[test]
    fn a_slow_request_holds_up_nobody_and_is_given_up() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let mut server = start_server(&network);
        let mut slow: Vec<TcpStream> = (0..50)
            .map(|_| {
                let mut stream = network
                    .inside(|| TcpStream::connect(server_address()))
                    .expect("the server listens");
                stream.write_all(b"GET /sign_in?slow").expect("the server reads");
                stream
            })
            .collect();
        let member = Member::sign_in(&network, server_address(), "quick");
        assert_eq!(member.send(member.id, b"echo"), 200);
        // Each is answered or closed without having sent a whole request.
        for stream in &mut slow {
            stream
                .set_read_timeout(Some(SOON * 2))
                .expect("a time-out above zero");
            let mut rest = Vec::new();
            stream
                .read_to_end(&mut rest)
                .expect("the server ends a request that does not come");
        }
        server.assert_running();
    }

    #[test]
    fn names_are_taken_as_the_stock_client_sends_them() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let watcher = Member::sign_in(&network, server_address(), "watcher");
        for (sent, seen) in [
            (
                &b"John Smith@\xed\x98\xb8\xec\x8a\xa4\xed\x8a\xb8"[..],
                "John Smith@호스트",
            ),
            (b"a%2Cb,c+d", "a_b_c d"),
            (b"latin-\xe9", "latin-\u{fffd}"),
        ] {
            let request = [b"GET /sign_in?", sent, b" HTTP/1.0\r\n\r\n"].concat();
            let answer =
                exchange(&network, server_address(), &request).expect("the server answers a sign-in");
            assert_eq!(answer.status, 200, "{}", answer.head);
            let id = header(&answer.head, "Pragma").expect("a Pragma").to_owned();
            assert_eq!(watcher.wait(SOON), Some((watcher.id, format!("{seen},{id},1\n"))));
        }
    }

    #[test]
    fn garbage_from_a_member_does_not_disturb_the_node() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let mut server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        let stranger = Member::sign_in(&network, server_address(), "stranger");
        let porch = stranger.find("porch");
        let offer = |sdp: &str| json!({"type": "offer", "sdp": sdp}).to_string();
        let no_media = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
        let no_codec =
            format!("{no_media}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 UNKNOWN/90000\r\na=mid:0\r\n");
        let huge = format!("{no_media}{}", "a=x\r\n".repeat(20_000));
        for message in [
            "",
            "hello",
            "{",
            "[1, 2, 3]",
            "null",
            "{\"type\": \"offer\"}",
            "{\"type\": 5, \"sdp\": {}}",
            "{\"type\": \"no such type\", \"sdp\": \"v=0\"}",
            "{\"type\": \"answer\", \"sdp\": \"v=0\\r\\n\"}",
            "{\"sdpMid\": \"0\", \"sdpMLineIndex\": 0, \"candidate\": \"candidate:nonsense\"}",
            "{\"sdpMid\": \"0\", \"sdpMLineIndex\": -7, \"candidate\": \"\"}",
            "{\"sdpMid\": 0, \"candidate\": \"candidate:1 1 udp 1 1.2.3.4 5 typ host\"}",
            "BYE",
            "bye",
            &offer(""),
            &offer("v=0"),
            &offer("\u{0}\u{1}\u{fffd}"),
            &offer(no_media),
            &offer(&no_codec),
            &offer(&huge),
            &json!({"type": "offer-loopback", "sdp": no_media}).to_string(),
            &"[".repeat(200_000),
        ] {
            let status = stranger.send(porch, message.as_bytes());
            // An empty message is no message, and says so.
            assert!(
                status == 200 || (message.is_empty() && status >= 400),
                "{status} for {:?}",
                message.get(..40)
            );
        }
        stranger.send(porch, &[0xff, 0xfe, 0x00, 0x80]);

        assert_serves(&network, &mut server, &mut node);
        let complaints = node.log().since(Mark::default());
        let of_the_stranger = complaints.iter().filter(|line| line.contains("WARN")).count();
        assert!(
            (1..=30).contains(&of_the_stranger),
            "{of_the_stranger} warnings:\n{}",
            complaints.join("\n")
        );
    }
}
