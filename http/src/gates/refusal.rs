use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use super::caller::Caller;

/// Why a request does not pass, and what it is told.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Why, in words.
    pub sentence: Cow<'static, str>,
    /// A header that belongs to the status.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// Whose page asks, as far as that is known.
    pub caller: Caller,
}

impl Refusal {
    /// One that is about neither a page nor a header.
    pub fn new(status: StatusCode, sentence: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            status,
            sentence: sentence.into(),
            header: None,
            caller: Caller::Program,
        }
    }

    pub(crate) fn target_too_long(limit: usize) -> Refusal {
        let sentence = format!("A request's target may have at most {limit} bytes.");
        Refusal::new(StatusCode::URI_TOO_LONG, sentence)
    }
}
