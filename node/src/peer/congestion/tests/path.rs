use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::peer::congestion::{
    begin,
    estimator::{Estimator, News},
    history::Departure,
    report::{Arrival, Report},
};

const FRAME: Duration = Duration::from_millis(33);
const PACKET: usize = 1200;
/// How often the viewer reports.
const REPORTS: Duration = Duration::from_millis(100);

/// What a path does to packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Bits a second.
    pub(super) rate: u64,
    /// What fits before the bottleneck, in time.
    pub(super) queue: Duration,
    /// One way.
    pub(super) delay: Duration,
    pub(super) loss: f64,
}

/// A sender, its estimator, and a viewer.
pub(super) struct Run {
    path: Path,
    full: u64,
    estimator: Box<dyn Estimator>,
    random: StdRng,
    start: Instant,
    now: Instant,
    busy_until: Instant,
    next_frame: Instant,
    next_report: Instant,
    number: u64,
    /// Numbers and arrivals that the viewer has not reported.
    arrivals: VecDeque<(u64, Instant)>,
    reported: u64,
    /// Reports on their way.
    reports: VecDeque<(Instant, Report)>,
    is_cut: bool,
    waited: Duration,
    sent: u64,
    arrived: u64,
    frames: u32,
}

impl Run {
    pub(super) fn new(path: Path, full: u64) -> Self {
        let start = Instant::now();
        Self {
            path,
            full,
            estimator: begin(start),
            random: StdRng::seed_from_u64(7),
            start,
            now: start,
            busy_until: start,
            next_frame: start,
            next_report: start + REPORTS,
            number: 65_000,
            arrivals: VecDeque::new(),
            reported: 65_000,
            reports: VecDeque::new(),
            is_cut: false,
            waited: Duration::ZERO,
            sent: 0,
            arrived: 0,
            frames: 0,
        }
    }

    pub(super) fn path(&mut self, path: Path) {
        self.path = path;
    }

    /// Nothing arrives from now on.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    pub(super) fn estimate(&mut self) -> Option<u64> {
        self.estimator.verdict(self.now).carries.map(|rate| rate.bps())
    }

    pub(super) fn mean_queue(&self) -> Duration {
        self.waited / u32::try_from(self.sent).expect("few")
    }

    pub(super) fn arrived_share(&self) -> f64 {
        self.arrived as f64 / self.sent as f64
    }

    pub(super) fn go(&mut self, lasts: Duration) {
        let end = self.now + lasts;
        while self.now < end {
            if self.next_frame <= self.now {
                self.frame();
                self.next_frame += FRAME;
            }
            if self.next_report <= self.now {
                self.report();
                self.next_report += REPORTS;
            }
            while self.reports.front().is_some_and(|(at, _)| *at <= self.now) {
                if let Some((_, report)) = self.reports.pop_front() {
                    self.estimator.hear(News::Arrivals(&report), self.now);
                }
            }
            self.now += Duration::from_millis(1);
        }
    }

    fn frame(&mut self) {
        self.frames += 1;
        let rate = self
            .estimate()
            .map_or(self.full, |estimate| estimate.min(self.full));
        let keyframe = if self.frames % 300 == 1 { 4.0 } else { 1.0 };
        let varies = self.random.random_range(0.7..1.3) * keyframe;
        let mut bytes = (rate as f64 / 8.0 * FRAME.as_secs_f64() * varies) as usize;
        while bytes > 0 {
            let size = bytes.min(PACKET);
            bytes -= size;
            self.packet(size);
        }
    }

    fn packet(&mut self, size: usize) {
        let number = self.number;
        self.number += 1;
        self.sent += 1;
        let departure = Departure {
            number: Some(number),
            bytes: size,
            is_late: false,
        };
        self.estimator.sent(departure, self.now);
        let waits = self.busy_until.saturating_duration_since(self.now);
        if waits > self.path.queue || self.is_cut {
            return;
        }
        self.waited += waits;
        let takes = Duration::from_secs_f64(size as f64 * 8.0 / self.path.rate as f64);
        self.busy_until = self.busy_until.max(self.now) + takes;
        if self.random.random_range(0.0..1.0) >= self.path.loss {
            self.arrived += 1;
            self.arrivals
                .push_back((number, self.busy_until + self.path.delay));
        }
    }

    /// The viewer tells what has arrived.
    fn report(&mut self) {
        let now = self.now;
        let known = self.arrivals.iter().take_while(|(_, at)| *at <= now).count();
        let arrived: Vec<_> = self.arrivals.drain(..known).collect();
        let Some((last, _)) = arrived.last().copied() else {
            return;
        };
        // Its clock began long ago, and is about to begin anew.
        let clock = |at: Instant| (at - self.start).as_micros() as i64 + ((1 << 24) - 100) * 64_000;
        let reference = arrived.first().map_or(0, |(_, at)| clock(*at) / 64_000);
        let arrivals = arrived.iter().map(|(number, at)| Arrival {
            number: *number as u16,
            after: Some((clock(*at) - reference * 64_000) / 250 * 250),
        });
        let report = Report {
            first: self.reported as u16,
            count: (last + 1 - self.reported) as u16,
            reference: (reference & 0xff_ffff) as u32,
            arrivals: arrivals.collect(),
        };
        self.reported = last + 1;
        self.reports.push_back((now + self.path.delay, report));
    }
}
