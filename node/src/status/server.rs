//! Connections: one request each, few at a time, each with an end.

use std::{convert::Infallible, io::Write, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{ListenError, Sources, answer::Office, listen::listen};

/// Connections at a time: a few browsers and collectors. One more is told so.
const CONNECTIONS: usize = 16;
/// How long a request may take to come, …
const HEAD: Duration = Duration::from_secs(5);
/// … and all of a connection.
const WHOLE: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// After an answer, how long and how much of what the client still sends is read: closing a socket with something
/// unread in it resets the connection, and the client may lose the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 256 * 1024;
/// How long to wait where the system can't accept a connection, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n\
    Connection: close\r\n\r\nToo many are asking for the status right now.\n";

/// The status, listening. Cheap to make and to stop, for a configuration that changes.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens the port. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The system refuses it; the text names the configuration's key, the address and what to do.
    pub fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listener = listen(address)?;
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Requests that are under way then are given up.
    pub async fn run(self, sources: Sources, stop: CancellationToken) {
        let office = Office::new(sources, self.address);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut was_full = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ended) = connections.join_next() => if let Err(failure) = ended {
                    error!("serving the status failed by a mistake of ours: {failure}");
                },
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let place = places.clone().try_acquire_owned();
                        let is_full = place.is_err();
                        if is_full && !was_full {
                            warn!(connections = CONNECTIONS, "too many ask for the status; some are turned away");
                        }
                        was_full = is_full;
                        match place {
                            Ok(place) => {
                                let office = office.clone();
                                connections.spawn(async move {
                                    if tokio::time::timeout(WHOLE, serve(stream, office)).await.is_err() {
                                        debug!("a connection for the status took too long");
                                    }
                                    drop(place);
                                });
                            }
                            Err(_) => turn_away(stream),
                        }
                    }
                    Err(failure) => {
                        debug!("can't accept a connection for the status: {failure}");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
    }
}

async fn serve(stream: TcpStream, office: Office) {
    let service = service_fn(|request| {
        let answer = office.answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = http1::Builder::new()
        // A board without a battery for its clock would only tell wrong times.
        .auto_date_header(false)
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(failure) = (&mut connection).await {
        debug!("a connection for the status broke: {failure}");
    }
    let mut stream = connection.into_parts().io.into_inner();
    let _ = stream.shutdown().await;
    let mut rest = stream.take(LINGER_BYTES);
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

/// Without waiting for anything: whatever does not fit into the system's buffer is not sent.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

#[cfg(test)]
mod tests;
