//! The hub by tables: what goes in, what comes out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use std::time::Duration;

use pinhole_server::hub::{Answer, Command, Event, Input, Limits, Refusal, Why};
use room::{ABSENT, Room, answer_to, bound, limits, message, parcel, peer, presence, signed_in, source};

const GONE: Answer = Answer::Refused(Refusal::Gone);

#[test]
fn a_new_member_gets_everybody_and_everybody_gets_the_new_member() {
    let mut room = Room::new(limits());
    assert_eq!(room.sign_in("alice").0, signed_in(1, "alice,1,1\n"));
    assert_eq!(room.sign_in("").0, signed_in(2, "peer_2,2,1\nalice,1,1\n"));
    assert_eq!(
        room.sign_in("eve").0,
        signed_in(3, "eve,3,1\nalice,1,1\npeer_2,2,1\n")
    );
    assert_eq!(room.fetch(1), presence("peer_2,2,1\n"));
    assert_eq!(room.fetch(1), presence("eve,3,1\n"));
    assert_eq!(room.fetch(2), presence("eve,3,1\n"));
    assert_eq!(room.wait(3).1, None);
}

#[test]
fn an_event_goes_to_an_open_wait_at_once_and_else_waits_in_order() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    room.fetch(1);
    let (wait, answer) = room.wait(1);
    assert_eq!(answer, None);
    let (sent, commands) = room.send(2, 1, "one");
    assert_eq!(sent, Answer::Sent);
    assert_eq!(answer_to(wait, &commands), Some(message(2, "one")));
    // Between two waits nothing is lost, and nothing overtakes.
    room.send(2, 1, "two");
    room.send(2, 1, "three");
    room.input(Input::Delivered { request: wait });
    assert_eq!(room.fetch(1), message(2, "two"));
    assert_eq!(room.fetch(1), message(2, "three"));
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn an_event_that_was_not_delivered_comes_first_in_the_next_wait() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    room.fetch(1);
    room.send(2, 1, "one");
    room.send(2, 1, "two");
    let (lost, answer) = room.wait(1);
    assert_eq!(answer, Some(message(2, "one")));
    // The client has given up and waits anew before the old connection is known to be broken.
    let (next, answer) = room.wait(1);
    assert_eq!(answer, None);
    let commands = room.input(Input::Abandoned { request: lost });
    assert_eq!(answer_to(next, &commands), Some(message(2, "one")));
    room.input(Input::Delivered { request: next });
    assert_eq!(room.fetch(1), message(2, "two"));
}

#[test]
fn a_wait_that_is_taken_back_gets_nothing() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    room.fetch(1);
    let (lost, _) = room.wait(1);
    assert_eq!(room.input(Input::Abandoned { request: lost }), []);
    let (_, commands) = room.send(2, 1, "one");
    assert_eq!(answer_to(lost, &commands), None);
    assert_eq!(room.fetch(1), message(2, "one"));
}

#[test]
fn of_two_waits_the_newer_wins_and_the_older_is_answered() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    room.fetch(1);
    let (older, _) = room.wait(1);
    let newer = room.request();
    let commands = room.input(Input::Wait {
        request: newer,
        id: peer(1),
        client: source().into(),
    });
    assert_eq!(
        answer_to(older, &commands),
        Some(Answer::Refused(Refusal::Superseded))
    );
    // The end of the older one's connection is not the newer one's.
    room.input(Input::Abandoned { request: older });
    let (_, commands) = room.send(2, 1, "one");
    assert_eq!(answer_to(newer, &commands), Some(message(2, "one")));
    // The same among those that stand by.
    let (standing_by, _) = room.wait(1);
    let last = room.request();
    let commands = room.input(Input::Wait {
        request: last,
        id: peer(1),
        client: source().into(),
    });
    assert_eq!(
        answer_to(standing_by, &commands),
        Some(Answer::Refused(Refusal::Superseded))
    );
    room.input(Input::Delivered { request: newer });
    let (_, commands) = room.send(2, 1, "two");
    assert_eq!(answer_to(last, &commands), Some(message(2, "two")));
}

