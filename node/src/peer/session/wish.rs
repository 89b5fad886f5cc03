//! What becomes of a viewer's wishes.

use std::time::Instant;

use super::{
    io::Event,
    link::Link,
    watch::{Heard, Wish},
};
use crate::peer::report::Stage;

/// Takes what a viewer has said on its channel.
pub(super) fn heard(link: &mut Link, heard: &Heard, now: Instant) {
    match heard {
        Heard::Wish => obey(link),
        // Without a picture there is no clock yet.
        Heard::Clock(id) => {
            if let Some(sent) = link.media.stream.rtp.sent() {
                let rtp = sent.clock.at(link.reports.moment(now));
                link.watch.tell(*id, rtp, &mut link.connection, now);
            }
        }
        Heard::Nothing => {}
    }
}

/// Sends from now on what the viewer wants.
pub(super) fn obey(link: &mut Link) {
    let wish = link.watch.wish();
    link.rungs.want(wish.best());
    let did_show = link.media.shows();
    link.media.is_wanted = wish != Wish::None;
    match (did_show, link.media.shows()) {
        (true, false) => {
            link.catching = None;
            link.spread.stop();
            link.probe.stop();
            link.events.push_back(Event::Paused);
        }
        (false, true) => {
            if link.stage == Stage::Watching {
                // Nothing can be made of what comes after a pause without one.
                link.stage = Stage::AwaitingKeyframe;
            }
            link.events.push_back(Event::Resumed);
            link.events.extend(link.rungs.next().map(Event::RungWanted));
            if link.stage == Stage::AwaitingKeyframe {
                link.events.push_back(Event::KeyframeWanted);
            }
        }
        (true, true) | (false, false) => {}
    }
}
