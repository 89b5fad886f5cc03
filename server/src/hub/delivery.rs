//! From a wait to the event that answers it, and to what became of the answer.

use std::time::Instant;

use pinhole_signaling::PeerId;

use super::mailbox::Letter;
use super::member::{Item, Line};
use super::{Answer, Client, Hub, Refusal, RequestId};

impl Hub {
    pub(super) fn wait(&mut self, request: RequestId, id: PeerId, client: Client, now: Instant) {
        let Some(peer) = self.known(id, client) else {
            return self.refuse(request, Refusal::Gone);
        };
        peer.gives_way = None;
        let is_first = !std::mem::replace(&mut peer.has_waited, true);
        let superseded = match &mut peer.line {
            Line::Delivering { standing_by, .. } => standing_by.replace(request),
            line @ Line::Absent { .. } => {
                *line = Line::Waiting { request };
                None
            }
            Line::Waiting { request: older } => Some(std::mem::replace(older, request)),
        };
        self.waits.insert(request, id);
        if let Some(older) = superseded {
            self.waits.remove(&older);
            self.refuse(older, Refusal::Superseded);
        }
        if is_first {
            for former in self.predecessors(id) {
                self.give_way(former, now);
            }
        }
        self.serve(id);
    }

    /// The end of a wait's connection, whether all of its answer has arrived or not.
    pub(super) fn delivery_ended(&mut self, request: RequestId, has_arrived: bool, now: Instant) {
        let Some(id) = self.waits.remove(&request) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let absent = Line::Absent {
            since: now,
            is_cut: !has_arrived,
        };
        match std::mem::replace(&mut peer.line, absent) {
            Line::Delivering {
                request: delivering,
                item,
                standing_by,
            } if delivering == request => {
                if let Some(request) = standing_by {
                    peer.line = Line::Waiting { request };
                }
                match (item, has_arrived) {
                    (Item::News(news), true) => self.board.told(news, &mut peer.knowledge),
                    (Item::Letter(_), true) => {}
                    // It came before a message of that member, which must not overtake it for this.
                    (Item::News(news), false) if peer.mailbox.has_from(news.of) => {
                        peer.mailbox.put_back(Letter::Introduction(news.entry));
                    }
                    (Item::News(news), false) => self.board.take_back(news, &mut peer.knowledge),
                    (Item::Letter(letter), false) => peer.mailbox.put_back(letter),
                }
            }
            // The connection of the wait that stands by has closed.
            Line::Delivering { request, item, .. } => {
                peer.line = Line::Delivering {
                    request,
                    item,
                    standing_by: None,
                };
            }
            // The connection of the open wait has closed: absent from now on.
            Line::Waiting { .. } | Line::Absent { .. } => {}
        }
        let is_absent = peer.is_absent();
        if is_absent && self.has_successor(id) {
            self.give_way(id, now);
        }
        self.serve(id);
    }

    /// Whether something waits for the end of a delivery: the member's next wait, which mostly says that the last event has arrived, and
    /// otherwise that the last connection is dead.
    pub fn is_awaited(&self, request: RequestId) -> bool {
        let peer = self.waits.get(&request).and_then(|id| self.peers.get(id));
        peer.is_some_and(|peer| {
            matches!(peer.line, Line::Delivering { request: delivering, standing_by: Some(_), .. } if delivering == request)
        })
    }

    /// Answers the waits of all for whom there is something new on the board.
    pub(super) fn serve_all(&mut self) {
        let is_waiting = |line: &Line| matches!(line, Line::Waiting { .. });
        let peers = self.peers.iter();
        let waiting: Vec<PeerId> = peers
            .filter(|(_, peer)| is_waiting(&peer.line))
            .map(|(&id, _)| id)
            .collect();
        for id in waiting {
            self.serve(id);
        }
    }

    /// Answers the member's wait with its next event, if there are both: first the messages, then who came and went.
    pub(super) fn serve(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Line::Waiting { request } = peer.line else {
            return;
        };
        let item = match peer.mailbox.pop() {
            Some(letter) => Item::Letter(letter),
            None => match self.board.next(&mut peer.knowledge) {
                Some(news) => Item::News(news),
                None => return,
            },
        };
        let event = item.to_event();
        peer.line = Line::Delivering {
            request,
            item,
            standing_by: None,
        };
        self.answer(request, Answer::Event(event));
    }
}
