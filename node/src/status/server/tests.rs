use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pinhole_http::Token;
use pinhole_service::watchdog::Watchdog;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
};

use super::*;
use crate::{
    fanout::{self, Demand},
    media::{Codec, Privacy, Rendition},
    peer::{self, CameraId, Engine},
    pipeline::Account,
    presence::{Standing, State},
    status::{CameraSource, MicrophoneSource, Roster},
};

const SOON: Duration = Duration::from_secs(30);

/// A node without a camera thread and a presence, but with a real engine; its status is served.
struct Node {
    address: SocketAddr,
    presence: watch::Sender<Standing>,
    stuck: Arc<Mutex<Option<String>>>,
    stop: CancellationToken,
    stop_engine: CancellationToken,
    tasks: JoinSet<()>,
}

impl Node {
    fn start() -> Self {
        Self::guarded(Access::default())
    }

    fn guarded(access: Access) -> Self {
        let privacy = Privacy::default();
        let rendition = Rendition::top(Codec::Vp8);
        let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &privacy);
        let (_, silence) = fanout::broadcast([], &Demand::default(), &privacy);
        let (_, settings) = watch::channel(peer::Settings {
            max_viewers: 1,
            stun_servers: vec![],
            sound: false,
            ..peer::Settings::default()
        });
        let (engine, calls) = Engine::new(peer::Parts {
            transport: peer::Transport::bind(0).expect("a free port"),
            settings,
            sound: silence,
            privacy,
            ears: None,
            intake: None,
            threads: std::num::NonZeroUsize::MIN,
        });
        let presence = watch::Sender::new(Standing {
            server: "http://192.0.2.1:8888".to_owned(),
            name: "porch".to_owned(),
            state: State::SignedIn { id: "1".to_owned() },
            since: Instant::now(),
            sign_ins: 1,
        });
        let stuck = Arc::<Mutex<Option<String>>>::default();
        let asked = stuck.clone();
        let camera = CameraSource::new(
            CameraId::default(),
            None,
            presence.subscribe(),
            Arc::<Account>::default(),
            &broadcast,
        );
        let (_, roster) = watch::channel(Roster {
            name: "porch".to_owned(),
            cameras: vec![camera],
        });
        let sources = Sources::new(
            roster,
            MicrophoneSource::default(),
            engine.viewers(),
            Arc::default(),
            Arc::default(),
            Arc::new(move || asked.lock().expect("whole").clone()),
        );
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let (address, stop) = (server.address(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run(sources, access, stop.clone()));
        let stop_engine = stop.child_token();
        let engine_ends = stop_engine.clone();
        let pulse = Watchdog::default().pulse("the engine", SOON);
        tasks.spawn(async move {
            let _calls = calls;
            engine.run(engine_ends, pulse).await;
            drop(publisher);
        });
        Self {
            address,
            presence,
            stuck,
            stop,
            stop_engine,
            tasks,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Sends these bytes and reads all that comes, to the end of the connection.
    async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        let (mut from, mut to) = stream.split();
        let mut answer = Vec::new();
        // Both at once: it may answer and close before it has everything.
        let (_, read) = tokio::join!(to.write_all(request), from.read_to_end(&mut answer));
        let _ = read;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.exchange(request.as_bytes()).await
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
    }
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

#[tokio::test]
async fn the_page_and_what_machines_read_are_served() {
    let node = Node::start();
    let page = node.get("/").await;
    assert_eq!(status(&page), 200);
    let nonce = page
        .split("script-src 'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    assert!(page.contains(&format!("<script nonce=\"{}\">", nonce.expect("a nonce"))));
    assert!(page.contains("text/html; charset=utf-8"));

    let json = node.get("/status.json").await;
    assert!(
        json.contains("application/json") && json.contains("\"name\":\"porch\""),
        "{json}"
    );

