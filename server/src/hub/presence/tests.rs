use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::budget::{Budget, Size};

const HERE: Source = Source(IpAddr::V4(Ipv4Addr::LOCALHOST));

fn memory() -> Reservation {
    let size = Size {
        whole: 1000,
        share: 1000,
    };
    let account = Budget::new(size).account(HERE);
    account.reserve(1000).unwrap()
}

/// A board with its members, and what they tell of each other: `+1` and `-1`.
#[derive(Default)]
struct Room {
    board: Board,
    members: BTreeMap<u64, (Place, Knowledge)>,
}

impl Room {
    fn come(&mut self, id: u64) {
        let (peer, entry) = (PeerId::new(id).unwrap(), format!("+{id}").into());
        let place = self.board.came(peer, HERE, entry, memory());
        self.members.insert(id, (place, self.board.learn()));
    }

    fn go(&mut self, id: u64) {
        let (place, knowledge) = self.members.remove(&id).unwrap();
        self.board.went(place, Bytes::from(format!("-{id}")), knowledge);
    }

    fn next(&mut self, id: u64) -> Option<News> {
        self.board.next(&mut self.members.get_mut(&id).unwrap().1)
    }

    fn fetch(&mut self, id: u64) -> Option<Bytes> {
        let news = self.next(id)?;
        let entry = news.entry.clone();
        self.board.told(news, &mut self.members.get_mut(&id).unwrap().1);
        Some(entry)
    }

    fn all(&mut self, id: u64) -> Vec<Bytes> {
        std::iter::from_fn(|| self.fetch(id)).collect()
    }
}

#[test]
fn who_came_and_went_unseen_is_no_news_and_keeps_no_row() {
    let mut room = Room::default();
    room.come(1);
    for id in 2..1000 {
        room.come(id);
        room.go(id);
        assert_eq!(room.board.rows(), 1);
    }
    assert_eq!(room.board.rows.len(), 2);
    assert_eq!(room.all(1), [""; 0]);
}

#[test]
fn a_row_lasts_as_long_as_somebody_has_to_hear_that_it_went() {
    let mut room = Room::default();
    (1..=3).for_each(|id| room.come(id));
    assert_eq!(room.all(1), ["+2", "+3"]);
    room.go(3);
    assert_eq!(room.board.rows(), 3);
    assert_eq!((room.all(2), room.board.rows()), (vec![], 3), "it never knew");
    assert_eq!(room.board.rows_of(HERE), Rows { all: 3, here: 2 });
    assert_eq!((room.all(1), room.board.rows()), (vec!["-3".into()], 2));
    room.come(4);
    assert_eq!(room.all(1), ["+4"]);
    room.go(4);
    room.go(1);
    assert_eq!(room.board.rows(), 2, "nobody is left who has to hear of 4");
    assert_eq!((room.all(2), room.board.rows()), (vec!["-1".into()], 1));
}

#[test]
fn whoever_is_introduced_is_not_told_of_again_until_it_goes() {
    let mut room = Room::default();
    (1..=3).for_each(|id| room.come(id));
    let third = room.members[&3].0;
    let first = &mut room.members.get_mut(&1).unwrap().1;
    assert_eq!(room.board.introduce(third, first), Some("+3".into()));
    assert_eq!(room.board.introduce(third, first), None);
    assert_eq!(room.all(1), ["+2"]);
    room.go(3);
    assert_eq!(room.all(1), ["-3"]);
}

#[test]
fn news_that_was_taken_back_comes_again_if_it_is_still_true() {
    let mut room = Room::default();
    (1..=2).for_each(|id| room.come(id));
    let came = room.next(1).unwrap();
    room.board
        .take_back(came, &mut room.members.get_mut(&1).unwrap().1);
    assert_eq!(room.fetch(1), Some("+2".into()));
    room.go(2);
    for _ in 0..2 {
        let went = room.next(1).unwrap();
        assert_eq!(went.entry, "-2");
        room.board
            .take_back(went, &mut room.members.get_mut(&1).unwrap().1);
    }
    assert_eq!((room.all(1), room.board.rows()), (vec!["-2".into()], 1));

    room.come(3);
    let came = room.next(1).unwrap();
    room.go(3);
    room.board
        .take_back(came, &mut room.members.get_mut(&1).unwrap().1);
    assert_eq!((room.all(1), room.board.rows()), (vec![], 1));
    room.go(1);
    assert_eq!((room.board.rows(), room.board.of_client.len()), (0, 0));
}
