//! Who may come in, as clients of all kinds meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_http::{Access, Token};
use wire::{LIMITS, Reply, TestServer};

/// `anybody:open-sesame`
const BASIC: &str = "Basic YW55Ym9keTpvcGVuLXNlc2FtZQ==";

fn with(access: Access) -> TestServer {
    TestServer::with(LIMITS, access)
}

fn guarded() -> Access {
    Access {
        token: Some(Token::new("open-sesame").unwrap()),
        ..Access::default()
    }
}

async fn ask(server: &TestServer, request: &str, headers: &[&str]) -> Reply {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    server.ask(format!("{request} HTTP/1.1\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn a_host_that_can_be_a_strangers_is_refused_with_the_key_that_allows_it() {
    let server = with(Access {
        hosts: vec!["cameras.example.org".parse().unwrap()],
        ..Access::default()
    });
    for host in [
        "127.0.0.1:8888",
        "[::1]:8888",
        "porch",
        "localhost:1",
        "porch.local:8888",
        "cameras.example.org",
    ] {
        let reply = ask(&server, "GET /", &[&format!("Host: {host}")]).await;
        assert_eq!(reply.status(), 200, "{host}: {reply:?}");
    }
    assert_eq!(server.ask("GET / HTTP/1.0\r\n\r\n").await.status(), 200);
    for request in ["GET /", "GET /document", "POST /", "OPTIONS /"] {
        let reply = ask(&server, request, &["Host: evil.example:8888"]).await;
        assert_eq!(reply.status(), 421, "{reply:?}");
        assert!(
            reply
                .body
                .contains("hosts = [\"evil.example\"] under [test] in test.toml"),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_unless_it_is_allowed() {
    let open = with(Access::default());
    let choosy = with(Access {
        allow_origins: vec!["https://home.example".parse().unwrap()],
        ..Access::default()
    });
    let every = with(Access {
        allow_origins: vec!["*".parse().unwrap()],
        ..Access::default()
    });
    for (origin, expected) in [
        ("http://porch:8888", [200, 200, 200]),
        ("https://porch:8888", [200, 200, 200]),
        ("https://home.example", [403, 200, 200]),
        ("https://evil.example", [403, 403, 200]),
        ("http://porch", [403, 403, 200]),
        ("null", [403, 403, 200]),
    ] {
        for request in ["GET /", "GET /document", "OPTIONS /"] {
            for (server, expected) in [&open, &choosy, &every].into_iter().zip(expected) {
                let headers = ["Host: porch:8888", &format!("Origin: {origin}")];
                let reply = ask(server, request, &headers).await;
                assert_eq!(reply.status(), expected, "{request} {origin}: {reply:?}");
                assert!(
                    expected == 200
                        || (reply.body.contains("allow_origins")
                            && reply.body.contains("[test] in test.toml")),
                    "{reply:?}"
                );
            }
        }
    }
    // What a browser sends for an image or a link of that page, where it tells.
    let headers = ["Host: porch:8888", "Sec-Fetch-Site: cross-site"];
    assert_eq!(ask(&open, "GET /", &headers).await.status(), 403);
    assert_eq!(ask(&open, "GET /document", &headers).await.status(), 200);
}

#[tokio::test]
async fn a_site_knows_who_asks() {
    let server = with(Access {
        allow_origins: vec!["https://home.example".parse().unwrap()],
        ..Access::default()
    });
    for (headers, caller) in [
        (&[][..], "Program"),
        (&["Host: porch"], "Unnamed"),
        (&["Host: porch", "Origin: http://porch"], "Own"),
        (
            &["Host: porch", "Origin: https://home.example"],
            "Guest(\"https://home.example\")",
        ),
        (&["Host: porch", "Sec-Fetch-Site: cross-site"], "Stranger"),
    ] {
        let reply = ask(&server, "GET /document", headers).await;
        assert_eq!(reply.body, format!("/document {caller}"));
    }
}

#[tokio::test]
async fn the_token_opens_and_nothing_else_does() {
    let server = with(guarded());
    for (authorization, expected) in [
        (None, 401),
        (Some("Bearer open-barley"), 401),
        (Some("Bearer"), 401),
        (Some("Basic open-sesame"), 401),
        (Some("Bearer open-sesame"), 200),
        (Some(BASIC), 200),
    ] {
        let authorization = authorization.map(|authorization| format!("Authorization: {authorization}"));
        let headers = [Some("Host: porch"), authorization.as_deref()];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        for request in ["GET /", "GET /document", "POST /"] {
            let reply = ask(&server, request, &headers).await;
            assert_eq!(reply.status(), expected, "{authorization:?}: {reply:?}");
            let challenge = "Basic realm=\"pinhole\", charset=\"UTF-8\"";
            assert_eq!(
                reply.header("Www-Authenticate"),
                (expected == 401).then_some(challenge)
            );
        }
    }
}

#[tokio::test]
async fn a_page_that_is_allowed_still_has_to_know_the_token() {
    let server = with(Access {
        allow_origins: vec!["*".parse().unwrap()],
        ..guarded()
    });
    let elsewhere = ["Host: porch", "Origin: https://home.example"];
    // Asked before with nothing, as browsers do.
    assert_eq!(ask(&server, "OPTIONS /", &elsewhere).await.status(), 200);
    for (authorization, expected) in [("Bearer open-sesame", 200), (BASIC, 403), ("Bearer open", 401)] {
        let authorization = format!("Authorization: {authorization}");
        let headers = [elsewhere[0], elsewhere[1], &authorization];
        for request in ["GET /", "GET /document"] {
            assert_eq!(
                ask(&server, request, &headers).await.status(),
                expected,
                "{authorization}"
            );
        }
    }
    // A link on any page, followed by a browser that keeps the password.
    let headers = [
        "Host: porch",
        "Sec-Fetch-Site: cross-site",
        &format!("Authorization: {BASIC}"),
    ];
    assert_eq!(ask(&server, "GET /document", &headers).await.status(), 200);
    assert_eq!(ask(&server, "GET /", &headers).await.status(), 403);
}