    let metrics = node.get("/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(
        metrics.contains("\npinhole_viewers 0") && !metrics.contains("# EOF"),
        "{metrics}"
    );
    let open_metrics = node
        .exchange(b"GET /metrics HTTP/1.1\r\nHost: [::1]\r\nAccept: application/openmetrics-text\r\n\r\n")
        .await;
    assert!(
        open_metrics.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n")
            && open_metrics.ends_with("# EOF\n"),
        "{open_metrics}"
    );
    node.stop().await;
}

#[tokio::test]
async fn health_tells_a_node_that_waits_from_one_that_hangs() {
    let node = Node::start();
    let ask = async |path| {
        let answer = node.get(path).await;
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
        (status(&answer), body)
    };
    assert_eq!(
        ask("/health").await,
        (200, r#"{"status":"ok","problems":[]}"#.to_owned())
    );
    node.presence.send_modify(|standing| {
        standing.state = State::Away {
            why: "connection refused".to_owned(),
        };
    });
    let (code, body) = ask("/health").await;
    assert_eq!(code, 200, "a restart would not bring the server back");
    assert!(
        body.contains("degraded") && body.contains("connection refused"),
        "{body}"
    );
    assert_eq!(ask("/health?strict").await.0, 503);
    *node.stuck.lock().expect("whole") = Some("the camera thread does not move".to_owned());
    let (code, body) = ask("/health").await;
    assert_eq!(code, 503);
    assert!(body.contains("the camera thread does not move"), "{body}");
    node.stop().await;
}

#[tokio::test]
async fn an_engine_that_does_not_answer_fails_the_health() {
    let mut node = Node::start();
    assert_eq!(status(&node.get("/health").await), 200);
    node.stop_engine.cancel();
    node.tasks
        .join_next()
        .await
        .expect("the engine")
        .expect("no panic");
    let answer = node.get("/health").await;
    assert_eq!(status(&answer), 503);
    assert!(
        answer.contains("the task that serves viewers does not answer"),
        "{answer}"
    );
    assert_eq!(
        status(&node.get("/metrics").await),
        200,
        "the rest is told all the same"
    );
    node.stop().await;
}

#[tokio::test]
async fn what_is_not_served_is_refused_in_words() {
    let node = Node::start();
    assert_eq!(status(&node.get("/nothing").await), 404);
    let refused = node
        .exchange(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    assert_eq!(status(&refused), 405);
    assert!(refused.contains("allow: GET, HEAD\r\n"), "{refused}");
    let head = node
        .exchange(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(status(&head) == 200 && head.ends_with("\r\n\r\n"), "{head}");
    let other = node
        .exchange(b"GET / HTTP/1.1\r\nHost: evil.example:8889\r\n\r\n")
        .await;
    assert_eq!(status(&other), 421, "a page that had its name lead here");
    assert_eq!(status(&node.exchange(b"GET /health HTTP/1.0\r\n\r\n").await), 200);
    node.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_big_or_no_http_are_refused() {
    let node = Node::start();
    let long = format!(
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    assert_eq!(status(&node.exchange(long.as_bytes()).await), 431);
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(status(&node.exchange(many.as_bytes()).await), 431);
    assert_eq!(
        status(&node.exchange(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await),
        400
    );
    assert_eq!(status(&node.get("/health").await), 200);
    node.stop().await;
}

#[tokio::test]
async fn connections_that_say_nothing_take_no_more_than_their_places_and_not_for_ever() {
    let node = Node::start();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = node.connect().await;
        // One letter now and then would keep a server busy that waits for the rest.
        stream.write_all(b"G").await.expect("it listens");
        idle.push(stream);
    }
    // They are accepted in order, so this one finds all places taken.
    let turned_away = node.get("/health").await;
    assert!(
        turned_away.is_empty() || status(&turned_away) == 503,
        "{turned_away}"
    );
    let served = async {
        loop {
            let answer = node.get("/health").await;
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, served)
        .await
        .expect("the places come free");
    for stream in &mut idle {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut rest))
            .await
            .expect("it is closed");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_forever_is_cut_off() {
    let node = Node::start();
    let mut stream = node.connect().await;
    let head = b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n";
    stream.write_all(head).await.expect("it listens");
    let cut_off = async { while stream.write_all(&[b'x'; 65536]).await.is_ok() {} };
    tokio::time::timeout(SOON, cut_off).await.expect("it is cut off");
    node.stop().await;
}

#[tokio::test]
async fn a_server_that_was_stopped_leaves_its_port() {
    let node = Node::start();
    let address = node.address;
    let _idle = node.connect().await;
    node.stop().await;
    Server::bind(address).expect("the port is free again");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_its_key_and_what_to_do() {
    let first = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = first.address();
    let error = Server::bind(address).expect_err("it is taken").to_string();
    for part in [&address.to_string(), "`listen` under [http]", "choose another"] {
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[tokio::test]
async fn only_names_that_no_stranger_can_have_lead_here() {
    let hosts = vec!["cameras.example.org".parse().expect("a name")];
    let node = Node::guarded(Access {
        hosts,
        ..Access::default()
    });
    let ask = async |host: &str| {
        let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n");
        node.exchange(request.as_bytes()).await
    };
    for host in [
        "localhost",
        "LOCALHOST:8889",
        "localhost.:8889",
        "porch.localhost:1",
        "127.0.0.1:8889",
        "[::1]:8889",
        "[::1]",
        "shed:8889",
        "porch.local",
        "cameras.example.org",
    ] {
        assert_eq!(status(&ask(host).await), 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example:8889",
        "127.0.0.1.evil.example",
        "[::1].evil.example:80]",
        "",
        "[",
    ] {
        let answer = ask(host).await;
        assert_eq!(status(&answer), 421, "{host}");
        assert!(
            answer.contains("hosts") && answer.contains("[http] in node.toml"),
            "{answer}"
        );
    }
    node.stop().await;
}

#[tokio::test]
async fn only_pages_that_are_allowed_may_read_it() {
    let allow_origins = vec!["https://home.example".parse().expect("an origin")];
    let node = Node::guarded(Access {
        allow_origins,
        ..Access::default()
    });
    let ask = async |method: &str, origin: &str| {
        let request =
            format!("{method} /status.json HTTP/1.1\r\nHost: porch:8889\r\nOrigin: {origin}\r\n\r\n");
        node.exchange(request.as_bytes()).await
    };
    let own = ask("GET", "http://porch:8889").await;
    assert_eq!(status(&own), 200);
    assert!(!own.contains("access-control"), "{own}");
    for method in ["GET", "OPTIONS"] {
        let guest = ask(method, "https://home.example").await;
        assert_eq!(status(&guest), 200, "{guest}");
        assert!(
            guest.contains("access-control-allow-origin: https://home.example\r\n"),
            "{guest}"
        );
        assert_eq!(
            guest.contains("access-control-allow-headers: Authorization\r\n"),
            method == "OPTIONS"
        );
        let stranger = ask(method, "https://evil.example").await;
        assert_eq!(status(&stranger), 403, "{stranger}");
        assert!(
            !stranger.contains("access-control") && stranger.contains("[http] in node.toml"),
            "{stranger}"
        );
    }
    let page = node.get("/").await;
    assert!(
        page.contains("frame-ancestors https://home.example\r\n"),
        "{page}"
    );
    node.stop().await;

    let node = Node::start();
    let page = node.get("/").await;
    assert!(page.contains("frame-ancestors 'none'\r\n"), "{page}");
    node.stop().await;
}

#[tokio::test]
async fn where_there_is_a_token_it_has_to_be_shown() {
    let token = Token::new("open-sesame").expect("long enough");
    let node = Node::guarded(Access {
        token: Some(token),
        ..Access::default()
    });
    for path in ["/", "/health", "/metrics", "/status.json", "/nothing"] {
        let answer = node.get(path).await;
        assert_eq!(status(&answer), 401, "{answer}");
        assert!(answer.contains("www-authenticate: Basic "), "{answer}");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: porch\r\nAuthorization: Bearer open-sesame\r\n\r\n");
        let answer = node.exchange(request.as_bytes()).await;
        let expected = if path == "/nothing" { 404 } else { 200 };
        assert_eq!(status(&answer), expected, "{answer}");
    }
    node.stop().await;
}
