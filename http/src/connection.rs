//! One connection, which is one request: from accepting it to closing it such that the answer arrives.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::arrival;
use crate::places::{Place, Places};
use crate::socket::Socket;
use crate::{Answer, Body, Limits, Receipt, Refusal, Request, Site, Source};

/// A client that dies without a word is noticed within 35 s. More often would wake telephones.
const PROBE_AFTER: Duration = Duration::from_secs(20);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;
/// What is not acknowledged for so long ends a connection; left to itself, the system would go on for a quarter of an hour. It counts
/// for the probes as well, and would cut them short if it were less than they take (tcp(7)).
const UNACKNOWLEDGED: Duration = Duration::from_secs(35);

/// What the system takes of an answer before its client reads any of it, in bytes. By itself it would be some megabytes, if
/// that many are sent.
const SEND_BUFFER: usize = 64 * 1024;

/// Whom a connection is for.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// The address that it comes from.
    pub(crate) from: IpAddr,
    /// Its place among the client's connections; of those that come through a proxy there is none before it is known whose.
    pub(crate) place: Option<Place>,
    pub(crate) places: Places,
    /// What it wants, for the log.
    pub(crate) what: &'static str,
}

impl Visitor {
    /// The client's address, now that the head is there, and a place for it if it has none.
    fn identify<S: Site>(
        &mut self,
        site: &S,
        headers: &HeaderMap,
        limits: &Limits,
    ) -> Result<IpAddr, Refusal> {
        let client = site.gates().client(self.from, headers);
        if client != self.from {
            tracing::Span::current().record("client", tracing::field::display(client));
        }
        if self.place.is_none() {
            let place = self
                .places
                .take(Source::of(client), limits.connections_each, self.what);
            self.place = Some(place.ok_or_else(|| Full::ForOne.refusal::<S>())?);
        }
        Ok(client)
    }
}

/// Why there is no place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    ForAll,
    /// The client has as many as one may.
    ForOne,
}

/// Serves it to its end, or as long as it may take.
pub(crate) async fn serve<S: Site>(
    stream: TcpStream,
    visitor: Visitor,
    site: S,
    limits: Limits,
    closing: CancellationToken,
) {
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES);
    let socket = SockRef::from(&stream);
    if let Err(error) = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)))
        .and_then(|()| socket.set_send_buffer_size(SEND_BUFFER))
    {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    // What is named before it is awaited would have its place twice in the task, and there are thousands of these.
    match limits.whole {
        None => exchange(stream, visitor, site, &limits, closing).await,
        Some(whole) => {
            if timeout(whole, exchange(stream, visitor, site, &limits, closing))
                .await
                .is_err()
            {
                tracing::debug!("a connection took too long");
            }
        }
    }
}

async fn exchange<S: Site>(
    stream: TcpStream,
    visitor: Visitor,
    site: S,
    limits: &Limits,
    closing: CancellationToken,
) {
    // Who says nothing costs no parser with its buffers, which are most of what a connection takes. Looked at and not only waited for:
    // the runtime takes what it has just accepted for readable.
    let (began, mut byte) = (Instant::now(), [0]);
    let has_begun = tokio::select! {
        peeked = timeout(limits.head, stream.peek(&mut byte)) => matches!(peeked, Ok(Ok(1..))),
        () = closing.cancelled() => false,
    };
    if !has_begun {
        tracing::debug!("nothing came on a connection");
        return;
    }
    let head = limits.head.saturating_sub(began.elapsed());
    let visitor = Mutex::new(visitor);
    let Answered {
        socket,
        receipt,
        last_word,
    } = conversation(stream, &visitor, &site, limits, head, closing).await;
    let is_flushed = socket.is_flushed();
    let mut stream = socket.into_stream();
    if let Some(receipt) = receipt
        && !arrival::confirm(&stream, receipt, limits.arrival, limits.arrival_awaited).await
    {
        return;
    }
    let is_told = match last_word {
        Some(answer) => matches!(
            timeout(limits.linger, stream.write_all(&answer)).await,
            Ok(Ok(()))
        ),
        None => false,
    };
    if is_flushed || is_told {
        close(stream, limits).await;
    }
}

/// What is left of a connection when its request has been answered.
struct Answered {
    socket: Socket,
    /// Who wants to know whether the answer arrives, if it is with the system.
    receipt: Option<Box<dyn Receipt>>,
    /// What is still to be said where the parser gave up without a word.
    last_word: Option<Vec<u8>>,
}

/// [`converse`] in a place of its own, which is given back before the client is waited for: with the parser and the request's handler it
/// is most of a connection. It is made in a function of its own, for the caller would keep room for whatever it makes.
fn conversation<'a, S: Site>(
    stream: TcpStream,
    visitor: &'a Mutex<Visitor>,
    site: &'a S,
    limits: &'a Limits,
    head: Duration,
    closing: CancellationToken,
) -> Pin<Box<impl Future<Output = Answered> + use<'a, S>>> {
    Box::pin(converse(stream, visitor, site, limits, head, closing))
}

