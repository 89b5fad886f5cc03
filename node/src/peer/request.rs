use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use super::{
    caller::{Caller, Refused},
    ending::Ending,
    id::{CallId, CameraId},
};
use crate::{fanout::Broadcast, media::AccessUnit};

/// Requests that may wait for the engine. A call and its candidates are a handful; a crowd of a hundred viewers fits.
const WAITING: usize = 1024;

/// What is asked of the engine.
pub enum Request {
    /// There is a camera more.
    Open {
        /// It, from now on.
        camera: CameraId,
        /// What its viewers are fed from.
        broadcast: Broadcast<AccessUnit>,
        /// What the log says in front of what happens to them.
        span: Span,
    },
    /// There is a camera less: its viewers are told.
    Close {
        /// It, until now.
        camera: CameraId,
        /// Told when all callers are.
        done: oneshot::Sender<()>,
    },
    /// Somebody wants to watch, or negotiates anew.
    Offer {
        /// What this belongs to. A call has one session at most: an offer with another DTLS certificate than that of the session
        /// before begins another one.
        call: CallId,
        /// What is to be watched.
        camera: CameraId,
        /// What the viewer calls itself.
        viewer: String,
        /// The offer.
        sdp: String,
        /// Our address at which it has come, where that is known: viewers are most likely to reach us there.
        via: Option<IpAddr>,
        /// The way back.
        caller: Box<dyn Caller>,
    },
    /// Somebody's offer is to be refused, in its turn.
    Refuse {
        /// What was to be watched.
        camera: CameraId,
        /// What the viewer calls itself.
        viewer: String,
        /// Why.
        why: Refused,
        /// The way back.
        caller: Box<dyn Caller>,
    },
    /// An answer to our offer.
    Answer {
        /// What it belongs to.
        call: CallId,
        /// The answer.
        sdp: String,
    },
    /// An address of the viewer (RFC 8838).
    Candidate {
        /// What it belongs to.
        call: CallId,
        /// The candidate line, without `a=`.
        line: String,
    },
    /// The viewer is gone.
    HangUp {
        /// The call.
        call: CallId,
        /// How that is known.
        why: Ending,
    },
}

/// Where the engine is asked. Every clone is the same.
#[derive(Clone, Debug)]
pub struct Calls {
    requests: mpsc::Sender<Request>,
    next: Arc<AtomicU64>,
}

impl Calls {
    /// With the engine's end.
    pub(super) fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, inbox) = mpsc::channel(WAITING);
        let calls = Self {
            requests,
            next: Arc::default(),
        };
        (calls, inbox)
    }

    /// A call that nobody has made yet.
    pub fn next(&self) -> CallId {
        CallId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks, as soon as there is room. An engine that is gone ends the process; until then there is nobody to ask.
    pub async fn ask(&self, request: Request) {
        let _ = self.requests.send(request).await;
    }
}
