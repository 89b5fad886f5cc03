//! Whether an answer has arrived, which is more than that the system has taken it: the client's machine has acknowledged
//! all of it.

#![allow(unsafe_code, reason = "ioctl takes untyped pointers")]

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::Receipt;

/// Between two looks. There is mostly one, for a client closes its end when it has read all, and that is an event.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);
/// What is read of a client that goes on talking. From then on it is looked after by the clock alone.
const MOST_SAID: usize = 4096;
/// The end of our side is counted among what is not acknowledged.
const THE_END: usize = 1;

/// Waits until all that was written has arrived, and then tells the receipt so. Our side of the connection has ended already.
///
/// A client that is gone acknowledges nothing, and whether it is gone nobody says: after `patience` its connection is
/// reset, so that nothing arrives later; after `less` already, where somebody waits to know. Returns whether it has arrived.
pub(crate) async fn confirm(
    stream: &TcpStream,
    receipt: Box<dyn Receipt>,
    patience: Duration,
    less: Duration,
) -> bool {
    let began = Instant::now();
    let mut awaited = None;
    let mut pause = FIRST_LOOK;
    let mut has_ended = false;
    let mut said = 0;
    loop {
        if !has_ended {
            match stream.try_read(&mut [0; 512]) {
                Ok(0) => has_ended = true,
                // It goes on talking, to which nobody listens for long.
                Ok(bytes) => {
                    said += bytes;
                    has_ended = said > MOST_SAID;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    // Some close by a reset once they have read all.
                    let has_arrived = matches!(unacknowledged(stream), Ok(..=THE_END));
                    if has_arrived {
                        receipt.delivered();
                    } else {
                        tracing::debug!(%error, "an answer did not arrive");
                    }
                    return has_arrived;
                }
            }
        }
        match unacknowledged(stream) {
            Ok(..=THE_END) => {
                receipt.delivered();
                return true;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "nobody knows whether an answer arrived");
                return false;
            }
        }
        let now = Instant::now();
        if awaited.is_none() && receipt.is_awaited() {
            awaited = Some(now);
        }
        if now >= began + patience || awaited.is_some_and(|since| now >= since + less) {
            tracing::debug!("an answer was not acknowledged; its client is gone");
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            return false;
        }
        tokio::select! {
            _ = stream.readable(), if !has_ended => {}
            () = sleep(pause) => pause = (pause * 2).min(LONGEST),
        }
    }
}

/// Bytes that were written and that the other machine has not acknowledged (tcp(7), SIOCOUTQ).
fn unacknowledged(stream: &TcpStream) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as the stream is borrowed, and this request writes one int.
    let outcome = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or_default())
}
