use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, Method, StatusCode, Uri};
use tokio::time::timeout;

use crate::Caller;

/// A request that has passed the gates.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// To what.
    pub uri: Uri,
    /// What else the client says.
    pub headers: HeaderMap,
    /// Whose page asks, as far as that is known.
    pub caller: Caller,
    /// What comes after the head.
    pub body: Body,
}

/// A request's body, which is still on its way.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    limit: usize,
    patience: Duration,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than it may be.
    #[error("The body of a request may have at most {limit} bytes.")]
    TooLarge {
        /// What it may be.
        limit: usize,
    },
    /// It did not come in time.
    #[error("The body did not come within {} s.", .patience.as_secs())]
    TooLate {
        /// How long it was waited for.
        patience: Duration,
    },
    /// It ended early, or is not encoded as HTTP says.
    #[error("The body can't be read: {0}.")]
    Broken(String),
}

impl BodyError {
    /// The status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooLate { .. } => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Body {
    pub(crate) fn new(incoming: Incoming, limit: usize, patience: Duration) -> Body {
        Body {
            incoming,
            limit,
            patience,
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// It is larger or comes later than it may, or not whole.
    pub async fn receive(self) -> Result<Bytes, BodyError> {
        let Body {
            incoming,
            limit,
            patience,
        } = self;
        // Known beforehand from `Content-Length`: no need to read it.
        if incoming.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge { limit });
        }
        match timeout(patience, Limited::new(incoming, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge { limit }),
            Ok(Err(error)) => Err(BodyError::Broken(error.to_string())),
            Err(_) => Err(BodyError::TooLate { patience }),
        }
    }
}
