//! The threads that help with a crowd.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use tracing::warn;

use crate::peer::shard::{Shard, Task};

/// Sessions with which the engine's own thread is done before others would have woken.
const ALONE: usize = 32;

/// A thread for each shard but the first, which is the engine's own. They are started with the first crowd, and sleep while there is none.
pub(super) struct Crew {
    alone: usize,
    /// None before the first crowd. Where threads can't be had there are none, for good.
    workers: Option<Vec<Worker>>,
}

impl Default for Crew {
    fn default() -> Self {
        Self {
            alone: ALONE,
            workers: None,
        }
    }
}

struct Worker {
    orders: SyncSender<Order>,
    done: Receiver<thread::Result<Shard>>,
}

struct Order {
    shard: Shard,
    task: Arc<Task>,
    now: Instant,
}

impl Crew {
    /// One that helps with any crowd that is greater.
    #[cfg(test)]
    pub(super) fn greater_than(alone: usize) -> Self {
        Self { alone, workers: None }
    }

    /// Has the shards do their task. Afterwards they are all there again, in their order. Waits for the slowest, which has no more to do than
    /// the engine's own thread.
    pub(super) fn work(&mut self, shards: &mut Vec<Shard>, task: Task, crowd: usize, now: Instant) {
        let helpers = shards.len().saturating_sub(1);
        let workers = if crowd > self.alone && helpers > 0 {
            self.workers.get_or_insert_with(|| start(helpers)).as_slice()
        } else {
            &[]
        };
        if workers.len() != helpers {
            return shards.iter_mut().for_each(|shard| shard.work(&task, now));
        }
        let task = Arc::new(task);
        let others: Vec<_> = shards.drain(1..).zip(workers).collect();
        let given: Vec<_> = others
            .into_iter()
            .map(|(shard, worker)| worker.give(shard, &task, now))
            .collect();
        for own in shards.iter_mut() {
            own.work(&task, now);
        }
        shards.extend(given.into_iter().map(|given| match given {
            Ok(worker) => worker.take_back(),
            // It is no more.
            Err(mut shard) => {
                shard.work(&task, now);
                *shard
            }
        }));
    }
}

impl Worker {
    fn start(number: usize) -> std::io::Result<Self> {
        let (orders, to_do) = sync_channel::<Order>(1);
        let (finished, done) = sync_channel(1);
        thread::Builder::new()
            .name(format!("fan-out {number}"))
            .spawn(move || {
                for Order { mut shard, task, now } in to_do {
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        shard.work(&task, now);
                        shard
                    }));
                    // Before the shard is back, so that what is sent is held by nobody else then.
                    drop(task);
                    if finished.send(outcome).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { orders, done })
    }

    /// Gives it a shard, or gives that back.
    fn give(&self, shard: Shard, task: &Arc<Task>, now: Instant) -> Result<&Self, Box<Shard>> {
        let task = task.clone();
        let given = self.orders.send(Order { shard, task, now });
        given.map(|()| self).map_err(|unsent| Box::new(unsent.0.shard))
    }

    /// Waits for a shard. What went wrong there goes wrong here.
    fn take_back(&self) -> Shard {
        match self.done.recv() {
            Ok(Ok(shard)) => shard,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(gone) => resume_unwind(Box::new(gone)),
        }
    }
}

fn start(count: usize) -> Vec<Worker> {
    (1..=count)
        .map(Worker::start)
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| {
            warn!("viewers are served by one thread, because another can't be had: {error}");
            Vec::new()
        })
}
