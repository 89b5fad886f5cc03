use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

/// An answer. Headers are sent in the order in which they were added.
pub struct Answer {
    response: hyper::Response<Full<Bytes>>,
    body: Bytes,
    receipt: Option<Box<dyn Receipt>>,
}

/// Who wants to know whether an answer has arrived. Dropped without having been told: it has not, or not whole.
pub trait Receipt: Send + 'static {
    /// The client's machine has acknowledged all of the answer.
    fn delivered(self: Box<Self>);

    /// Whether something waits for that to be known, and soon.
    fn is_awaited(&self) -> bool {
        false
    }
}

impl Answer {
    /// An answer without headers. `Content-Length` and `Connection: close` are added where nobody else does.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Answer {
        let body = body.into();
        let mut response = hyper::Response::new(Full::new(body.clone()));
        *response.status_mut() = status;
        Answer {
            response,
            body,
            receipt: None,
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers_mut().append(name, value);
        self
    }

    /// With these words beside the status code.
    #[must_use]
    pub fn with_reason(mut self, words: &'static [u8]) -> Answer {
        if let Ok(words) = ReasonPhrase::try_from(words) {
            self.response.extensions_mut().insert(words);
        }
        self
    }

    /// With somebody who is to know whether it has arrived.
    #[must_use]
    pub fn with_receipt(mut self, receipt: impl Receipt) -> Answer {
        self.receipt = Some(Box::new(receipt));
        self
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.response.headers_mut()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// For the HTTP library.
    pub(crate) fn into_parts(self) -> (hyper::Response<Full<Bytes>>, Option<Box<dyn Receipt>>) {
        (self.response, self.receipt)
    }

    /// As bytes, for a connection on which no parser runs (any more).
    pub(crate) fn into_bytes(mut self, title_case: bool) -> Vec<u8> {
        let length = self.body.len();
        let headers = self.headers_mut();
        headers
            .entry(CONNECTION)
            .or_insert(HeaderValue::from_static("close"));
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
        let mut bytes = format!("HTTP/1.1 {}\r\n", self.status()).into_bytes();
        for (name, value) in self.headers() {
            let name = name.as_str();
            bytes.extend_from_slice(
                if title_case {
                    in_title_case(name)
                } else {
                    name.to_owned()
                }
                .as_bytes(),
            );
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}

fn in_title_case(name: &str) -> String {
    let mut starts = true;
    let letters = name.chars().map(|letter| {
        let written = if starts {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        starts = letter == '-';
        written
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn an_answer_as_bytes_says_its_length_and_that_the_connection_ends() {
        let answer = || {
            Answer::new(StatusCode::SERVICE_UNAVAILABLE, "full")
                .with(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
        };
        let expected = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\
                        Content-Length: 4\r\n\r\nfull";
        assert_eq!(answer().into_bytes(true), expected.as_bytes());
        let lower = answer().into_bytes(false);
        assert!(
            lower
                .windows(b"content-length: 4\r".len())
                .any(|bytes| bytes == b"content-length: 4\r")
        );
    }
}
