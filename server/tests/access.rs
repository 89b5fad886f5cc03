//! The access token, as clients of all kinds meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use pinhole_signaling::{Client, ClientError, Message, ServerUrl, Token};
use tokio::io::AsyncWriteExt;
use wire::{Reply, TestServer};

const TOKEN: &str = "open-sesame";
/// `anybody:open-sesame`
const BASIC: &str = "Basic YW55Ym9keTpvcGVuLXNlc2FtZQ==";
/// `anybody:open-barley!`
const WRONG: &str = "Basic YW55Ym9keTpvcGVuLWJhcmxleSE=";

const EVERYTHING: [&str; 8] = [
    "GET /",
    "HEAD /",
    "GET /main.js",
    "GET /sign_in?bob",
    "GET /wait?peer_id=1",
    "POST /message?peer_id=1&to=1",
    "GET /sign_out?peer_id=1",
    "GET /nothing",
];

async fn guarded() -> TestServer {
    TestServer::with(|config| config.access.token = Some(Token::new(TOKEN).unwrap())).await
}

async fn ask(server: &TestServer, request: &str, headers: &str) -> Reply {
    let request = format!("{request} HTTP/1.1\r\nHost: porch:8888\r\nContent-Length: 3\r\n{headers}\r\nBYE");
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes)
        .await
        .unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    Reply { head, body }
}

fn url(server: &TestServer) -> ServerUrl {
    format!("http://{}", server.address).parse().unwrap()
}

#[tokio::test]
async fn without_the_token_there_is_nothing_but_the_question_for_it() {
    let server = guarded().await;
    for request in EVERYTHING {
        for headers in [
            "",
            &format!("Authorization: {WRONG}\r\n"),
            "Authorization: Bearer open\r\n",
        ] {
            let reply = ask(&server, request, headers).await;
            assert!(
                reply.head.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
                "{request}: {reply:?}"
            );
            assert_eq!(
                reply.header("Www-Authenticate"),
                Some("Basic realm=\"pinhole\", charset=\"UTF-8\""),
                "{reply:?}"
            );
            assert_eq!(
                reply.header("Access-Control-Allow-Origin"),
                Some("*"),
                "{reply:?}"
            );
            let says = if headers.is_empty() {
                "Bearer TOKEN"
            } else {
                "not the access token"
            };
            assert!(
                reply.text().contains(says) || request.starts_with("HEAD"),
                "{reply:?}"
            );
        }
    }
    // None of these requests has done anything.
    let token = Token::new(TOKEN).unwrap();
    let (client, others) = Client::sign_in(&url(&server), Some(&token), &"alice".into())
        .await
        .unwrap();
    assert_eq!((client.id().get(), others.len()), (1, 0));
}

#[tokio::test]
async fn with_the_token_everything_is_as_ever() {
    let server = guarded().await;
    for authorization in [&format!("Bearer {TOKEN}"), BASIC] {
        let with = format!("Authorization: {authorization}\r\n");
        let page = ask(&server, "GET /", &with).await;
        assert!(page.status() == 200 && page.text().contains("<html"), "{page:?}");
        assert_eq!(ask(&server, "GET /main.js", &with).await.status(), 200);
        assert_eq!(ask(&server, "GET /nothing", &with).await.status(), 404);
        let id = ask(&server, "GET /sign_in?bob", &with)
            .await
            .header("Pragma")
            .unwrap()
            .to_owned();
        let echo = ask(&server, &format!("POST /message?peer_id={id}&to={id}"), &with).await;
        assert_eq!(echo.text(), "BYE");
        assert_eq!(
            ask(&server, &format!("GET /sign_out?peer_id={id}"), &with)
                .await
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn our_client_shows_the_token_with_every_request() {
    let server = guarded().await;
    let token = Token::new(TOKEN).unwrap();
    let (alice, _) = Client::sign_in(&url(&server), Some(&token), &"alice".into())
        .await
        .unwrap();
    let (bob, _) = Client::sign_in(&url(&server), Some(&token), &"bob".into())
        .await
        .unwrap();
    alice.wait().await.unwrap();
    bob.send(alice.id(), &Message::Bye).await.unwrap();
    alice.wait().await.unwrap();
    bob.sign_out().await.unwrap();

    let other = Token::new("open-barley!").unwrap();
    let error = Client::sign_in(&url(&server), Some(&other), &"eve".into())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TokenRefused), "{error}");
    let error = Client::sign_in(&url(&server), None, &"eve".into())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TokenWanted), "{error}");
}

#[tokio::test]
async fn a_page_that_is_allowed_may_ask_what_it_may_send_and_then_has_to_know_the_token() {
    let server = TestServer::with(|config| {
        config.access.token = Some(Token::new(TOKEN).unwrap());
        config.access.allow_origins = vec!["http://other.example".parse().unwrap()];
    })
    .await;
    let elsewhere = "Origin: http://other.example\r\n";
    let preflight = ask(
        &server,
        "OPTIONS /message?peer_id=1&to=1",
        &format!("{elsewhere}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"),
    )
    .await;
    assert_eq!(preflight.status(), 200);
    let allowed = preflight.header("Access-Control-Allow-Headers").unwrap();
    for shown in ["Authorization", "X-Pinhole-Key"] {
        assert!(allowed.split(", ").any(|name| name == shown), "{allowed}");
    }

    let bearer = format!("{elsewhere}Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&server, "GET /sign_in?page", &bearer).await.status(), 200);
    // What the browser adds by itself, to the request of a page that does not know it.
    for told in [elsewhere, "Sec-Fetch-Site: cross-site\r\n"] {
        let kept = format!("{told}Authorization: {BASIC}\r\n");
        for request in [
            "GET /sign_in?page",
            "POST /message?peer_id=1&to=1",
            "GET /sign_out?peer_id=1",
        ] {
            let reply = ask(&server, request, &kept).await;
            assert_eq!(reply.status(), 403, "{reply:?}");
        }
    }
    // A link to the page. It has no origin.
    let kept = format!("Sec-Fetch-Site: cross-site\r\nAuthorization: {BASIC}\r\n");
    assert_eq!(ask(&server, "GET /", &kept).await.status(), 200);
    let own = format!("Origin: http://porch:8888\r\nAuthorization: {BASIC}\r\n");
    assert_eq!(
        ask(&server, "POST /message?peer_id=1&to=1", &own).await.status(),
        200
    );
}

#[tokio::test]
async fn without_a_token_in_the_configuration_any_is_passed_over() {
    let server = TestServer::start().await;
    let with = format!("Authorization: {WRONG}\r\n");
    assert_eq!(ask(&server, "GET /", &with).await.status(), 200);
    assert_eq!(ask(&server, "GET /sign_in?bob", &with).await.status(), 200);
}
