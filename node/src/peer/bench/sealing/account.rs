use std::{fmt, time::Duration};

use super::course::Act;
use crate::peer::bench::{call::Call, reception::Figures};

/// What came of a session, and what was done in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) lasted: Duration,
    pub(super) sent: u64,
    pub(super) nonces: usize,
    /// Packets that we sealed, not the core.
    pub(super) sealed: u64,
    pub(super) again: u64,
    pub(super) heard: usize,
    pub(super) received: Figures,
    pub(super) wraps: u64,
    pub(super) restarts: u32,
    pub(super) moves: u32,
    pub(super) renegotiations: u32,
    pub(super) asked: u32,
}

impl Account {
    pub(super) fn count(&mut self, act: Act) {
        match act {
            Act::Restart => self.restarts += 1,
            Act::Move => self.moves += 1,
            Act::Switch(_) => self.renegotiations += 1,
            Act::Ask { times } => self.asked += times,
        }
    }

    pub(super) fn take(&mut self, call: &Call) {
        self.lasted = call.lasts();
        self.sent = call.sent;
        self.nonces = call.nonces.count();
        self.sealed = call.sealed;
        self.again = call.retransmitted();
        self.heard = call.viewer.ear().heard();
        self.received = call.viewer.reception().figures();
        self.wraps = call.wraps();
    }
}

/// All sessions together.
pub(super) struct Sum<'a>(pub(super) &'a [Account]);

impl Sum<'_> {
    pub(super) fn of<N: std::iter::Sum>(&self, what: impl Fn(&Account) -> N) -> N {
        self.0.iter().map(what).sum()
    }
}

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sessions, lasted) = (self.0.len(), self.of(|a| a.lasted));
        writeln!(f, "{sessions} sessions, {:.0} s in all:", lasted.as_secs_f64())?;
        let (restarts, moves) = (self.of(|a| a.restarts), self.of(|a| a.moves));
        let (renegotiations, asked) = (self.of(|a| a.renegotiations), self.of(|a| a.asked));
        writeln!(
            f,
            "  {restarts} ICE restarts at the same address, {moves} at another, {renegotiations} renegotiations, {asked} requests for \
             packets besides those for lost ones, in {} the numbers began anew",
            self.0.iter().filter(|a| a.wraps > 0).count()
        )?;
        let (sent, again, nonces) = (self.of(|a| a.sent), self.of(|a| a.again), self.of(|a| a.nonces));
        let (sealed, heard) = (self.of(|a| a.sealed), self.of(|a| a.heard));
        writeln!(
            f,
            "  {sent} packets sent, {sealed} of them sealed by the session, {again} of them again, by {nonces} nonces"
        )?;
        let received = |what: fn(&Figures) -> u64| self.of(|a| what(&a.received));
        write!(
            f,
            "  {} decrypted ({heard} of sound), {} of them again, {} not heard, {} not decrypted",
            received(|figures| figures.decrypted),
            received(|figures| figures.again),
            received(|figures| figures.unheard),
            received(|figures| figures.undecrypted),
        )
    }
}
