use std::borrow::Cow;

use hyper::StatusCode;

use super::caller::Caller;

/// Why a request does not pass, and what it is told.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Why, in words.
    pub sentence: Cow<'static, str>,
    /// What `WWW-Authenticate` is to say, if that is to be there (RFC 9110, 11.6.1).
    pub challenge: Option<&'static str>,
    /// Whose page asks, as far as that is known.
    pub caller: Caller,
}

impl Refusal {
    /// One that is about no page.
    pub fn new(status: StatusCode, sentence: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            status,
            sentence: sentence.into(),
            challenge: None,
            caller: Caller::Program,
        }
    }

    pub(crate) fn target_too_long(limit: usize) -> Refusal {
        let sentence = format!("A request's target may have at most {limit} bytes.");
        Refusal::new(StatusCode::URI_TOO_LONG, sentence)
    }
}
