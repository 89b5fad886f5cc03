//! From a request to its handler.
//!
//! What is on no path is a 404 with a sentence (the stock server answers `500 Sorry`, which its client takes no other
//! way, and which would read to everybody else as our fault). The stock's `/quit`, by which anybody can stop the
//! server, is not offered.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use pinhole_signaling::{PeerId, http};

use super::answer::{self, Mistake, Response};
use super::desk::{Desk, Ticket};
use super::gate::Gate;
use super::{message, page, sign_in, sign_out, wait};
use crate::hub::Answer;

/// One request, as its handler sees it.
pub(super) struct Visit {
    pub(super) desk: Arc<Desk>,
    pub(super) message_bytes: usize,
    /// How long a request may take to arrive.
    pub(super) request_patience: Duration,
    pub(super) connection: Arc<Connection>,
    uri: Uri,
}

/// What the handler and the connection beneath it tell each other.
#[derive(Debug)]
pub(super) struct Connection {
    /// The client's address.
    from: IpAddr,
    /// The request line was too long; the request is a stand-in.
    pub(super) is_target_too_long: Arc<AtomicBool>,
    /// An event that is on its way out.
    pub(super) in_delivery: Mutex<Option<Ticket>>,
}

impl Connection {
    pub(super) fn new(from: IpAddr) -> Connection {
        Connection {
            from,
            is_target_too_long: Arc::default(),
            in_delivery: Mutex::default(),
        }
    }
}

/// What all requests share.
#[derive(Debug, Clone)]
pub(super) struct Office {
    pub(super) desk: Arc<Desk>,
    pub(super) gate: Arc<Gate>,
    pub(super) message_bytes: usize,
    pub(super) request_patience: Duration,
}

pub(super) async fn answer(
    office: Office,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    let Office {
        desk,
        gate,
        message_bytes,
        request_patience,
    } = office;
    let visit = Visit {
        desk,
        message_bytes,
        request_patience,
        connection,
        uri: head.uri,
    };
    if visit.connection.is_target_too_long.load(Ordering::Relaxed) {
        let sentence = format!("A request's target may have at most {} bytes.", http::MAX_TARGET);
        return answer::error(StatusCode::URI_TOO_LONG, sentence);
    }
    if head.method == Method::OPTIONS {
        return answer::empty();
    }
    let file = page::find(visit.uri.path());
    if let Some(refusal) = gate.refusal(&head.headers, visit.connection.from, file.is_some()) {
        return refusal;
    }
    let is_get = head.method == Method::GET;
    let answered = match visit.uri.path() {
        http::SIGN_IN if is_get => Ok(sign_in::sign_in(&visit).await),
        http::WAIT if is_get => wait::wait(&visit).await,
        http::MESSAGE if head.method == Method::POST => message::message(&visit, &head.headers, body).await,
        http::SIGN_OUT if is_get => sign_out::sign_out(&visit).await,
        http::MESSAGE => Ok(not_allowed("POST, OPTIONS")),
        http::SIGN_IN | http::WAIT | http::SIGN_OUT => Ok(not_allowed("GET, OPTIONS")),
        _ => match file {
            Some(file) if is_get || head.method == Method::HEAD => Ok(page::serve(file, &head.headers)),
            Some(_) => Ok(not_allowed("GET, HEAD, OPTIONS")),
            None => Err(Mistake {
                status: StatusCode::NOT_FOUND,
                sentence:
                    "There is nothing here. The viewer page is at /, and peers use /sign_in, /wait, /message \
                           and /sign_out."
                        .into(),
            }),
        },
    };
    answered.unwrap_or_else(|Mistake { status, sentence }| answer::error(status, sentence))
}

impl Visit {
    /// The query, still percent-encoded; empty if there is none.
    pub(super) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The id that the query gives for a key.
    pub(super) fn id(&self, key: &str) -> Result<PeerId, Mistake> {
        let value = http::query_value(self.query(), key);
        let value = value.ok_or_else(|| Mistake::bad_request(format!("The query needs {key}=<id>.")))?;
        value
            .parse()
            .map_err(|error| Mistake::bad_request(format!("{key}: {error}.")))
    }

    /// The connection is to say when the answer is sent.
    pub(super) fn await_delivery(&self, ticket: Ticket) {
        *self
            .connection
            .in_delivery
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(ticket);
    }

    /// The answer to what can only be a refusal.
    pub(super) fn unexpected(&self, answer: Answer) -> Response {
        match answer {
            Answer::Refused(refusal) => answer::refused(refusal),
            other => {
                tracing::error!(
                    path = self.uri.path(),
                    ?other,
                    "the hub gave the answer to another question"
                );
                answer::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The server has made a mistake.",
                )
            }
        }
    }
}

fn not_allowed(methods: &'static str) -> Response {
    let mut response = answer::error(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("Here only these methods are allowed: {methods}."),
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    response
}