/// From the first byte of the request to the last one of the answer. What is left of [`Limits::head`] is `head`.
async fn converse<S: Site>(
    stream: TcpStream,
    visitor: &Mutex<Visitor>,
    site: &S,
    limits: &Limits,
    head: Duration,
    closing: CancellationToken,
) -> Answered {
    let is_target_too_long = Arc::<AtomicBool>::default();
    let receipt = Mutex::<Option<Box<dyn Receipt>>>::default();
    let socket = Socket::new(stream, limits, is_target_too_long.clone());
    let (is_too_long, slot) = (&is_target_too_long, &receipt);
    let service = service_fn(|request| async move {
        let answer = if is_too_long.load(Ordering::Relaxed) {
            site.refuse(Refusal::target_too_long(limits.target_bytes))
        } else {
            answer(site, visitor, limits, request).await
        };
        let (response, wanted) = answer.into_parts();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        Ok::<_, Infallible>(response)
    });
    let mut http = http1::Builder::new()
        .title_case_headers(S::TITLE_CASE)
        // A board without a battery for its clock would only tell wrong times; the stock server tells none.
        .auto_date_header(false)
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(socket), service);
    let outcome = tokio::select! {
        outcome = &mut http => outcome,
        () = closing.cancelled() => {
            Pin::new(&mut http).graceful_shutdown();
            (&mut http).await
        }
    };
    // With this the handler is dropped, if it is not done: the wait of a client that has gone ends here.
    let socket = http.into_parts().io.into_inner();

    let receipt = receipt.into_inner().unwrap_or_else(PoisonError::into_inner);
    let receipt = receipt.filter(|_| socket.is_flushed());
    let last_word = outcome
        .as_ref()
        .err()
        .filter(|_| socket.is_unanswered())
        .and_then(|error| {
            let (status, sentence) = if error.is_timeout() {
                let patience = limits.head.as_secs();
                (
                    StatusCode::REQUEST_TIMEOUT,
                    format!("The request did not come within {patience} s."),
                )
            } else if error.is_parse() {
                (
                    StatusCode::BAD_REQUEST,
                    format!("This is no HTTP/1 request: {error}."),
                )
            } else {
                return None;
            };
            Some(
                site.refuse(Refusal::new(status, sentence))
                    .into_bytes(S::TITLE_CASE),
            )
        });
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
    Answered {
        socket,
        receipt,
        last_word,
    }
}

/// From the gates to the answer.
async fn answer<S: Site>(
    site: &S,
    visitor: &Mutex<Visitor>,
    limits: &Limits,
    request: hyper::Request<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    let seated = {
        let mut visitor = visitor.lock().unwrap_or_else(PoisonError::into_inner);
        visitor.identify(site, &head.headers, limits)
    };
    let from = match seated {
        Ok(from) => from,
        Err(refusal) => return site.refuse(refusal),
    };
    let is_document = site.is_document(head.uri.path());
    match site.gates().admit(&head.method, &head.headers, from, is_document) {
        Err(refusal) => site.refuse(refusal),
        Ok(caller) => {
            let body = Body::new(body, limits.body_bytes, limits.body);
            site.answer(Request {
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                caller,
                source: Source::of(from),
                body,
            })
            .await
        }
    }
}

/// Answers a connection that is one too many.
pub(crate) async fn turn_away<S: Site>(mut stream: TcpStream, full: Full, site: S, limits: Limits) {
    let answer = full.answer(&site);
    if let Ok(Ok(())) = timeout(limits.linger, stream.write_all(&answer)).await {
        close(stream, &limits).await;
    }
}

/// The same, without waiting for anything: what does not fit into the system's buffer is not sent, and whether it arrives
/// is the client's luck.
pub(crate) fn turn_away_at_once<S: Site>(stream: TcpStream, full: Full, site: &S) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(&full.answer(site));
    }
}

impl Full {
    fn refusal<S: Site>(self) -> Refusal {
        match self {
            Full::ForAll => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, S::FULL),
            Full::ForOne => Refusal::new(StatusCode::TOO_MANY_REQUESTS, S::FULL_FOR_ONE),
        }
    }

    fn answer<S: Site>(self, site: &S) -> Vec<u8> {
        site.refuse(self.refusal::<S>()).into_bytes(S::TITLE_CASE)
    }
}

/// Says that no more will come, and waits for the client to do the same.
async fn close(mut stream: TcpStream, limits: &Limits) {
    let _ = stream.shutdown().await;
    let _ = timeout(limits.linger, read_out(&stream, limits.linger_bytes)).await;
}

/// Reads what still comes, to its end or so many bytes of it. The space for it is not kept from one piece to the next.
async fn read_out(stream: &TcpStream, most: u64) {
    let mut all = 0;
    while all < most && stream.readable().await.is_ok() {
        match stream.try_read(&mut [0; 4096]) {
            Ok(0) => return,
            Ok(bytes) => all += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
