//! What viewers get while there is no picture of the camera's.

use std::time::{Duration, Instant};

use tracing::debug;

use super::Work;
use crate::{
    capture::Slate,
    encode::EncodeError,
    media::{FrameRate, Rendition},
    pipeline::{State, line::Line},
};

/// How often viewers get the slate that stands in for a camera's picture: often enough for one who comes, and hardly
/// any work.
const SLATE_RATE: FrameRate = FrameRate::per_second(4);

impl Work {
    /// Waits until something changes or the time is over. Viewers see the slate meanwhile.
    pub(super) fn pause(&mut self, seen: u64, pause: Duration) {
        let end = Instant::now() + pause;
        let size = self.ladder.top().size;
        let mut slate = Slate::new(size, SLATE_RATE, "NO SIGNAL");
        loop {
            self.pulse.beat();
            self.snapshots.refuse("the camera gives no picture");
            if let Err(error) = self.show(&mut slate) {
                debug!("no slate: {error}");
            }
            let left = end.saturating_duration_since(Instant::now());
            let wait = left.min(SLATE_RATE.interval());
            if left.is_zero() || self.demand.wait(seen, Some(wait)) != seen {
                return;
            }
        }
    }

    /// Viewers see that the camera is private, until something changes.
    pub(super) fn be_private(&mut self, seen: u64) {
        self.account.becomes(State::Private);
        // No picture of theirs builds upon one of before; and the camera may not have been open yet.
        self.rest();
        for line in &mut self.lines {
            line.look(&self.settings.ways, self.settings.hardware);
        }
        let size = self.ladder.top().size;
        let mut slate = Slate::new(size, SLATE_RATE, "PRIVACY");
        while self.privacy.is_on() && !self.is_stopping() && self.is_watched() {
            self.pulse.beat();
            self.snapshots.refuse("the camera is private now");
            if let Err(error) = self.show(&mut slate) {
                debug!("no slate: {error}");
            }
            if self.demand.wait(seen, Some(SLATE_RATE.interval())) != seen {
                break;
            }
        }
        self.rest();
    }

    fn show(&mut self, slate: &mut Slate) -> Result<(), EncodeError> {
        let (now, frame) = (Instant::now(), slate.draw());
        self.lines.iter_mut().for_each(|line| line.settle(now));
        let shows = |line: &&mut Line| line.is_watched() && line.is_possible();
        for line in self.lines.iter_mut().filter(shows) {
            let Rendition { codec, rung } = line.rendition();
            let Some(quality) = self.ladder.quality(rung) else {
                continue;
            };
            let picture = self.shrinkers.smaller(&frame, quality.then);
            let picture = picture.map_err(|source| EncodeError::Layout { codec, source })?;
            // It is YU12, which everything takes.
            line.prepare(picture.format, picture.format, quality.bitrate)?;
            line.encode(&picture, quality.bitrate)?;
        }
        Ok(())
    }
}
