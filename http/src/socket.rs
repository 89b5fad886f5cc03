//! The socket as the HTTP parser sees it: the first line mended, and writing bounded in time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::Limits;
use crate::first_line::{FirstLine, Progress};

/// The most that is read at once. The parser makes its buffer larger where one reading fills it (at first it has 8 KiB), and keeps that
/// for as long as a body is on its way.
const PIECE: usize = 4096;

pub(crate) struct Socket {
    stream: TcpStream,
    reading: Reading,
    /// Told to the handler: the stand-in request is to be answered with 414.
    is_target_too_long: Arc<AtomicBool>,
    /// How long a write may be held up.
    stall: Duration,
    /// Since a write is held up.
    held_up: Option<Pin<Box<Sleep>>>,
    has_received: bool,
    has_answered: bool,
    is_flushed: bool,
}

enum Reading {
    FirstLine(FirstLine),
    /// These bytes, from the given one on, and then what comes.
    Mended(Vec<u8>, usize),
    Through,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, limits: &Limits, is_target_too_long: Arc<AtomicBool>) -> Socket {
        Socket {
            stream,
            reading: Reading::FirstLine(FirstLine::new(limits.target_bytes)),
            is_target_too_long,
            stall: limits.stall,
            held_up: None,
            has_received: false,
            has_answered: false,
            is_flushed: false,
        }
    }

    /// Whether a request has begun, but no answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.has_received && !self.has_answered
    }

    /// Whether the whole answer is with the system.
    pub(crate) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn bound_in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.held_up = None;
            return written;
        }
        let stall = self.stall;
        let held_up = self
            .held_up
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(held_up.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.reading {
                Reading::Through => {
                    let mut space = [0; PIECE];
                    let most = out.remaining().min(PIECE);
                    let mut received = ReadBuf::new(&mut space[..most]);
                    ready!(Pin::new(&mut this.stream).poll_read(cx, &mut received))?;
                    out.put_slice(received.filled());
                    return Poll::Ready(Ok(()));
                }
                Reading::Mended(bytes, from) => {
                    let part = &bytes[*from..];
                    let part = &part[..part.len().min(out.remaining())];
                    out.put_slice(part);
                    *from += part.len();
                    if *from == bytes.len() {
                        this.reading = Reading::Through;
                    }
                    return Poll::Ready(Ok(()));
                }
                Reading::FirstLine(line) => {
                    let mut space = [0; 2048];
                    let mut received = ReadBuf::new(&mut space);
                    ready!(Pin::new(&mut this.stream).poll_read(cx, &mut received))?;
                    this.reading = if received.filled().is_empty() {
                        Reading::Mended(line.take_rest(), 0)
                    } else {
                        this.has_received = true;
                        match line.feed(received.filled()) {
                            Progress::More => continue,
                            Progress::Mended(bytes) => Reading::Mended(bytes, 0),
                            Progress::TooLong(stand_in) => {
                                this.is_target_too_long.store(true, Ordering::Relaxed);
                                Reading::Mended(stand_in.to_vec(), 0)
                            }
                        }
                    };
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.has_answered = true;
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.bound_in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.has_answered = true;
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.bound_in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Called when all is written.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_flushed = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
