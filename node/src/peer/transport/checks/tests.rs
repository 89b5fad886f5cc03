use super::*;
use crate::peer::transport::{Protocol, turns::PER_SECOND};

fn path(peer: &str) -> Path {
    Path {
        local: SocketAddr::from(([192, 0, 2, 1], 5000)),
        peer: peer.parse().expect("an address"),
        protocol: Protocol::Udp,
    }
}

/// A connectivity check with this transaction id, or an answer to it.
fn stun(kind: [u8; 2], id: u32) -> Vec<u8> {
    let mut packet = vec![kind[0], kind[1], 0, 0, 0x21, 0x12, 0xa4, 0x42];
    packet.extend([0; 8]);
    packet.extend(id.to_be_bytes());
    packet
}

fn request(id: u32) -> Vec<u8> {
    stun([0, 1], id)
}

fn success(id: u32) -> Vec<u8> {
    stun([1, 1], id)
}

const MEDIA: &[u8] = &[128, 96, 0, 0];
const VIEWER: &str = "198.51.100.7:40000";
const ONE: SessionId = SessionId(1);

/// How many of the checks that a session wants to send leave.
fn left(checks: &mut Checks, session: SessionId, to: &str, times: u32, now: Instant) -> u32 {
    let sent = (0..times).filter(|id| checks.may_leave(session, path(to), &request(*id), now));
    u32::try_from(sent.count()).expect("few")
}

#[test]
fn an_address_that_never_answers_gets_a_few_checks_and_nothing_else() {
    let start = Instant::now();
    let mut checks = Checks::default();
    let mut sum = 0;
    for second in 0..8 {
        let now = start + Duration::from_secs(second);
        sum += left(&mut checks, ONE, VIEWER, 20, now);
        assert!(!checks.may_leave(ONE, path(VIEWER), MEDIA, now));
    }
    assert_eq!(sum, MOST_UNANSWERED);
    let other = left(
        &mut checks,
        SessionId(2),
        VIEWER,
        20,
        start + Duration::from_secs(9),
    );
    assert_eq!(other, 0, "another session gets no further");
}

#[test]
fn who_answers_is_sent_everything_until_it_is_silent_for_long() {
    let now = Instant::now();
    let mut checks = Checks::default();
    assert!(checks.may_leave(ONE, path(VIEWER), &request(7), now));
    for (from, answer) in [(VIEWER, success(8)), ("198.51.100.7:40001", success(7))] {
        checks.see(path(from).peer, &answer, now);
        assert!(!checks.may_leave(ONE, path(VIEWER), MEDIA, now), "a forgery");
    }
    checks.see(path(VIEWER).peer, &success(7), now);
    assert!(checks.may_leave(ONE, path(VIEWER), MEDIA, now));
    assert_eq!(left(&mut checks, ONE, VIEWER, 1000, now), 1000);
    // One that is asked every second and answers goes on for ever.
    for second in 1..100 {
        let now = now + Duration::from_secs(second);
        assert!(checks.may_leave(ONE, path(VIEWER), &request(1000), now));
        assert!(checks.may_leave(ONE, path(VIEWER), MEDIA, now));
        checks.see(path(VIEWER).peer, &success(1000), now);
    }
    let later = now + Duration::from_secs(99) + LASTS;
    assert!(!checks.may_leave(ONE, path(VIEWER), MEDIA, later));
    assert!(
        checks.may_leave(ONE, path(VIEWER), &request(1), later),
        "it may be asked again"
    );
}

#[test]
fn a_viewer_that_comes_late_is_checked_for_every_check_of_its_own() {
    let now = Instant::now();
    let mut checks = Checks::default();
    assert_eq!(left(&mut checks, ONE, VIEWER, 100, now), MOST_UNANSWERED);
    let later = now + Duration::from_secs(10);
    for id in 0..10 {
        checks.see(path(VIEWER).peer, &request(id), later);
        assert!(checks.may_leave(ONE, path(VIEWER), &success(id), later));
        assert_eq!(left(&mut checks, ONE, VIEWER, 10, later), 1);
    }
    // Who forges its address gets no more out than it puts in.
    for id in 0..1000 {
        checks.see(path(VIEWER).peer, &request(id), later);
    }
    assert_eq!(left(&mut checks, ONE, VIEWER, 1000, later), MOST_OWED);
}

