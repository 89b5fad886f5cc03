use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

use super::{ending::Ending, report::Report};
use crate::figures::{Counter, Durations};

/// Questions that may wait for the engine; each is answered before the next is looked at.
const QUESTIONS: usize = 4;

/// What an engine tells of itself, as long as it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Viewers {
    questions: mpsc::Sender<oneshot::Sender<Report>>,
    count: watch::Receiver<usize>,
    figures: Arc<Figures>,
}

/// The engine's end of [`Viewers`].
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) figures: Arc<Figures>,
    count: watch::Sender<usize>,
}

/// Questions to the engine, each with where its answer goes.
pub(super) type Questions = mpsc::Receiver<oneshot::Sender<Report>>;

/// What all sessions together came to, since the start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Sessions that were begun.
    pub started: Counter,
    /// Calls that were refused.
    pub refused: Counter,
    ended: [Counter; Ending::ALL.len()],
    /// What cutting an access unit into packets and giving these to the kernel took, for all viewers of it.
    pub sent: Durations,
    /// From the time stamp of a frame until the kernel had its last packet for the last viewer.
    pub captured_to_sent: Durations,
    /// From the time stamp of 20 ms of sound, which is that of its first sample, until the kernel had it for the last viewer.
    pub sound_captured_to_sent: Durations,
}

impl Figures {
    /// Sessions that ended in this way.
    pub fn ended(&self, how: Ending) -> &Counter {
        &self.ended[how as usize]
    }
}

impl Viewers {
    /// Asks the engine. `None` where it does not answer in `patience`.
    pub async fn report(&self, patience: Duration) -> Option<Report> {
        let ask = async {
            let (answer, report) = oneshot::channel();
            self.questions.send(answer).await.ok()?;
            report.await.ok()
        };
        tokio::time::timeout(patience, ask).await.ok().flatten()
    }

    /// How many are connected, at any time and at every change.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.clone()
    }

    /// What all sessions together came to.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }
}

impl Tally {
    pub(super) fn new() -> (Self, Questions, Viewers) {
        let (asks, questions) = mpsc::channel(QUESTIONS);
        let figures = Arc::<Figures>::default();
        let count = watch::Sender::new(0);
        let viewers = Viewers {
            questions: asks,
            count: count.subscribe(),
            figures: figures.clone(),
        };
        (Self { figures, count }, questions, viewers)
    }

    /// Tells those who want to know how many are connected, where that has changed.
    pub(super) fn count(&self, connected: usize) {
        self.count
            .send_if_modified(|count| std::mem::replace(count, connected) != connected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_counted_by_itself() {
        let figures = Figures::default();
        for (number, ending) in Ending::ALL.into_iter().enumerate() {
            figures.ended(ending).add(number as u64 + 1);
        }
        for (number, ending) in Ending::ALL.into_iter().enumerate() {
            assert_eq!(figures.ended(ending).get(), number as u64 + 1, "{ending}");
        }
        let labels: std::collections::BTreeSet<_> = Ending::ALL.map(Ending::label).into();
        assert_eq!(labels.len(), Ending::ALL.len());
    }

    #[tokio::test]
    async fn an_engine_that_does_not_answer_is_not_waited_for() {
        let (_tally, questions, viewers) = Tally::new();
        for _ in 0..QUESTIONS * 2 {
            assert!(viewers.report(Duration::ZERO).await.is_none());
        }
        drop(questions);
        assert!(viewers.report(Duration::MAX).await.is_none(), "it is gone");
    }
}