#[test]
fn a_wait_that_stands_by_may_go_away_again() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    let (first, answer) = room.wait(1);
    assert_eq!(answer, Some(presence("bob,2,1\n")));
    let (standing_by, _) = room.wait(1);
    room.input(Input::Abandoned { request: standing_by });
    room.input(Input::Abandoned { request: first });
    assert_eq!(room.fetch(1), presence("bob,2,1\n"));
}

#[test]
fn a_member_is_dropped_after_30_s_without_a_wait() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    let (wait, _) = room.wait(1);
    assert_eq!(room.hub.next_deadline(), None);
    room.sign_in("bob");
    room.input(Input::Delivered { request: wait });
    let (wait, _) = room.wait(1);
    assert_eq!(room.hub.next_deadline(), Some(room.now + ABSENT));
    assert_eq!(room.after(ABSENT - Duration::from_millis(1)), []);
    let commands = room.after(Duration::from_millis(1));
    assert_eq!(
        commands[0],
        Command::Went {
            id: peer(2),
            name: "bob".into(),
            why: Why::Absent
        }
    );
    assert_eq!(answer_to(wait, &commands), Some(presence("bob,2,0\n")));
    assert_eq!(room.wait(2).1, Some(GONE));
    assert_eq!(room.send(2, 1, "too late").0, GONE);
    assert_eq!(room.send(1, 2, "too late").0, GONE);
}

#[test]
fn an_open_wait_and_one_that_is_being_answered_count_as_there() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    let (wait, _) = room.wait(1);
    assert_eq!(room.after(ABSENT * 100), []);
    room.sign_in("bob");
    room.wait(2);
    assert_eq!(room.after(ABSENT * 100), []);
    // From the end of the delivery the time counts.
    room.input(Input::Delivered { request: wait });
    assert_eq!(room.hub.next_deadline(), Some(room.now + ABSENT));
    assert_eq!(room.after(ABSENT).len(), 2);
}

#[test]
fn leaving_is_announced_and_ends_the_own_wait() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    room.fetch(1);
    let (own, _) = room.wait(2);
    let request = room.request();
    let commands = room.input(Input::SignOut {
        request,
        id: peer(2),
        client: source().into(),
    });
    assert_eq!(answer_to(own, &commands), Some(GONE));
    assert_eq!(answer_to(request, &commands), Some(Answer::SignedOut));
    assert_eq!(room.fetch(1), presence("bob,2,0\n"));
    let again = room.request();
    let commands = room.input(Input::SignOut {
        request: again,
        id: peer(2),
        client: source().into(),
    });
    assert_eq!(answer_to(again, &commands), Some(GONE));
    assert_eq!(
        room.sign_in("bob").0,
        signed_in(3, "bob,3,1\nalice,1,1\n"),
        "ids are not used again"
    );
}

#[test]
fn a_message_to_oneself_is_the_answer() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    assert_eq!(room.send(1, 1, "me").0, Answer::Echo(parcel("me")));
    assert_eq!(room.wait(1).1, None);
}

#[test]
fn the_sender_hears_of_a_full_mailbox_and_presence_still_gets_in() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    for _ in 0..3 {
        assert_eq!(room.send(2, 1, "x").0, Answer::Sent);
    }
    assert_eq!(room.send(2, 1, "x").0, Answer::Refused(Refusal::MailboxFull));
    room.sign_in("eve");
    assert_eq!(room.fetch(1), presence("bob,2,1\n"));
    assert_eq!(room.fetch(1), message(2, "x"));
    assert_eq!(room.send(2, 1, "y").0, Answer::Sent, "there is room again");
    for expected in [
        message(2, "x"),
        message(2, "x"),
        message(2, "y"),
        presence("eve,3,1\n"),
    ] {
        assert_eq!(room.fetch(1), expected);
    }
}

