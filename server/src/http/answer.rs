//! How answers look: the headers of the stock server, in its order.
//!
//! The stock client finds headers case-sensitively and needs `Content-Length` on every answer; that the connection
//! ends with it is said on every answer, too.

use bytes::Bytes;
use pinhole_http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, PRAGMA, SERVER, VARY,
};
use pinhole_http::{Answer, BodyError, Caller, StatusCode};
use pinhole_signaling::{PeerId, http};

use crate::hub::{Parcel, Refusal};

const NAME: &str = concat!("pinhole/", env!("CARGO_PKG_VERSION"));

/// What every page may use the stock server by. Here it follows the origin that may, and the access token may be shown, too.
const CORS: [(HeaderName, &str); 4] = [
    (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
    (ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        "Content-Type, Content-Length, Connection, Cache-Control, Authorization",
    ),
    (ACCESS_CONTROL_EXPOSE_HEADERS, "Content-Length, X-Peer-Id"),
];

/// The headers that a page of an origin that may use the server can send: the above, and the key of its member.
const OF_GUESTS: &str =
    "Content-Type, Content-Length, Connection, Cache-Control, Authorization, X-Pinhole-Key";

/// `200 OK` with a body, and the id that tells what it is.
pub(super) fn ok(content_type: HeaderValue, body: Bytes, pragma: Option<PeerId>) -> Answer {
    let answer = plain(StatusCode::OK, content_type, body);
    match pragma {
        Some(id) => answer.with(PRAGMA, HeaderValue::from(id.get())),
        None => answer,
    }
}

/// `200 OK` with a message, in the words and of the type that it was sent in.
pub(super) fn parcel(parcel: Parcel, from: PeerId) -> Answer {
    // It came as a header, so it can go as one.
    let content_type = HeaderValue::from_maybe_shared(parcel.content_type).unwrap_or_else(|_| text());
    ok(content_type, parcel.body, Some(from))
}

/// `200 OK` and nothing more.
pub(super) fn empty() -> Answer {
    ok(text(), Bytes::new(), None)
}

/// An answer other than success, with a sentence that says why.
pub(super) fn error(status: StatusCode, sentence: impl Into<Bytes>) -> Answer {
    plain(status, text(), sentence.into())
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

impl From<BodyError> for Mistake {
    fn from(error: BodyError) -> Mistake {
        Mistake {
            status: error.status(),
            sentence: error.to_string(),
        }
    }
}

/// What the hub refuses.
pub(super) fn refused(refusal: Refusal) -> Answer {
    let (status, sentence) = match refusal {
        Refusal::Gone => return error(StatusCode::INTERNAL_SERVER_ERROR, http::GONE).with_reason(b"Error"),
        Refusal::Superseded => (StatusCode::CONFLICT, "This member has sent a newer /wait."),
        Refusal::ServerFull => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server has as many members as it may.",
        ),
        Refusal::ClientFull => (
            StatusCode::TOO_MANY_REQUESTS,
            "As many members of your address are signed in as one may have.",
        ),
        Refusal::TooFast => (
            StatusCode::TOO_MANY_REQUESTS,
            "Your address signs in too often. Try again in a second.",
        ),
        Refusal::MailboxFull => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many messages wait for this peer already; it does not fetch them. Try again later.",
        ),
        Refusal::MemoryFull => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server holds as much for its members as it may. Try again later.",
        ),
        Refusal::ShareFull => (
            StatusCode::TOO_MANY_REQUESTS,
            "The server holds as much for your address as it may. Try again later.",
        ),
        Refusal::Closing => (StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down."),
    };
    error(status, sentence)
}

/// An answer as it begins, whoever asks.
pub(super) fn plain(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let length = body.len();
    Answer::new(status, body)
        .with(SERVER, HeaderValue::from_static(NAME))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
        .with(CONNECTION, HeaderValue::from_static("close"))
        .with(CONTENT_TYPE, content_type)
        .with(CONTENT_LENGTH, HeaderValue::from(length))
}

pub(super) fn text() -> HeaderValue {
    HeaderValue::from_static(http::TEXT_PLAIN)
}

/// An answer of the protocol, with what lets the page that asks see it (CORS).
///
/// Where no page is known of the answer says what the stock server's does, that every page may. No browser heeds it
/// then, unless it keeps the answer and gives it to a page that asks for the same later; so where it may be a browser, the answer
/// is not to be kept.
pub(super) fn for_caller(mut answer: Answer, caller: &Caller) -> Answer {
    let origin = match caller {
        Caller::Program => HeaderValue::from_static("*"),
        Caller::Unnamed => {
            let no_store = HeaderValue::from_static("no-store");
            answer.headers_mut().insert(CACHE_CONTROL, no_store);
            HeaderValue::from_static("*")
        }
        Caller::Guest(origin) => origin.clone(),
        Caller::Own | Caller::Stranger => return answer,
    };
    answer = answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    for (name, value) in CORS {
        answer = answer.with(name, HeaderValue::from_static(value));
    }
    match caller {
        Caller::Guest(_) => {
            // Our page shows its key as well. The stock server's pages know of none.
            let headers = HeaderValue::from_static(OF_GUESTS);
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            answer.with(VARY, HeaderValue::from_name(ORIGIN))
        }
        _ => answer,
    }
}
