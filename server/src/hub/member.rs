//! One member as the hub sees it.

use std::time::{Duration, Instant};

use pinhole_signaling::{MemberKey, Name};

use super::mailbox::{Letter, Mailbox};
use super::presence::{Knowledge, News, Place};
use super::{Event, Limits, RequestId};
use crate::budget::Source;

/// Within this a member that is there is back: who has reason to doubt its connection closes it, and opens the next.
pub(super) const BACK: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: Name,
    pub(super) source: Source,
    /// What it shows with each request, if it has such.
    pub(super) key: Option<MemberKey>,
    pub(super) line: Line,
    /// When it gives way to its next life, should it not wait until then.
    pub(super) gives_way: Option<Instant>,
    /// Whether it has ever waited.
    pub(super) has_waited: bool,
    pub(super) mailbox: Mailbox,
    /// Its row on the board.
    pub(super) place: Place,
    /// What it knows of the others.
    pub(super) knowledge: Knowledge,
}

/// How a member can be reached at the moment.
#[derive(Debug)]
pub(super) enum Line {
    /// It has no wait open: between two waits, or gone without a word.
    Absent {
        since: Instant,
        /// Whether the last wait's connection broke before an answer had arrived on it, as when a program is killed; nobody
        /// closes it so between two waits.
        is_cut: bool,
    },
    /// This wait of it is open, and there is nothing for it.
    Waiting { request: RequestId },
    /// This wait was answered with this, and it isn't known yet whether the answer got through.
    Delivering {
        request: RequestId,
        item: Item,
        /// The next wait, should it come this soon.
        standing_by: Option<RequestId>,
    },
}

/// What is on its way to a member.
#[derive(Debug)]
pub(super) enum Item {
    /// From its mailbox.
    Letter(Letter),
    /// From the board.
    News(News),
}

impl Item {
    pub(super) fn to_event(&self) -> Event {
        match self {
            Item::Letter(letter) => letter.to_event(),
            Item::News(news) => Event::Presence(news.entry.clone()),
        }
    }
}

impl Peer {
    /// Whether nothing has been heard of it for [`BACK`] since its connection broke.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        matches!(self.line, Line::Absent { since, is_cut: true } if now >= since + BACK)
    }

    /// Whether it has no wait open, and should: it has had one.
    pub(super) fn is_absent(&self) -> bool {
        self.has_waited && matches!(self.line, Line::Absent { .. })
    }

    /// Whether nothing has been heard of it since its connection broke.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.line, Line::Absent { is_cut: true, .. })
    }

    /// When it is dropped, should it not wait until then.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let patience = if self.has_waited {
            limits.absent
        } else {
            limits.first_wait
        };
        match self.line {
            Line::Absent { since, .. } => {
                let overdue = since + patience;
                Some(self.gives_way.map_or(overdue, |then| then.min(overdue)))
            }
            Line::Waiting { .. } | Line::Delivering { .. } => None,
        }
    }
}
