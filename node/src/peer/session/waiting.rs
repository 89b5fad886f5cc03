//! What becomes of a session whose viewer says nothing, and of one whose viewer is back.

use std::time::Instant;

use super::{io::Event, link::Link};
use crate::peer::{ending::Ending, report::Stage};

/// Looks how long the viewer has been silent. Returns why the session is over, where it is.
pub(super) fn look(link: &mut Link, now: Instant) -> Option<Ending> {
    let silence = &mut link.silence;
    match link.stage {
        Stage::Connecting => {}
        Stage::Silent => return silence.is_over(now).then_some(Ending::Silent),
        Stage::AwaitingKeyframe | Stage::Watching => {
            if silence.gives_up(now) {
                link.stage = Stage::Silent;
                link.catching = None;
                link.events.push_back(Event::Silent);
            }
        }
    }
    None
}

/// Whether a picture is held back, which begins with the packet of this number where it is of the rung that is sent.
pub(super) fn holds_back(link: &mut Link, first: Option<u64>, now: Instant) -> bool {
    if link.stage == Stage::Connecting || !link.silence.holds_back(now) {
        return link.stage == Stage::Silent;
    }
    link.silence.hold(first);
    if link.stage == Stage::Watching {
        // What follows builds upon this.
        link.stage = Stage::AwaitingKeyframe;
        link.catching = None;
    }
    true
}

/// Goes on with a viewer that is heard again, once it is known where it is.
pub(super) fn go_on(link: &mut Link, now: Instant) {
    if !link.silence.is_back() {
        return;
    }
    let is_silent = link.stage == Stage::Silent;
    // ICE has begun anew meanwhile: a keyframe that goes where the viewer was is of no use to it.
    let is_sought = link.outgoing.is_lost() && link.silence.may_wait(now);
    if is_silent && is_sought {
        return;
    }
    link.silence.go_on();
    if link.rungs.carries().is_none() {
        // That nothing came through says nothing of how much does.
        link.numbering.forget(now);
    }
    if is_silent {
        link.stage = Stage::AwaitingKeyframe;
        link.events.push_back(Event::Back);
        link.events.extend(link.rungs.next().map(Event::RungWanted));
    }
    if link.stage == Stage::AwaitingKeyframe && link.media.shows() {
        link.events.push_back(Event::KeyframeWanted);
    }
}
