//! How answers look: the headers of the stock server, in its order.
//!
//! The stock client finds headers case-sensitively and needs `Content-Length` on every answer; that the connection
//! ends with it is said on every answer, too.

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA, SERVER,
};
use pinhole_signaling::{PeerId, http};

use crate::hub::Refusal;

pub(super) type Response = hyper::Response<Full<Bytes>>;

const NAME: &str = concat!("pinhole/", env!("CARGO_PKG_VERSION"));

/// What lets a page from anywhere use the server, as the stock server does; it may show the access token itself, too.
const CORS: [(HeaderName, &str); 5] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
    (ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        "Content-Type, Content-Length, Connection, Cache-Control, Authorization",
    ),
    (ACCESS_CONTROL_EXPOSE_HEADERS, "Content-Length, X-Peer-Id"),
];

/// `200 OK` with a body, and the id that tells what it is.
pub(super) fn ok(content_type: HeaderValue, body: Bytes, pragma: Option<PeerId>) -> Response {
    let mut response = plain(StatusCode::OK, content_type, body);
    if let Some(id) = pragma {
        response.headers_mut().append(PRAGMA, HeaderValue::from(id.get()));
    }
    with_cors(response)
}

/// `200 OK` and nothing more.
pub(super) fn empty() -> Response {
    ok(text(), Bytes::new(), None)
}

/// An answer other than success, with a sentence that says why.
pub(super) fn error(status: StatusCode, sentence: impl Into<Bytes>) -> Response {
    with_cors(plain(status, text(), sentence.into()))
}

/// A mistake in a request, for the `?` of the handlers.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) status: StatusCode,
    /// What is wrong and what is right.
    pub(super) sentence: String,
}

impl Mistake {
    pub(super) fn bad_request(sentence: String) -> Mistake {
        Mistake {
            status: StatusCode::BAD_REQUEST,
            sentence,
        }
    }
}

/// What the hub refuses.
pub(super) fn refused(refusal: Refusal) -> Response {
    let (status, sentence) = match refusal {
        Refusal::Gone => {
            let mut response = error(StatusCode::INTERNAL_SERVER_ERROR, http::GONE);
            response
                .extensions_mut()
                .insert(ReasonPhrase::from_static(b"Error"));
            return response;
        }
        Refusal::Superseded => (StatusCode::CONFLICT, "This member has sent a newer /wait."),
        Refusal::ServerFull => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server has as many members as it may.",
        ),
        Refusal::MailboxFull => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many messages wait for this peer already; it does not fetch them. Try again later.",
        ),
        Refusal::MemoryFull => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many messages wait in this server already. Try again later.",
        ),
        Refusal::Closing => (StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down."),
    };
    error(status, sentence)
}

/// An answer without CORS, for what is not of the protocol.
pub(super) fn plain(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response {
    let length = body.len();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.append(SERVER, HeaderValue::from_static(NAME));
    headers.append(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.append(CONNECTION, HeaderValue::from_static("close"));
    headers.append(CONTENT_TYPE, content_type);
    headers.append(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

pub(super) fn text() -> HeaderValue {
    HeaderValue::from_static(http::TEXT_PLAIN)
}

/// An answer as bytes, for a connection on which no parser runs (any more).
pub(super) fn raw(status: StatusCode, sentence: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nServer: {NAME}\r\nConnection: close\r\n");
    head.push_str(&format!(
        "Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
        http::TEXT_PLAIN,
        sentence.len()
    ));
    head.push_str(sentence);
    head.into_bytes()
}

fn with_cors(mut response: Response) -> Response {
    for (name, value) in CORS {
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    response
}
