//! What pages may do with the server through a person's browser, and by which names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_server::config::Config;
use wire::{Reply, TestServer, post};

const REQUESTS: [&str; 7] = [
    "GET /",
    "GET /sign_in?bob",
    "GET /wait?peer_id=1",
    "GET /sign_out?peer_id=1",
    "GET /nothing",
    "OPTIONS /sign_in",
    "OPTIONS /message?peer_id=1&to=1",
];

async fn ask(server: &TestServer, request: &str, headers: &str) -> Reply {
    server.ask(format!("{request} HTTP/1.1\r\n{headers}\r\n")).await
}

async fn allowing(origin: &str) -> TestServer {
    let origin = origin.parse().unwrap();
    TestServer::with(|config| config.access.allow_origins = vec![origin]).await
}

fn cors(reply: &Reply) -> Option<&str> {
    reply.header("Access-Control-Allow-Origin")
}

#[tokio::test]
async fn a_page_from_elsewhere_gets_nothing_from_an_open_server() {
    let server = TestServer::start().await;
    let member = server.sign_in("porch").await;
    for origin in ["https://evil.example", "http://porch", "null"] {
        let headers = format!("Host: porch:8888\r\nOrigin: {origin}\r\n");
        for request in REQUESTS {
            let reply = ask(&server, request, &headers).await;
            assert_eq!(reply.status(), 403, "{request}: {reply:?}");
            assert!(
                reply.text().contains("allow_origins") && reply.text().contains("[access] in server.toml"),
                "{reply:?}"
            );
            assert!(!reply.head.contains("Access-Control"), "{reply:?}");
        }
        let message = post(&format!("/message?peer_id={member}&to={member}"), "hello");
        let message = message.replace("HTTP/1.0\r\n", &format!("HTTP/1.1\r\n{headers}"));
        assert_eq!(server.ask(message).await.status(), 403);
    }
    // The member is still there, and nobody else has come.
    let bob = server.get("/sign_in?bob").await;
    assert_eq!(bob.text(), "bob,2,1\nporch,1,1\n");
}

