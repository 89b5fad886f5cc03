//! What one client may have of a hub, whatever it does, so that there is something left for the others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_server::budget::Source;
use pinhole_server::hub::{Answer, Bound, Command, Input, Limits, Pace, Refusal, Why};
use room::{ABSENT, Room, answer_to, limits, message, peer, presence};

const GONE: Answer = Answer::Refused(Refusal::Gone);

fn client(number: u8) -> Source {
    Source(Ipv4Addr::new(192, 0, 2, number).into())
}

/// One client may have 3 of 10 members, and 2 of 3 messages.
fn room() -> Room {
    Room::new(Limits {
        members: Bound { all: 10, each: 3 },
        mailbox_messages: Bound { all: 3, each: 2 },
        ..limits()
    })
}

fn is_signed_in(answer: &Answer) -> bool {
    matches!(answer, Answer::SignedIn { .. })
}

#[test]
fn one_client_has_its_share_of_the_members_and_gets_it_back() {
    let mut room = room();
    room.source = client(1);
    let ids: Vec<u64> = (0..3).map(|_| room.sign_in_id("many")).collect();
    assert_eq!(room.sign_in("many").0, Answer::Refused(Refusal::ClientFull));
    room.source = client(2);
    assert!(is_signed_in(&room.sign_in("honest").0));
    room.source = client(1);
    room.sign_out(ids[0]);
    assert!(is_signed_in(&room.sign_in("many").0));
}

#[test]
fn one_client_that_comes_and_goes_before_slow_members_leaves_room_on_the_board() {
    let mut room = room();
    // Each of the slow ones sees three come, and does not fetch that they went.
    for slow_client in [client(8), client(9)] {
        room.source = slow_client;
        let slow = room.sign_in_id("slow");
        room.source = client(1);
        let ids: Vec<u64> = (0..3).map(|_| room.sign_in_id("many")).collect();
        room.source = slow_client;
        ids.iter()
            .for_each(|id| assert_eq!(room.fetch_entry(slow), format!("many,{id},1\n")));
        room.source = client(1);
        ids.into_iter().for_each(|id| drop(room.sign_out(id)));
    }
    assert_eq!(room.sign_in("many").0, Answer::Refused(Refusal::ClientFull));
    room.source = client(2);
    assert!(is_signed_in(&room.sign_in("honest").0));
    room.source = client(9);
    room.fetch(5);
    room.source = client(1);
    assert!(is_signed_in(&room.sign_in("many").0));
}

#[test]
fn one_client_does_not_fill_a_mailbox() {
    let mut room = room();
    room.source = client(1);
    room.sign_in("porch");
    room.source = client(2);
    let (one, two) = (room.sign_in_id("flood"), room.sign_in_id("flood"));
    assert_eq!(room.send(one, 1, "x").0, Answer::Sent);
    assert_eq!(room.send(two, 1, "x").0, Answer::Sent);
    assert_eq!(room.send(two, 1, "x").0, Answer::Refused(Refusal::MailboxFull));
    room.source = client(3);
    let honest = room.sign_in_id("caller");
    assert_eq!(room.send(honest, 1, "offer").0, Answer::Sent);
}

#[test]
fn sign_ins_come_at_once_and_then_at_a_pace() {
    let mut room = Room::new(Limits {
        members: Bound { all: 10, each: 10 },
        sign_ins: Pace {
            at_once: 2,
            every: Duration::from_secs(1),
        },
        ..limits()
    });
    room.source = client(1);
    for _ in 0..2 {
        let id = room.sign_in_id("storm");
        room.sign_out(id);
    }
    assert_eq!(room.sign_in("storm").0, Answer::Refused(Refusal::TooFast));
    room.source = client(2);
    assert!(is_signed_in(&room.sign_in("honest").0));
    room.source = client(1);
    room.after(Duration::from_secs(1));
    assert!(is_signed_in(&room.sign_in("storm").0));
    assert_eq!(room.sign_in("storm").0, Answer::Refused(Refusal::TooFast));
}

#[test]
fn nobody_else_can_fetch_a_members_messages_speak_for_it_or_sign_it_out() {
    let mut room = room();
    room.source = client(1);
    let porch = room.sign_in_id("porch");
    let (wait, _) = room.wait(porch);
    room.source = client(2);
    let thief = room.sign_in_id("thief");
    assert_eq!(room.wait(porch).1, Some(GONE));
    assert_eq!(room.send(porch, thief, "as if").0, GONE);
    let request = room.request();
    let commands = room.input(Input::SignOut {
        request,
        id: peer(porch),
        client: client(2).into(),
    });
    assert_eq!(answer_to(request, &commands), Some(GONE));
    room.input(Input::Delivered { request: wait });
    room.send(thief, porch, "offer");
    room.source = client(1);
    assert_eq!(room.fetch(porch), message(thief, "offer"));

    // With a token there are no strangers, and addresses may change.
    room.input(Input::Limit(Limits {
        is_bound: false,
        ..limits()
    }));
    room.source = client(3);
    assert_eq!(room.send(thief, porch, "hello").0, Answer::Sent);
    assert_eq!(room.fetch(porch), message(thief, "hello"));
}

#[test]
fn a_member_that_never_waits_is_dropped_sooner() {
    let soon = Duration::from_secs(10);
    let mut room = Room::new(Limits {
        first_wait: soon,
        ..limits()
    });
    let honest = room.sign_in_id("honest");
    let (wait, _) = room.wait(honest);
    room.sign_in("idle");
    room.input(Input::Delivered { request: wait });
    assert_eq!(room.hub.next_deadline(), Some(room.now + soon));
    assert_eq!(room.after(soon - Duration::from_millis(1)), []);
    let commands = room.after(Duration::from_millis(1));
    assert!(
        matches!(commands[..], [Command::Went { why: Why::Absent, .. }]),
        "{commands:?}"
    );
    assert_eq!(room.fetch(honest), presence("idle,2,0\n"));
    assert_eq!(room.after(ABSENT - Duration::from_millis(1)), [], "it has waited");
    assert_eq!(room.after(Duration::from_millis(1)).len(), 1);
}

#[test]
fn a_roster_stays_as_short_as_clients_read_it() {
    let mut room = Room::new(Limits {
        roster_bytes: "one,1,1\ntwo,2,1\n".len(),
        ..limits()
    });
    assert!(is_signed_in(&room.sign_in("one").0));
    assert!(is_signed_in(&room.sign_in("two").0));
    assert_eq!(room.sign_in("x").0, Answer::Refused(Refusal::ServerFull));
    room.sign_out(1);
    assert!(is_signed_in(&room.sign_in("six").0));
}
