//! What a rendition takes, measured.

use std::time::Duration;

use crate::media::{Bitrate, Layer, Timestamp};

/// It is measured over so many spans of this length, of which the last is not full: two seconds.
const SPAN: Duration = Duration::from_millis(250);
const SPANS: usize = 9;
/// Fewer tell nothing: the first picture is a keyframe.
const ENOUGH: u64 = 3;
/// What each packet has besides its payload: RTP's header with an extension, and SRTP's tag.
const BESIDE: usize = 36;

/// What is sent to a viewer of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Rates {
    /// With all pictures.
    pub(in crate::peer) whole: Bitrate,
    /// Without those that others do not build upon. The same where there are none.
    pub(in crate::peer) base: Bitrate,
}

/// Counts what pictures come to, by the time of their capture.
#[derive(Debug, Default)]
pub(super) struct Meter {
    spans: [[u64; 2]; SPANS],
    /// The number of the newest span, and of the first.
    newest: Option<(u64, u64)>,
}

impl Meter {
    /// A picture of this layer was cut into so many packets of so many bytes in all.
    pub(super) fn count(&mut self, captured_at: Timestamp, layer: Layer, packets: usize, bytes: usize) {
        let span = (captured_at.as_duration().as_nanos() / SPAN.as_nanos()) as u64;
        let (newest, first) = *self.newest.get_or_insert((span, span));
        // After a pause, or where the clock went back, it begins anew.
        if span < newest || span - newest >= SPANS as u64 {
            self.spans = Default::default();
            self.newest = Some((span, span));
        } else {
            for passed in newest + 1..=span {
                self.spans[place(passed)] = [0; 2];
            }
            self.newest = Some((span, first));
        }
        let [base, upper] = &mut self.spans[place(span)];
        let all = (bytes + packets * BESIDE) as u64;
        *match layer {
            Layer::Base => base,
            Layer::Upper => upper,
        } += all;
    }

    /// What it takes; `None` before that is known.
    pub(super) fn rates(&self) -> Option<Rates> {
        let (newest, first) = self.newest?;
        let full = (newest - first).min(SPANS as u64 - 1);
        if full < ENOUGH {
            return None;
        }
        let (mut base, mut upper) = (0, 0);
        for ago in 1..=full {
            let [one, other] = self.spans[place(newest - ago)];
            (base, upper) = (base + one, upper + other);
        }
        let rate = |bytes: u64| {
            let seconds = SPAN.as_secs_f64() * full as f64;
            Bitrate::from_bps((bytes as f64 * 8.0 / seconds) as u64)
        };
        Some(Rates {
            whole: rate(base + upper),
            base: rate(base),
        })
    }
}

fn place(span: u64) -> usize {
    (span % SPANS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_monotonic(Duration::from_millis(milliseconds))
    }

    #[test]
    fn both_layers_are_measured_over_the_last_seconds() {
        let mut meter = Meter::default();
        let count = |meter: &mut Meter, from: u64, to: u64, bytes| {
            for number in from * 40..to * 40 {
                let layer = if number % 2 == 0 {
                    Layer::Base
                } else {
                    Layer::Upper
                };
                meter.count(at(number * 25), layer, 1, bytes - BESIDE);
            }
        };
        count(&mut meter, 0, 1, 1000);
        let rates = meter.rates().expect("enough");
        assert_eq!((rates.whole.bps(), rates.base.bps()), (320_000, 160_000));
        count(&mut meter, 1, 10, 2000);
        let rates = meter.rates().expect("enough");
        assert_eq!((rates.whole.bps(), rates.base.bps()), (640_000, 320_000));
        meter.count(at(60_000), Layer::Base, 1, 1000);
        assert_eq!(meter.rates(), None, "a pause");
        meter.count(at(1000), Layer::Base, 1, 1000);
        assert_eq!(meter.rates(), None);
    }
}
