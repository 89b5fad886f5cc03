//! How many connections each client has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pinhole_service::quiet::Quiet;

use crate::Source;

/// Addresses that are told of in a minute: one client may have many, and let go of each in between.
static CROWDED: Quiet = Quiet::new(10);

#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<Source, Open>>>);

#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Whether the log has that there was no room for another one.
    is_told: bool,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    of: Source,
}

impl Places {
    /// A place for one more of this client, which may have so many. `what` it wants is for the log.
    pub(crate) fn take(&self, of: Source, most: usize, what: &str) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(of).or_default();
        if open.count >= most {
            if !std::mem::replace(&mut open.is_told, true)
                && let Some(others) = CROWDED.may_say()
            {
                tracing::warn!(
                    others,
                    "{what} turns connections of {of} away: {most} are open, as many as one address may have"
                );
            }
            // With `most` at 0 there would be nobody to remove it.
            if open.count == 0 {
                all.remove(&of);
            }
            return None;
        }
        open.count += 1;
        Some(Place {
            places: self.clone(),
            of,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(&self.of) {
            open.count -= 1;
            if open.count == 0 {
                all.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_and_leave_nothing_behind() {
        let places = Places::default();
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|address| Source::of(address.parse().unwrap()));
        let first = places.take(one, 2, "the test").unwrap();
        let _second = places.take(one, 2, "the test").unwrap();
        assert!(places.take(one, 2, "the test").is_none());
        assert!(places.take(two, 0, "the test").is_none());
        let other = places.take(two, 2, "the test");
        assert!(other.is_some());
        drop((first, other));
        assert!(places.take(one, 2, "the test").is_some());
        assert_eq!(places.0.lock().unwrap().len(), 1);
    }
}