#[tokio::test]
async fn the_servers_own_page_may_all_of_it_also_behind_a_proxy() {
    let server = TestServer::start().await;
    let member = server.sign_in("porch").await;
    for headers in [
        "Host: porch:8888\r\nOrigin: http://porch:8888\r\n",
        "Host: [::1]:8888\r\nOrigin: http://[::1]:8888\r\n",
        "Host: porch:8888\r\nOrigin: https://porch:8888\r\n",
        "Host: 127.0.0.1:8888\r\nOrigin: https://cameras.example.org\r\nSec-Fetch-Site: same-origin\r\n",
        "Host: 127.0.0.1:8888\r\nOrigin: https://cameras.example.org\r\nX-Forwarded-Host: cameras.example.org\r\n",
    ] {
        let message = post(&format!("/message?peer_id={member}&to={member}"), "hello");
        let message = message.replace("HTTP/1.0\r\n", &format!("HTTP/1.1\r\n{headers}"));
        let echo = server.ask(message).await;
        assert_eq!((echo.status(), echo.text().as_str()), (200, "hello"), "{echo:?}");
        assert_eq!(cors(&echo), None, "{echo:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_allowed_sees_answers_with_its_own_origin() {
    for allowed in ["https://home.example", "*"] {
        let server = allowing(allowed).await;
        server.sign_in("porch").await;
        let headers = "Host: porch:8888\r\nOrigin: https://home.example\r\n";
        for (request, status) in [
            ("GET /sign_in?bob", 200),
            ("OPTIONS /message?peer_id=1&to=1", 200),
            ("GET /wait?peer_id=77", 500),
            ("GET /nothing", 404),
        ] {
            let reply = ask(&server, request, headers).await;
            assert_eq!(reply.status(), status, "{reply:?}");
            assert_eq!(cors(&reply), Some("https://home.example"), "{reply:?}");
            assert_eq!(reply.header("Vary"), Some("origin"), "{reply:?}");
            assert_eq!(
                reply.header("Access-Control-Allow-Methods"),
                Some("POST, GET, OPTIONS")
            );
        }
        let other = ask(
            &server,
            "GET /sign_in?eve",
            "Host: porch:8888\r\nOrigin: https://other.example\r\n",
        )
        .await;
        assert_eq!(other.status(), if allowed == "*" { 200 } else { 403 });
    }
}

#[tokio::test]
async fn without_an_origin_the_answer_is_the_stock_servers_and_no_browser_keeps_it() {
    let server = TestServer::start().await;
    for (headers, cache) in [("", "no-cache"), ("Host: porch:8888\r\n", "no-store")] {
        for request in ["GET /sign_in?bob", "OPTIONS /sign_in", "GET /wait?peer_id=77"] {
            let reply = ask(&server, request, headers).await;
            assert_eq!(cors(&reply), Some("*"), "{reply:?}");
            assert_eq!(reply.header("Cache-Control"), Some(cache), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn an_image_of_a_page_from_elsewhere_signs_nobody_in_where_the_browser_tells() {
    let server = TestServer::start().await;
    for site in ["cross-site", "same-site"] {
        let headers = format!("Host: localhost:8888\r\nSec-Fetch-Site: {site}\r\n");
        assert_eq!(ask(&server, "GET /sign_in?eve", &headers).await.status(), 403);
        assert_eq!(ask(&server, "GET /", &headers).await.status(), 200, "a link");
    }
    let own = "Host: localhost:8888\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(ask(&server, "GET /sign_in?page", own).await.text(), "page,1,1\n");
}

#[tokio::test]
async fn a_name_that_can_be_a_strangers_is_refused_until_it_is_configured() {
    let server = TestServer::start().await;
    for host in [
        "127.0.0.1:8888",
        "192.168.1.10",
        "[::1]:8888",
        "[fe80::1]",
        "porch",
        "porch:8888",
        "localhost:8888",
        "garden.local:8888",
    ] {
        let reply = ask(&server, "GET /", &format!("Host: {host}\r\n")).await;
        assert_eq!(reply.status(), 200, "{host}: {reply:?}");
    }
    let headers = "Host: cameras.example.org:8888\r\n";
    for request in REQUESTS {
        let reply = ask(&server, request, headers).await;
        assert_eq!(reply.status(), 421, "{reply:?}");
        assert!(
            reply
                .text()
                .contains("hosts = [\"cameras.example.org\"] under [access] in server.toml"),
            "{reply:?}"
        );
    }
    // Nor does a page of that name pass by being of one origin with it.
    let rebound =
        "Host: evil.example:8888\r\nOrigin: http://evil.example:8888\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(ask(&server, "GET /sign_in?eve", rebound).await.status(), 421);

    let mut config = Config::default();
    config.access.hosts = vec!["cameras.example.org".parse().unwrap()];
    server.control.obey(config);
    while ask(&server, "GET /", headers).await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_page_is_framed_by_itself_and_by_pages_that_are_allowed() {
    for (server, ancestors) in [
        (TestServer::start().await, "frame-ancestors 'self'"),
        (
            allowing("https://home.example").await,
            "frame-ancestors 'self' https://home.example",
        ),
        (allowing("*").await, "frame-ancestors *"),
    ] {
        let page = ask(&server, "GET /", "Host: porch\r\n").await;
        let policy = page.header("Content-Security-Policy").unwrap();
        assert!(policy.ends_with(ancestors), "{policy}");
        assert!(
            policy.contains("default-src 'self'") && policy.contains("object-src 'none'"),
            "{policy}"
        );
        // With "no-referrer" the page's own messages would come from the origin "null" in some browsers.
        assert_eq!(page.header("Referrer-Policy"), Some("same-origin"));
    }
}
