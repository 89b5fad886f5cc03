//! Candidates that a viewer tells after its description (RFC 8838).

use std::time::Instant;

use pinhole_service::quiet::Quiet;
use tracing::{debug, warn};

use super::{
    link::Link,
    remotes::{Remotes, Unfit},
};
use crate::peer::report::Stage;

/// Takes a candidate line. Returns whether there is something new to check.
pub(super) fn take(remotes: &mut Remotes, link: &mut Link, line: &str, now: Instant) -> bool {
    match remotes.try_add(&mut link.connection, line) {
        Ok(()) => {
            // Once there is a path the core checks no other.
            if link.stage == Stage::Connecting || link.pace.is_checking() {
                link.pace.restart(now);
            }
            return true;
        }
        Err(
            why @ (Unfit::Known
            | Unfit::Name
            | Unfit::OtherTransport
            | Unfit::OtherComponent
            | Unfit::Nowhere),
        ) => {
            debug!(viewer = %link.viewer, "a candidate is of no use: {why}");
        }
        // One candidate less is no reason to end: there are others.
        Err(why) => {
            static IGNORED: Quiet = Quiet::new(10);
            if let Some(others) = IGNORED.may_say() {
                let candidate: String = line.chars().take(200).collect();
                let candidate = candidate.escape_debug();
                warn!(viewer = %link.viewer, %candidate, others, "candidate ignored: {why}");
            }
        }
    }
    false
}
