//! One connection, which is one request: from accepting it to closing it such that the answer arrives.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::route::{self, Connection, Office};
use super::socket::Socket;

/// After an answer, how long and how much of what the client still sends is read. If a socket is closed with something
/// unread, the system sends a reset, which can overtake the answer and make the client lose it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 1024 * 1024;

/// A client that dies without a word is noticed within a minute.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

pub(super) async fn serve(stream: TcpStream, from: IpAddr, office: Office, closing: CancellationToken) {
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES);
    if let Err(error) = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keepalive))
    {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    let connection = Arc::new(Connection::new(from));
    let socket = Socket::new(stream, connection.is_target_too_long.clone());
    let patience = office.request_patience;
    let service = service_fn(|request| {
        let answer = route::answer(office.clone(), connection.clone(), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new()
        // The stock client finds `Content-Length`, not `content-length`.
        .title_case_headers(true)
        // A board without a battery for its clock would only tell wrong times; the stock server tells none.
        .auto_date_header(false)
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(pinhole_signaling::http::MAX_HEAD)
        .serve_connection(TokioIo::new(socket), service);
    let outcome = tokio::select! {
        outcome = &mut http => outcome,
        () = closing.cancelled() => {
            std::pin::Pin::new(&mut http).graceful_shutdown();
            (&mut http).await
        }
    };
    // With this the handler is dropped, if it is not done: the wait of a client that has gone ends here.
    let socket = http.into_parts().io.into_inner();

    let in_delivery = connection
        .in_delivery
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(ticket) = in_delivery.filter(|_| socket.is_flushed()) {
        ticket.delivered();
    }
    // What the parser gives up on without a word.
    let last_word = outcome
        .as_ref()
        .err()
        .filter(|_| socket.is_unanswered())
        .and_then(|error| {
            if error.is_timeout() {
                let sentence = format!("The request did not come within {} s.", patience.as_secs());
                Some(answer::raw(StatusCode::REQUEST_TIMEOUT, &sentence))
            } else if error.is_parse() {
                Some(answer::raw(
                    StatusCode::BAD_REQUEST,
                    &format!("This is no HTTP/1 request: {error}."),
                ))
            } else {
                None
            }
        });
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
    let is_flushed = socket.is_flushed();
    let mut stream = socket.into_stream();
    let is_told = match last_word {
        Some(answer) => matches!(timeout(LINGER, stream.write_all(&answer)).await, Ok(Ok(()))),
        None => false,
    };
    if is_flushed || is_told {
        close(stream).await;
    }
}

/// Answers a connection that is one too many.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let answer = answer::raw(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server has as many connections as it may.",
    );
    if let Ok(Ok(())) = timeout(LINGER, stream.write_all(&answer)).await {
        close(stream).await;
    }
}

/// Says that no more will come, and waits for the client to do the same.
async fn close(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
