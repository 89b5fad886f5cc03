//! Who a member is, when its address changes, its connection breaks or its program is started anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use std::net::Ipv4Addr;

use pinhole_server::budget::Source;
use pinhole_server::hub::{Answer, Bound, Command, Input, Limits, Refusal, Why};
use pinhole_signaling::MemberKey;
use room::{Room, limits, message, presence, signed_in};

/// How long one that was cut off has to come back where it has a successor.
const BACK: std::time::Duration = std::time::Duration::from_secs(3);
const GONE: Answer = Answer::Refused(Refusal::Gone);

fn client(number: u8) -> Source {
    Source(Ipv4Addr::new(192, 0, 2, number).into())
}

fn key(number: u8) -> Option<MemberKey> {
    Some(MemberKey::parse(format!("{number:032x}").as_bytes()).unwrap())
}

/// Those who went, and why.
fn went(commands: &[Command]) -> Vec<(u64, Why)> {
    let went = |command: &Command| match command {
        Command::Went { id, why, .. } => Some((id.get(), *why)),
        _ => None,
    };
    commands.iter().filter_map(went).collect()
}

/// The connection of a member's open wait breaks.
fn cut(room: &mut Room, id: u64) -> Vec<Command> {
    let (request, answer) = room.wait(id);
    assert_eq!(answer, None);
    room.input(Input::Abandoned { request })
}

#[test]
fn a_key_is_good_from_every_address_and_nothing_else_is() {
    let mut room = Room::new(limits());
    (room.source, room.key) = (client(1), key(1));
    let porch = room.sign_in_id("porch");
    room.source = client(2);
    assert_eq!(
        room.send(porch, porch, "echo").0,
        Answer::Echo(room::parcel("echo"))
    );
    for (source, shown) in [(1, None), (1, key(2)), (2, key(2))] {
        (room.source, room.key) = (client(source), shown);
        assert_eq!(room.wait(porch).1, Some(GONE), "{source}");
        assert_eq!(room.send(porch, porch, "as if").0, GONE);
        room.sign_out(porch);
        assert_eq!(room.hub.members(), 1);
    }
    // A token is no reason to take one member for another.
    room.input(Input::Limit(Limits {
        is_bound: false,
        ..limits()
    }));
    room.key = None;
    assert_eq!(room.wait(porch).1, Some(GONE));
}

#[test]
fn a_key_does_not_fit_a_member_without_one_whose_id_was_anothers_before_a_restart() {
    let mut room = Room::new(limits());
    let porch = room.sign_in_id("porch");
    room.key = key(1);
    assert_eq!(room.wait(porch).1, Some(GONE));
}

#[test]
fn a_program_that_was_killed_and_started_anew_stands_in_the_list_once() {
    let mut room = Room::new(limits());
    let viewer = room.sign_in_id("viewer");
    let old = room.sign_in_id("porch");
    assert_eq!(room.fetch(viewer), presence("porch,2,1\n"));
    assert_eq!(cut(&mut room, old), []);
    // As long as a service manager takes to start it.
    room.now += BACK;
    let (answer, commands) = room.sign_in("porch");
    assert_eq!(answer, signed_in(3, "porch,3,1\nviewer,1,1\n"));
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
    // Who has a call with the old one knows the new one by then.
    assert_eq!(room.fetch(viewer), presence("porch,3,1\n"));
    assert_eq!(room.fetch(viewer), presence("porch,2,0\n"));
    assert_eq!(room.wait(3).1, None, "nothing is new for the new one");
    assert_eq!(room.wait(old).1, Some(GONE));
}

#[test]
fn the_same_where_it_is_started_anew_before_its_end_is_known() {
    let mut room = Room::new(limits());
    let old = room.sign_in_id("porch");
    let (hanging, _) = room.wait(old);
    let new = room.sign_in_id("porch");
    room.wait(new);
    room.input(Input::Delivered { request: hanging });
    let (hanging, _) = room.wait(old);
    assert_eq!(room.hub.members(), 2, "both are there, as far as anybody knows");
    let commands = room.input(Input::Abandoned { request: hanging });
    assert_eq!(went(&commands), []);
    room.now += BACK;
    let commands = room.input(Input::Tick);
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
}

#[test]
fn who_renews_its_wait_is_not_replaced_by_a_namesake_that_waits() {
    let mut room = Room::new(limits());
    let porch = room.sign_in_id("porch");
    let namesake = room.sign_in_id("porch");
    room.fetch(porch);
    room.wait(namesake);
    for _ in 0..3 {
        assert_eq!(went(&cut(&mut room, porch)), []);
        room.now += BACK / 2;
        let commands = room.input(Input::Tick);
        assert_eq!(went(&commands), []);
        assert_eq!(room.wait(porch).1, None);
        room.now += BACK;
        let commands = room.input(Input::Tick);
        assert_eq!(went(&commands), [], "it has come back");
    }
    // One that signs in at that moment replaces nobody either, and may wait.
    cut(&mut room, porch);
    let (_, commands) = room.sign_in("porch");
    assert_eq!(went(&commands), []);
}

#[test]
fn one_that_was_killed_goes_soon_after_its_next_life_waits() {
    let mut room = Room::new(limits());
    let old = room.sign_in_id("porch");
    cut(&mut room, old);
    let new = room.sign_in_id("porch");
    assert_eq!(room.hub.members(), 2);
    room.wait(new);
    room.now += BACK;
    let commands = room.input(Input::Tick);
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
}

