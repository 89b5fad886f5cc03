//! What comes out of a session.

use std::time::{Duration, Instant};

use rtc::sansio::Protocol;

use super::{
    Session,
    io::{Event, Output, ToDo},
    receive, waiting,
};
use crate::peer::report::Stage;

/// A deadline that lies in the past again must not make a busy loop.
const SOONEST: Duration = Duration::from_millis(5);

impl Session {
    /// What is to be done because of what went in, one after the other until there is no more. Then the deadline holds.
    pub(in crate::peer) fn poll(&mut self) -> Option<Output> {
        loop {
            if self.stirred {
                if let Some(packet) = self.core_packet() {
                    return Some(Output::Transmit(packet));
                }
                self.stirred = false;
            }
            if let Some(event) = self.link.events.pop_front() {
                return Some(Output::Event(event));
            }
            match self.to_do {
                ToDo::Look => self.look(),
                ToDo::Deadline => {
                    waiting::go_on(&mut self.link, self.now);
                    self.to_do = ToDo::Nothing;
                    self.set_timer();
                }
                ToDo::Nothing => return None,
            }
        }
    }

    fn set_timer(&mut self) {
        let link = &mut self.link;
        let soonest = self.now + SOONEST;
        let core = link.connection.poll_timeout();
        let core = core.map(|deadline| link.pace.hold(deadline.max(soonest)));
        // Who connects, or waits for what we have said, is not kept waiting.
        let mut waits = || {
            link.channel
                .unsent(&mut link.connection)
                .is_some_and(|unsent| unsent > 0)
        };
        let exact = link.stage == Stage::Connecting || link.pace.is_checking() || waits();
        let report = link.reports.next().filter(|_| receive::may_report(link));
        let least = |two: [Option<_>; 2]| two.into_iter().flatten().min();
        let own = least([report, link.silence.deadline(link.stage)]);
        let media = least([
            least([link.probe.next(), link.spread.next()]),
            link.settling.deadline(),
        ]);
        self.timer.set(core, own, media, exact, self.now);
    }

    /// When to call with [`Input::Timeout`](super::Input::Timeout) at the latest.
    pub(in crate::peer) fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    fn look(&mut self) {
        self.stirred = true;
        self.to_do = match receive::look(&mut self.link, self.account.started, self.now) {
            None => ToDo::Deadline,
            Some(ending) => {
                self.link.events.push_back(Event::Ended(ending));
                ToDo::Nothing
            }
        };
    }
}
