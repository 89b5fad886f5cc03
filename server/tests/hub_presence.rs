//! Who comes and goes, when many do: it costs those who send messages nothing, and nobody is dropped for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use pinhole_server::hub::{Answer, Command, Event, Input, Limits, Refusal};
use room::{Room, bound, limits, message, presence};

const CROWD: u64 = 1000;

fn crowd() -> Room {
    Room::new(Limits {
        members: bound(2000),
        ..limits()
    })
}

fn is_presence(answer: &Answer) -> bool {
    matches!(answer, Answer::Event(Event::Presence(_)))
}

#[test]
fn a_message_overtakes_a_thousand_who_came_but_not_the_news_of_its_sender() {
    let mut room = crowd();
    room.sign_in("porch");
    for _ in 1..CROWD {
        room.sign_in("visitor");
    }
    room.sign_in("caller");
    let caller = CROWD + 1;
    assert_eq!(room.send(caller, 1, "offer").0, Answer::Sent);
    assert_eq!(room.send(caller, 1, "candidate").0, Answer::Sent);
    assert_eq!(room.fetch(1), presence("caller,1001,1\n"));
    assert_eq!(room.fetch(1), message(caller, "offer"));
    assert_eq!(room.fetch(1), message(caller, "candidate"));
    // The others come after it, each once, in an answer of its own.
    for id in 2..=CROWD {
        let entry = format!("visitor,{id},1\n");
        assert_eq!(room.fetch(1), Answer::Event(Event::Presence(entry.into())));
    }
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn a_message_of_one_who_went_at_once_is_delivered_between_its_coming_and_its_going() {
    let mut room = crowd();
    room.sign_in("porch");
    room.sign_in("caller");
    room.send(2, 1, "offer");
    room.sign_out(2);
    assert_eq!(room.fetch(1), presence("caller,2,1\n"));
    assert_eq!(room.fetch(1), message(2, "offer"));
    assert_eq!(room.fetch(1), presence("caller,2,0\n"));
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn news_of_a_sender_that_did_not_get_through_comes_again_before_its_message() {
    let mut room = crowd();
    room.sign_in("porch");
    room.sign_in("caller");
    for goes in [false, true] {
        let caller = if goes { room.sign_in_id("caller") } else { 2 };
        let (lost, answer) = room.wait(1);
        assert!(is_presence(&answer.unwrap()));
        room.send(caller, 1, "offer");
        if goes {
            room.sign_out(caller);
        }
        room.input(Input::Abandoned { request: lost });
        assert!(is_presence(&room.fetch(1)), "the sender comes first");
        assert_eq!(room.fetch(1), message(caller, "offer"));
    }
    assert_eq!(room.fetch(1), presence("caller,3,0\n"));
}

#[test]
fn who_came_and_went_while_a_member_was_away_is_no_news_and_costs_nobody_the_place() {
    let mut room = crowd();
    room.sign_in("sleeper");
    room.sign_in("neighbour");
    for _ in 0..10_000 {
        let visitor = room.sign_in_id("visitor");
        room.sign_out(visitor);
    }
    assert_eq!(room.hub.members(), 2);
    assert_eq!(room.fetch(1), presence("neighbour,2,1\n"));
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn news_that_was_fetched_is_taken_back_by_news() {
    let mut room = crowd();
    room.sign_in("porch");
    room.sign_in("seen");
    assert_eq!(room.fetch(1), presence("seen,2,1\n"));
    room.sign_in("unseen");
    room.sign_out(2);
    room.sign_out(3);
    assert_eq!(room.fetch(1), presence("seen,2,0\n"));
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn a_thousand_who_join_cost_one_step_each_while_nobody_waits() {
    let mut room = crowd();
    for _ in 0..CROWD {
        let (answer, others) = room.sign_in("member");
        assert!(matches!(answer, Answer::SignedIn { .. }));
        assert!(matches!(others[..], [Command::Came { .. }]), "{others:?}");
    }
    // And who waits has one answer for each, at its own pace.
    let events = (1..CROWD).filter(|_| is_presence(&room.fetch(1)));
    assert_eq!(events.count() as u64, CROWD - 1);
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn news_that_slow_members_do_not_fetch_is_bounded_and_makes_room_again() {
    let mut room = Room::new(Limits {
        members: bound(10),
        ..limits()
    });
    // Each gets to know visitors who go then, and does not fetch that they went.
    for visitors in [9, 8] {
        let slow = room.sign_in_id("slow");
        let visitors: Vec<u64> = (0..visitors).map(|_| room.sign_in_id("visitor")).collect();
        for visitor in visitors {
            assert!(is_presence(&room.fetch(slow)));
            room.sign_out(visitor);
        }
    }
    room.sign_in("last");
    assert_eq!(room.hub.members(), 3);
    assert_eq!(room.sign_in("one more").0, Answer::Refused(Refusal::ServerFull));
    while !room.fetch_entry(1).ends_with(",0\n") {}
    assert!(matches!(room.sign_in("one more").0, Answer::SignedIn { .. }));
}