#[test]
fn of_a_thousand_addresses_few_are_checked_in_a_second() {
    let start = Instant::now();
    let mut checks = Checks::default();
    let mut sum = 0;
    for second in 0..10 {
        for port in 10_000..11_000 {
            let to = format!("198.51.100.7:{port}");
            sum += left(&mut checks, ONE, &to, 1, start + Duration::from_secs(second));
        }
    }
    assert_eq!(sum, 10 * PER_SECOND);
}

#[test]
fn who_joins_has_a_turn_among_those_who_name_the_most_addresses() {
    let start = Instant::now();
    let mut checks = Checks::default();
    let (mut flood, mut honest) = (0, 0);
    for tick in 0..100 {
        let now = start + Duration::from_millis(tick * 50);
        for session in 10..30 {
            for port in 0..24 {
                let to = format!("203.0.113.{session}:{}", 10_000 + port);
                flood += left(&mut checks, SessionId(session), &to, 1, now);
            }
        }
        // It comes after a second, with a single address.
        if (20..).contains(&tick) {
            honest += left(&mut checks, SessionId(40), VIEWER, 1, now);
        }
    }
    assert_eq!(honest, MOST_UNANSWERED, "no less than if it were alone");
    assert!(flood <= 5 * PER_SECOND + PER_SECOND, "{flood} in five seconds");
}

#[test]
fn nobody_is_checked_where_no_viewer_can_be() {
    let now = Instant::now();
    for to in [
        "0.0.0.0:40000",
        "0.1.2.3:40000",
        "224.0.0.251:40000",
        "255.255.255.255:40000",
        "127.0.0.1:40000",
        "198.51.100.7:53",
        "198.51.100.7:1023",
        "[::]:40000",
        "[::1]:40000",
        "[ff02::fb]:40000",
        "[::ffff:127.0.0.1]:40000",
    ] {
        let mut checks = Checks::default();
        assert_eq!(left(&mut checks, ONE, to, 10, now), 0, "{to}");
        checks.see(path(to).peer, &request(1), now);
        assert!(!checks.may_leave(ONE, path(to), &success(1), now), "{to}");
    }
    let on_this_machine = Path {
        local: SocketAddr::from(([127, 0, 0, 1], 5000)),
        ..path("127.0.0.1:40000")
    };
    assert!(Checks::default().may_leave(ONE, on_this_machine, &request(1), now));
}

#[test]
fn what_is_remembered_is_bounded() {
    let start = Instant::now();
    let mut checks = Checks::default();
    for number in 0..3 * u32::try_from(MOST_ADDRESSES).expect("few") {
        let from = SocketAddr::from(([198, 51, 100, 7], 1024 + (number % 60_000) as u16));
        checks.see(from, &request(number), start);
    }
    assert_eq!(checks.addresses.len(), MOST_ADDRESSES);
    let from = path("203.0.113.1:40000").peer;
    checks.see(from, &request(1), start + LASTS);
    assert_eq!(checks.addresses.len(), 1, "the rest is forgotten");
}

#[test]
fn who_fills_the_table_keeps_nobody_out_and_takes_no_consent_away() {
    let start = Instant::now();
    let mut checks = Checks::default();
    let viewer = path("192.0.2.1:40000");
    assert!(checks.may_leave(ONE, viewer, &request(1), start));
    checks.see(viewer.peer, &success(1), start);
    let later = start + Duration::from_secs(1);
    for number in 0..2 * u32::try_from(MOST_ADDRESSES).expect("few") {
        let from = SocketAddr::from(([198, 51, 100, 7], 1024 + (number % 60_000) as u16));
        checks.see(from, &request(number), later);
    }
    let newcomer = path("203.0.113.1:40000");
    assert!(checks.may_leave(ONE, newcomer, &request(2), later));
    assert!(
        checks.may_leave(ONE, viewer, MEDIA, later),
        "the viewer is still fed"
    );
    assert!(checks.addresses.len() <= MOST_ADDRESSES);
}
