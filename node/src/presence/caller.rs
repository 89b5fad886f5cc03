//! The engine's way back to whoever calls by way of the server.

use pinhole_service::quiet::Quiet;
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender, error::TrySendError};
use tracing::warn;

use super::meeting::OfferId;
use crate::peer::{Caller, Reply};

/// Replies that may wait for us. A call's are a handful, and each keeps one place for its last.
const WAITING: usize = 4096;

/// Where the engine's replies to all calls of a camera arrive.
pub(super) struct Replies {
    sender: Sender<(OfferId, Reply)>,
    pub(super) receiver: Receiver<(OfferId, Reply)>,
}

impl Replies {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver }
    }

    /// The way back for this offer; none, where too many wait.
    pub(super) fn caller(&self, offer: OfferId) -> Option<ServerCaller> {
        let last = self.sender.clone().try_reserve_owned().ok()?;
        Some(ServerCaller {
            offer,
            replies: self.sender.clone(),
            last: Some(last),
        })
    }
}

/// The way back for one offer.
pub(super) struct ServerCaller {
    offer: OfferId,
    replies: Sender<(OfferId, Reply)>,
    /// Kept for the last word: who misses it would take a call for one that goes on.
    last: Option<OwnedPermit<(OfferId, Reply)>>,
}

impl Caller for ServerCaller {
    fn tell(&mut self, reply: Reply) {
        let is_last = matches!(reply, Reply::Refused(_) | Reply::Ended(_));
        if let Some(place) = self.last.take_if(|_| is_last) {
            place.send((self.offer, reply));
        } else if let Err(TrySendError::Full(_)) = self.replies.try_send((self.offer, reply)) {
            static DROPPED: Quiet = Quiet::new(10);
            if let Some(others) = DROPPED.may_say() {
                warn!(
                    others,
                    "the signaling server is too slow; dropped a reply to a viewer"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{CallId, Ending};

    #[test]
    fn the_last_word_has_a_place_however_much_was_said_before() {
        let mut replies = Replies::new();
        let offer = OfferId {
            call: CallId::default(),
            number: 1,
            tag: None,
        };
        let mut caller = replies.caller(offer).expect("there is room");
        for _ in 0..WAITING * 2 {
            caller.tell(Reply::Answer(String::new()));
        }
        caller.tell(Reply::Ended(Ending::Silent));
        drop(caller);
        let mut told = Vec::new();
        while let Ok((_, reply)) = replies.receiver.try_recv() {
            told.push(reply);
        }
        assert_eq!(told.len(), WAITING);
        assert!(matches!(told.last(), Some(Reply::Ended(Ending::Silent))));
    }

    #[test]
    fn who_calls_too_often_is_not_taken() {
        let replies = Replies::new();
        let offer = |number| OfferId {
            call: CallId::default(),
            number,
            tag: None,
        };
        let callers: Vec<_> = (0..=WAITING as u64)
            .map_while(|number| replies.caller(offer(number)))
            .collect();
        assert_eq!(callers.len(), WAITING);
        drop(callers);
        assert!(replies.caller(offer(0)).is_some());
    }
}