#[test]
fn bytes_are_bounded_for_each() {
    const BIG: &str = match std::str::from_utf8(&[b'x'; 700]) {
        Ok(text) => text,
        Err(_) => panic!("x is UTF-8"),
    };
    let mut room = Room::new(limits());
    for name in ["alice", "bob", "eve"] {
        room.sign_in(name);
    }
    assert_eq!(room.send(3, 1, BIG).0, Answer::Sent);
    assert_eq!(room.send(3, 1, BIG).0, Answer::Refused(Refusal::MailboxFull));
    assert_eq!(room.send(3, 2, BIG).0, Answer::Sent);
}

#[test]
fn a_server_that_is_full_says_so_until_somebody_leaves() {
    let mut room = Room::new(Limits {
        members: bound(2),
        ..limits()
    });
    room.sign_in("alice");
    room.sign_in("bob");
    assert_eq!(room.sign_in("eve").0, Answer::Refused(Refusal::ServerFull));
    let request = room.request();
    room.input(Input::SignOut {
        request,
        id: peer(1),
        client: source().into(),
    });
    assert_eq!(room.sign_in("eve").0, signed_in(3, "eve,3,1\nbob,2,1\n"));
}

#[test]
fn other_limits_hold_from_then_on_and_cost_nobody_what_they_have() {
    let mut room = Room::new(limits());
    for name in ["alice", "bob", "eve"] {
        room.sign_in(name);
    }
    for _ in 0..3 {
        assert_eq!(room.send(2, 1, "x").0, Answer::Sent);
    }
    let fewer = Limits {
        members: bound(2),
        mailbox_messages: bound(2),
        ..limits()
    };
    assert_eq!(room.input(Input::Limit(fewer)), []);
    assert_eq!(room.hub.members(), 3);
    assert_eq!(room.sign_in("mallory").0, Answer::Refused(Refusal::ServerFull));
    assert_eq!(room.send(2, 1, "y").0, Answer::Refused(Refusal::MailboxFull));
    let fetched: Vec<_> = (0..5).map(|_| room.fetch(1)).collect();
    let messages = fetched
        .iter()
        .filter(|answer| matches!(answer, Answer::Event(Event::Message { .. })));
    assert_eq!(messages.count(), 3, "{fetched:?}");

    assert_eq!(room.input(Input::Limit(limits())), []);
    for _ in 0..3 {
        assert_eq!(room.send(2, 1, "z").0, Answer::Sent);
    }
    assert_eq!(room.send(2, 1, "z").0, Answer::Refused(Refusal::MailboxFull));
    assert!(matches!(room.sign_in("mallory").0, Answer::SignedIn { .. }));
}

#[test]
fn closing_answers_every_wait_and_refuses_what_comes_later() {
    let mut room = Room::new(limits());
    room.sign_in("alice");
    room.sign_in("bob");
    let (delivering, _) = room.wait(1);
    let (standing_by, _) = room.wait(1);
    let (open, _) = room.wait(2);
    let commands = room.input(Input::Close);
    let closing = Some(Answer::Refused(Refusal::Closing));
    assert_eq!(answer_to(standing_by, &commands), closing);
    assert_eq!(answer_to(open, &commands), closing);
    assert_eq!(commands.len(), 2);
    room.input(Input::Abandoned { request: delivering });
    assert_eq!(room.wait(1).1, closing);
    assert_eq!(room.sign_in("eve").0, Answer::Refused(Refusal::Closing));
    assert_eq!(room.send(1, 2, "x").0, Answer::Refused(Refusal::Closing));
    let request = room.request();
    let commands = room.input(Input::SignOut {
        request,
        id: peer(1),
        client: source().into(),
    });
    assert_eq!(answer_to(request, &commands), Some(Answer::SignedOut));
}
