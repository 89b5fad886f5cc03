//! From a request to its handler.
//!
//! What is on no path is a 404 with a sentence (the stock server answers `500 Sorry`, which its client takes no other
//! way, and which would read to everybody else as our fault). The stock's `/quit`, by which anybody can stop the
//! server, is not offered.

use std::sync::Arc;

use pinhole_http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use pinhole_http::{Access, Answer, Gates, Method, Refusal, Request, StatusCode};
use pinhole_signaling::http;

use super::answer::{self, Mistake};
use super::desk::Desk;
use super::visit::Visit;
use super::{message, page, sign_in, sign_out, wait};

/// Where the keys of the gates stand.
const SECTION: &str = "[access] in server.toml";

/// What all requests share.
#[derive(Debug, Clone)]
pub(super) struct Site {
    desk: Arc<Desk>,
    gates: Arc<Gates>,
    /// Who may show the page in a frame.
    frame_ancestors: Arc<str>,
}

impl Site {
    pub(super) fn new(desk: Arc<Desk>, access: Access) -> Site {
        let gates = Gates::new(access, SECTION);
        Site {
            desk,
            frame_ancestors: gates.frame_ancestors("'self'").into(),
            gates: Arc::new(gates),
        }
    }

    /// The same with other gates, if they have to be others.
    pub(super) fn obey(&mut self, access: Access) {
        if !self.gates.are_for(&access) {
            *self = Site::new(self.desk.clone(), access);
        }
    }

    async fn answer_peer(&self, method: &Method, visit: &Visit, body: pinhole_http::Body) -> Answer {
        let is_get = method == Method::GET;
        let answered = match visit.path() {
            http::SIGN_IN if is_get => sign_in::sign_in(visit).await,
            http::WAIT if is_get => wait::wait(visit).await,
            http::MESSAGE if method == Method::POST => message::message(visit, body).await,
            http::SIGN_OUT if is_get => sign_out::sign_out(visit).await,
            http::MESSAGE => Ok(not_allowed("POST, OPTIONS")),
            http::SIGN_IN | http::WAIT | http::SIGN_OUT => Ok(not_allowed("GET, OPTIONS")),
            _ => Err(Mistake {
                status: StatusCode::NOT_FOUND,
                sentence:
                    "There is nothing here. The viewer page is at /, and peers use /sign_in, /wait, /message \
                           and /sign_out."
                        .into(),
            }),
        };
        answered.unwrap_or_else(|Mistake { status, sentence }| answer::error(status, sentence))
    }
}

impl pinhole_http::Site for Site {
    // The stock client finds `Content-Length`, not `content-length`.
    const TITLE_CASE: bool = true;

    const FULL: &'static str =
        "The server has as many connections as it may (`connections` under [limits] in server.toml).";

    const FULL_FOR_ONE: &'static str = "As many connections of your address are open as one may have (`address_share` \
                                        under [limits] in server.toml). Try again later.";

    fn gates(&self) -> &Gates {
        &self.gates
    }

    fn is_document(&self, path: &str) -> bool {
        page::find(path).is_some()
    }

    async fn answer(&self, request: Request) -> Answer {
        let method = request.method.clone();
        let (visit, body) = Visit::new(self.desk.clone(), request);
        if method == Method::OPTIONS {
            return answer::for_caller(answer::empty(), &visit.caller);
        }
        match page::find(visit.path()) {
            Some(file) if method == Method::GET || method == Method::HEAD => {
                page::serve(file, &visit.headers, &self.frame_ancestors)
            }
            Some(_) => answer::for_caller(not_allowed("GET, HEAD, OPTIONS"), &visit.caller),
            None => answer::for_caller(self.answer_peer(&method, &visit, body).await, &visit.caller),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        let Refusal {
            status,
            sentence,
            challenge,
            caller,
        } = refusal;
        let mut answer = answer::error(status, sentence.into_owned());
        if let Some(challenge) = challenge {
            answer = answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        answer::for_caller(answer, &caller)
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    answer::error(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("Here only these methods are allowed: {methods}."),
    )
    .with(ALLOW, HeaderValue::from_static(methods))
}
