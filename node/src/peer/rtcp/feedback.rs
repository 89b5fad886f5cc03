use std::time::Duration;

use rtc::rtcp::reception_report::ReceptionReport;

use super::clock::VIDEO_CLOCK;
use crate::peer::report::Reception;

/// What a viewer has said of its picture so far.
#[derive(Debug, Default)]
pub(in crate::peer) struct Feedback {
    /// How often it asked for a keyframe.
    pub(in crate::peer) keyframe_requests: u64,
    /// Packets that it asked for again, those among them that were on their way already.
    pub(in crate::peer) nacked: u64,
    /// Its last report, where there was one.
    pub(in crate::peer) reception: Option<Reception>,
}

impl Feedback {
    /// Takes what a report says of the picture.
    pub(in crate::peer) fn reports(&mut self, report: &ReceptionReport) {
        let before = self.reception.map_or(0, |reception| reception.lost);
        // Signed, in 24 bits: a viewer that counts packets twice has lost fewer than none.
        let lost = report.total_lost & 0xff_ffff;
        let lost = if lost < 0x80_0000 { lost.into() } else { 0 };
        self.reception = Some(Reception {
            loss: f64::from(report.fraction_lost) / 256.0,
            lost: lost.max(before),
            jitter: Duration::from_secs_f64(f64::from(report.jitter) / f64::from(VIDEO_CLOCK)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reception(total_lost: u32) -> Option<Reception> {
        let mut feedback = Feedback::default();
        assert_eq!(feedback.reception, None, "nothing was reported yet");
        feedback.reports(&ReceptionReport {
            fraction_lost: 64,
            total_lost,
            jitter: 900,
            ..ReceptionReport::default()
        });
        feedback.reception
    }

    #[test]
    fn a_report_is_read_in_its_units() {
        let expected = Reception {
            loss: 0.25,
            lost: 7,
            jitter: Duration::from_millis(10),
        };
        assert_eq!(reception(7), Some(expected));
    }

    #[test]
    fn duplicates_are_no_losses() {
        let minus_two = 0xff_fffe;
        assert_eq!(reception(minus_two).expect("a report").lost, 0);
    }
}
