//! Who came and who went, and who knows of it.
//!
//! One board for all: a row for each member, with the last that happened to it, in the order in which that happened. What
//! a member knows of the others is a bit for each row. News for it is where the board says otherwise than its bits, so that
//! nothing piles up for a member that is slow, and who came and went unseen is no news.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;
use pinhole_signaling::PeerId;

use crate::budget::{Reservation, Source};

#[derive(Debug, Default)]
pub(super) struct Board {
    rows: Vec<Option<Row>>,
    free: Vec<Place>,
    /// The rows by when something happened to them last.
    order: BTreeMap<Moment, Place>,
    last: Moment,
    of_client: HashMap<Source, Rows>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// Of those who are here, and of those of whom somebody has yet to hear that they went.
    pub(super) all: usize,
    pub(super) here: usize,
}

/// Which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// Counts what happened. No two things happen at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

#[derive(Debug)]
struct Row {
    id: PeerId,
    source: Source,
    /// That it came, or that it went.
    entry: Bytes,
    is_here: bool,
    since: Moment,
    /// How many members know that it came, and not that it went. With none of them the row of one that went is free.
    known_to: usize,
    /// For the member, and then for the row alone.
    _memory: Reservation,
}

/// What one member knows.
#[derive(Debug)]
pub(super) struct Knowledge {
    /// A bit for each row: whether the member knows that it came, and not that it went.
    known: Vec<u64>,
    /// Up to here there is nothing new for the member.
    read: Moment,
}

/// What a member is about to be told: that another one came or went.
#[derive(Debug)]
pub(super) struct News {
    /// Who.
    pub(super) of: PeerId,
    pub(super) entry: Bytes,
    is_here: bool,
    place: Place,
    since: Moment,
}

impl Board {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.order.len()
    }

    /// How many rows there are of one client.
    pub(super) fn rows_of(&self, source: Source) -> Rows {
        self.of_client.get(&source).copied().unwrap_or_default()
    }

    /// A member came.
    pub(super) fn came(&mut self, id: PeerId, source: Source, entry: Bytes, memory: Reservation) -> Place {
        let since = self.tick();
        let rows = self.of_client.entry(source).or_default();
        rows.all += 1;
        rows.here += 1;
        let row = Row {
            id,
            source,
            entry,
            is_here: true,
            since,
            known_to: 0,
            _memory: memory,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.rows[place.0] = Some(row);
                place
            }
            None => {
                self.rows.push(Some(row));
                Place(self.rows.len() - 1)
            }
        };
        self.order.insert(since, place);
        place
    }

    /// What a member knows that has just read who is here.
    pub(super) fn learn(&mut self) -> Knowledge {
        let mut knowledge = Knowledge {
            known: vec![0; self.rows.len().div_ceil(64)],
            read: self.last,
        };
        for (place, row) in self.rows.iter_mut().enumerate() {
            if let Some(row) = row.as_mut().filter(|row| row.is_here) {
                row.known_to += 1;
                knowledge.set(Place(place), true);
            }
        }
        knowledge
    }

    /// The entry of one who is here.
    pub(super) fn entry(&self, place: Place) -> Option<&Bytes> {
        Some(&self.row(place)?.entry)
    }

    /// A member went, and with it what it knew.
    pub(super) fn went(&mut self, place: Place, entry: Bytes, knowledge: Knowledge) {
        let since = self.tick();
        if let Some(row) = self.rows.get_mut(place.0).and_then(Option::as_mut) {
            row.is_here = false;
            row.entry = entry;
            self.order.remove(&row.since);
            row.since = since;
            self.order.insert(since, place);
            if let Some(rows) = self.of_client.get_mut(&row.source) {
                rows.here -= 1;
            }
        }
        for place in knowledge.known() {
            self.unknown_to_one_more(place);
        }
    }

    /// The next news for a member. It counts as told until [`Board::take_back`].
    pub(super) fn next(&mut self, knowledge: &mut Knowledge) -> Option<News> {
        loop {
            let unread = (Bound::Excluded(knowledge.read), Bound::Unbounded);
            let (&since, &place) = self.order.range(unread).next()?;
            knowledge.read = since;
            let Some(row) = self.rows.get_mut(place.0).and_then(Option::as_mut) else {
                continue;
            };
            if row.is_here == knowledge.knows(place) {
                continue;
            }
            if row.is_here {
                row.known_to += 1;
                knowledge.set(place, true);
            }
            return Some(News {
                of: row.id,
                entry: row.entry.clone(),
                is_here: row.is_here,
                place,
                since,
            });
        }
    }

    /// That one who is here came, for a member that does not know it yet, whatever else is new for that member.
    pub(super) fn introduce(&mut self, place: Place, to: &mut Knowledge) -> Option<Bytes> {
        if to.knows(place) {
            return None;
        }
        let row = self.rows.get_mut(place.0)?.as_mut()?;
        row.known_to += 1;
        to.set(place, true);
        Some(row.entry.clone())
    }

    /// The member has the news.
    pub(super) fn told(&mut self, news: News, knowledge: &mut Knowledge) {
        // The row of one that went stays until then, for the news may be taken back.
        if !news.is_here {
            knowledge.set(news.place, false);
            self.unknown_to_one_more(news.place);
        }
    }

    /// The member does not have the news.
    pub(super) fn take_back(&mut self, news: News, knowledge: &mut Knowledge) {
        if news.is_here {
            knowledge.set(news.place, false);
            self.unknown_to_one_more(news.place);
        }
        knowledge.read = knowledge.read.min(Moment(news.since.0 - 1));
    }

    fn unknown_to_one_more(&mut self, place: Place) {
        let Some(row) = self.rows.get_mut(place.0).and_then(Option::as_mut) else {
            return;
        };
        row.known_to -= 1;
        if row.known_to == 0 && !row.is_here {
            self.order.remove(&row.since);
            if let Some(rows) = self.of_client.get_mut(&row.source) {
                rows.all -= 1;
                if rows.all == 0 {
                    self.of_client.remove(&row.source);
                }
            }
            self.rows[place.0] = None;
            self.free.push(place);
        }
    }

    fn row(&self, place: Place) -> Option<&Row> {
        self.rows.get(place.0)?.as_ref()
    }

    fn tick(&mut self) -> Moment {
        self.last.0 += 1;
        self.last
    }
}

impl Knowledge {
    fn knows(&self, place: Place) -> bool {
        self.known
            .get(place.0 / 64)
            .is_some_and(|word| word >> (place.0 % 64) & 1 == 1)
    }

    fn set(&mut self, place: Place, is_known: bool) {
        let word = place.0 / 64;
        if self.known.len() <= word {
            self.known.resize(word + 1, 0);
        }
        let bit = 1 << (place.0 % 64);
        if is_known {
            self.known[word] |= bit;
        } else {
            self.known[word] &= !bit;
        }
    }

    fn known(&self) -> impl Iterator<Item = Place> {
        let words = self.known.iter().enumerate();
        words.flat_map(|(at, &word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| Place(at * 64 + bit))
        })
    }
}

#[cfg(test)]
mod tests;