#[test]
fn one_that_was_killed_between_two_waits_goes_as_well() {
    let mut room = Room::new(limits());
    let viewer = room.sign_in_id("viewer");
    // Its last answer has arrived, and its next life waits afterwards, …
    let old = room.sign_in_id("porch");
    room.send(viewer, old, "hello");
    room.fetch(old);
    let new = room.sign_in_id("porch");
    room.wait(new);
    room.now += BACK;
    let commands = room.input(Input::Tick);
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
    // … or before it is known that it has arrived.
    let mut room = Room::new(limits());
    let old = room.sign_in_id("porch");
    let (hanging, _) = room.wait(old);
    let new = room.sign_in_id("porch");
    room.wait(new);
    room.input(Input::Delivered { request: hanging });
    room.now += BACK;
    let commands = room.input(Input::Tick);
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
}

#[test]
fn nobody_who_is_there_is_ended_by_one_of_the_same_name() {
    let mut room = Room::new(limits());
    let waiting = room.sign_in_id("porch");
    room.wait(waiting);
    // Between two waits, the first of which is over in good order.
    let between = room.sign_in_id("porch");
    room.send(waiting, between, "hello");
    assert_eq!(room.fetch(between), message(waiting, "hello"));
    // Who has not waited yet, and who is cut off elsewhere, under another name, or has waited again since.
    let new = room.sign_in_id("porch");
    room.source = client(2);
    let elsewhere = room.sign_in_id("porch");
    cut(&mut room, elsewhere);
    room.source = room::source();
    let other = room.sign_in_id("garden");
    cut(&mut room, other);
    let again = room.sign_in_id("porch");
    cut(&mut room, again);
    room.wait(again);
    let (_, commands) = room.sign_in("porch");
    assert_eq!(went(&commands), []);
    assert_eq!(room.hub.members(), 7);
    assert_eq!(room.send(new, waiting, "still here").0, Answer::Sent);
}

#[test]
fn who_signs_in_anew_with_its_key_is_itself_wherever_it_is_and_whatever_it_is_called() {
    let mut room = Room::new(limits());
    (room.source, room.key) = (client(1), key(1));
    let old = room.sign_in_id("viewer_1");
    room.wait(old);
    (room.source, room.key) = (client(2), key(2));
    let (_, commands) = room.sign_in("viewer_1");
    assert_eq!(went(&commands), [], "another key");
    room.key = key(1);
    let (answer, commands) = room.sign_in("viewer_one");
    assert!(matches!(answer, Answer::SignedIn { .. }));
    assert_eq!(went(&commands), [(old, Why::Replaced)]);
}

#[test]
fn a_full_server_takes_who_replaces_itself() {
    let mut room = Room::new(Limits {
        members: Bound { all: 3, each: 2 },
        ..limits()
    });
    room.key = key(1);
    room.sign_in("porch");
    room.key = key(2);
    room.sign_in("garden");
    room.key = key(3);
    assert_eq!(room.sign_in("more").0, Answer::Refused(Refusal::ClientFull));
    (room.source, room.key) = (client(2), key(4));
    room.sign_in("elsewhere");
    room.key = key(5);
    assert_eq!(room.sign_in("more").0, Answer::Refused(Refusal::ServerFull));
    (room.source, room.key) = (room::source(), key(1));
    let (answer, commands) = room.sign_in("porch");
    assert!(matches!(answer, Answer::SignedIn { .. }), "{answer:?}");
    assert_eq!(went(&commands), [(1, Why::Replaced)]);
}

#[test]
fn an_event_that_did_not_arrive_goes_to_the_wait_that_stands_by_and_that_is_waited_for() {
    let mut room = Room::new(limits());
    let (porch, viewer) = (room.sign_in_id("porch"), room.sign_in_id("viewer"));
    room.fetch(porch);
    let (dead, _) = room.wait(porch);
    room.send(viewer, porch, "offer");
    assert!(!room.hub.is_awaited(dead));
    let (renewed, answer) = room.wait(porch);
    assert_eq!(answer, None, "nobody knows yet whether it has the offer");
    assert!(room.hub.is_awaited(dead));
    assert!(!room.hub.is_awaited(renewed));
    let commands = room.input(Input::Abandoned { request: dead });
    assert_eq!(
        room::answer_to(renewed, &commands),
        Some(message(viewer, "offer"))
    );
    assert!(!room.hub.is_awaited(dead));
}

#[test]
fn half_of_a_mailbox_is_for_whoever_comes_first_and_of_the_rest_each_has_its_share() {
    let mut room = Room::new(Limits {
        mailbox_messages: Bound { all: 100, each: 25 },
        mailbox_bytes: room::bound(1 << 20),
        ..limits()
    });
    room.source = client(1);
    let porch = room.sign_in_id("porch");
    room.source = client(2);
    let many = room.sign_in_id("many");
    let sent = (0..100).filter(|_| room.send(many, porch, "candidate").0 == Answer::Sent);
    assert_eq!(sent.count(), 50);
    room.source = client(3);
    let other = room.sign_in_id("other");
    let sent = (0..100).filter(|_| room.send(other, porch, "candidate").0 == Answer::Sent);
    assert_eq!(sent.count(), 25);
}
