//! Reading an answer: a status line, headers, and as many bytes of body as `Content-Length` says.

use std::net::IpAddr;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{ClientError, malformed};
use crate::http;
use crate::peer::PeerId;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) pragma: Option<PeerId>,
    pub(super) body: Bytes,
    /// Of ours, on the connection that it came on.
    pub(super) local_address: Option<IpAddr>,
}

/// Why no answer came of it.
#[derive(Debug)]
pub(super) enum ReadError {
    Io(std::io::Error),
    Answer(ClientError),
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> ReadError {
        ReadError::Io(error)
    }
}

impl From<ClientError> for ReadError {
    fn from(error: ClientError) -> ReadError {
        ReadError::Answer(error)
    }
}

/// What the head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    reason: String,
    pragma: Option<PeerId>,
    length: Option<usize>,
}

/// Reads one answer with a body of at most `limit` bytes.
///
/// The connection need not end: the stock server leaves it open. Without a `Content-Length` the body ends with it.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Answer, ReadError> {
    let mut received = Vec::with_capacity(1024);
    let body_at = loop {
        if let Some(end) = end_of_head(&received) {
            break end;
        }
        if received.len() > http::MAX_HEAD {
            return Err(ClientError::TooLong {
                what: "the head of the answer",
                limit: http::MAX_HEAD,
            }
            .into());
        }
        if stream.read_buf(&mut received).await? == 0 {
            // Without an answer: what a stock server does with a request that it can't use, and any that dies.
            return Err(ended(if received.is_empty() {
                "the connection was closed without an answer"
            } else {
                "the connection was closed within the head of the answer"
            }));
        }
    };
    let head = Head::parse(&received[..body_at])?;
    let mut body = received.split_off(body_at);
    match head.length {
        Some(length) => {
            if length > limit {
                return Err(too_long(limit));
            }
            if body.len() < length {
                let missing = (length - body.len()) as u64;
                body.reserve_exact(length - body.len());
                (&mut *stream).take(missing).read_to_end(&mut body).await?;
                if body.len() < length {
                    return Err(ended("the connection was closed within the body of the answer"));
                }
            }
            body.truncate(length);
        }
        None => {
            (&mut *stream)
                .take(limit as u64 + 1)
                .read_to_end(&mut body)
                .await?;
            if body.len() > limit {
                return Err(too_long(limit));
            }
        }
    }
    Ok(Answer {
        status: head.status,
        reason: head.reason,
        pragma: head.pragma,
        body: body.into(),
        local_address: None,
    })
}

fn ended(how: &'static str) -> ReadError {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, how).into()
}

fn too_long(limit: usize) -> ReadError {
    ClientError::TooLong {
        what: "the body of the answer",
        limit,
    }
    .into()
}

/// Where the body begins, once the empty line is there.
fn end_of_head(received: &[u8]) -> Option<usize> {
    received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

impl Head {
    fn parse(head: &[u8]) -> Result<Head, ClientError> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (status, reason) = status(status_line).ok_or_else(|| {
            let line: String = status_line.chars().take(64).collect();
            malformed(format!("it begins with {line:?} instead of an HTTP status line"))
        })?;
        let mut parsed = Head {
            status,
            reason,
            pragma: None,
            length: None,
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case(http::CONTENT_LENGTH) {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| digits);
                parsed.length = Some(length.ok_or_else(|| malformed("its Content-Length is not a number"))?);
            } else if name.eq_ignore_ascii_case(http::PRAGMA) {
                // A proxy's `Pragma: no-cache` is not ours, and no error.
                parsed.pragma = value.parse().ok().or(parsed.pragma);
            } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
                return Err(malformed("it is sent in chunks, which HTTP/1.0 does not have"));
            }
        }
        Ok(parsed)
    }
}

/// `HTTP/1.1 200 Added` gives 200 and `Added`.
fn status(line: &str) -> Option<(u16, String)> {
    let mut words = line.splitn(3, ' ');
    let version = words.next()?;
    let status = words.next()?;
    let is_status =
        version.starts_with("HTTP/1.") && status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
    Some((
        status.parse().ok().filter(|_| is_status)?,
        words.next().unwrap_or_default().trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(bytes: &[u8]) -> Result<Answer, ReadError> {
        read(&mut &bytes[..], 100).await
    }

    #[tokio::test]
    async fn header_names_match_in_any_case() {
        let answer = answer(b"HTTP/1.0 200 OK\r\npragma: 7\r\ncontent-length:3\r\n\r\nabcdef")
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.pragma, &answer.body[..]),
            (200, PeerId::new(7), &b"abc"[..])
        );
    }

    #[tokio::test]
    async fn without_a_length_the_body_ends_with_the_connection() {
        let answer = answer(b"HTTP/1.1 500 Sorry\r\n\r\nno").await.unwrap();
        assert_eq!(
            (answer.status, answer.reason.as_str(), &answer.body[..]),
            (500, "Sorry", &b"no"[..])
        );
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart() {
        let malformed = |bytes| async move {
            matches!(
                answer(bytes).await,
                Err(ReadError::Answer(ClientError::Malformed { .. }))
            )
        };
        assert!(malformed(b"SSH-2.0-x\r\n\r\n").await);
        assert!(malformed(b"HTTP/1.1 2000 OK\r\n\r\n").await);
        assert!(malformed(b"HTTP/1.1 +20 OK\r\n\r\n").await);
        assert!(malformed(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").await);
        assert!(malformed(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n").await);
        assert!(malformed(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx").await);
        assert!(malformed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await);
        assert!(matches!(answer(b"").await, Err(ReadError::Io(_))));
        assert!(matches!(answer(b"HTTP/1.1 200").await, Err(ReadError::Io(_))));
        assert!(matches!(
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await,
            Err(ReadError::Io(_))
        ));
    }

    #[tokio::test]
    async fn nothing_is_read_without_a_bound() {
        let too_long = |bytes: Vec<u8>| async move {
            matches!(
                answer(&bytes).await,
                Err(ReadError::Answer(ClientError::TooLong { .. }))
            )
        };
        assert!(too_long(vec![b'x'; http::MAX_HEAD + 8192]).await);
        assert!(too_long(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n".to_vec()).await);
        assert!(too_long([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 101]].concat()).await);
    }
}
