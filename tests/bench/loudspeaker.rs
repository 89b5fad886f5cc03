//! A loudspeaker without a card: the node's own, whose sum of all voices is taken at the pace of the clock and thrown away.

use std::io::BufRead;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use pinhole_node::{
    media::{Ducking, SOUND_RATE},
    voice::{Account, Output, OutputError, Settings, Speaker},
};
use pinhole_service::watchdog::Watchdog;
use serde::{Deserialize, Serialize};

use crate::child;

/// As for a card: three periods of 10 ms before it.
const GOAL: Duration = Duration::from_millis(30);
const PERIOD: Duration = Duration::from_millis(10);

/// What the loudspeaker tells of itself.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Heard {
    /// Who is heard at this moment.
    pub talkers: usize,
    /// Packets of all voices so far.
    pub packets: u64,
    /// Of those, the ones that came after their turn.
    pub late: u64,
    /// And those that were left out, so that the delay does not grow.
    pub skipped: u64,
    /// And those that were turned away or could not be decoded.
    pub refused: u64,
    /// Packets in whose place something was made up, so far.
    pub concealed: u64,
    /// The median time from a packet's arrival until it is heard, in ms.
    pub delay: Option<f64>,
}

impl Heard {
    fn of(account: &Account) -> Self {
        let figures = &account.figures;
        Self {
            talkers: account
                .talkers()
                .iter()
                .filter(|talker| talker.is_audible)
                .count(),
            packets: figures.packets.get(),
            late: figures.late.get(),
            skipped: figures.skipped.get(),
            refused: figures.refused.get() + figures.damaged.get(),
            concealed: figures.concealed.get(),
            delay: account.median().map(|delay| delay.as_secs_f64() * 1000.0),
        }
    }
}

/// Starts it, and answers what is asked about it on standard input.
pub fn start() -> anyhow::Result<Speaker> {
    let settings = Settings {
        device: "nothing".to_owned(),
        volume: 1.0,
        duck: true,
    };
    let open = |_: &str| -> Result<Box<dyn Output>, OutputError> { Ok(Box::new(Nothing::default())) };
    let pulse = Watchdog::default().pulse("the loudspeaker's thread", Duration::from_secs(20));
    let speaker = Speaker::start_with(Some(settings), Arc::<Ducking>::default(), pulse, Box::new(open))?;
    let account = speaker.account();
    thread::Builder::new()
        .name("answers".to_owned())
        .spawn(move || answer(&account))?;
    Ok(speaker)
}

/// Until nobody can ask any more.
fn answer(account: &Account) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "heard" => child::answer(&Heard::of(account))?,
            other => bail!("{other:?} is no command"),
        }
    }
    Ok(())
}

/// What plays to nobody.
#[derive(Default)]
struct Nothing {
    /// When all that was written is played.
    empty_at: Option<Instant>,
}

impl Output for Nothing {
    fn rate(&self) -> u32 {
        SOUND_RATE
    }

    fn describe(&self) -> String {
        "nothing".to_owned()
    }

    fn queued(&mut self) -> Result<Duration, OutputError> {
        let now = Instant::now();
        Ok(self
            .empty_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now)))
    }

    fn goal(&self) -> Duration {
        GOAL
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), OutputError> {
        let now = Instant::now();
        // Time that has passed with nothing to play is gone.
        let from = self.empty_at.map_or(now, |at| at.max(now));
        self.empty_at = Some(from + Duration::from_secs_f64(samples.len() as f64 / f64::from(self.rate())));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), OutputError> {
        // As a card, which wakes us when a period of its goal is gone.
        let ahead = self.queued()?.saturating_sub(GOAL.saturating_sub(PERIOD));
        thread::sleep(ahead.min(PERIOD * 2));
        Ok(())
    }
}
