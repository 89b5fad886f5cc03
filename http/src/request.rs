use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, Method, StatusCode, Uri};
use tokio::time::timeout;

use crate::{Caller, Source};

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
    /// Who sent it.
    pub source: Source,
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
    /// There is no memory for it.
    #[error("The server has no memory for this body at present. Try again later.")]
    NoRoom,
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
            BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
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

    /// All of it. `room` is asked before each number of bytes that this takes more: before any of them comes, where the client
    /// says how many there are.
    ///
    /// # Errors
    /// It is larger or comes later than it may, or not whole, or `room` has none.
    pub async fn receive(self, room: impl FnMut(usize) -> bool + Send) -> Result<Vec<u8>, BodyError> {
        // Known beforehand from `Content-Length`: no need to read it.
        if self.incoming.size_hint().lower() > self.limit as u64 {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        let patience = self.patience;
        let late = |_| BodyError::TooLate { patience };
        timeout(patience, self.collect(room)).await.map_err(late)?
    }

    async fn collect(mut self, mut room: impl FnMut(usize) -> bool + Send) -> Result<Vec<u8>, BodyError> {
        // Copied, for a small piece would keep the whole buffer that it was read into.
        let mut bytes = Vec::new();
        let declared = self.incoming.size_hint().exact();
        grow(
            &mut bytes,
            declared.map_or(0, |length| length as usize),
            &mut room,
        )?;
        while let Some(frame) = self.incoming.frame().await {
            let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() + data.len();
            if length > self.limit {
                return Err(BodyError::TooLarge { limit: self.limit });
            }
            if length > bytes.capacity() {
                let capacity = length.max(2 * bytes.capacity()).min(self.limit);
                grow(&mut bytes, capacity, &mut room)?;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }
}

/// Makes room for so many bytes in all.
fn grow(bytes: &mut Vec<u8>, capacity: usize, room: &mut impl FnMut(usize) -> bool) -> Result<(), BodyError> {
    let more = capacity - bytes.capacity();
    if more > 0 && !room(more) {
        return Err(BodyError::NoRoom);
    }
    bytes.reserve_exact(capacity - bytes.len());
    Ok(())
}
