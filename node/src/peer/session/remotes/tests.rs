use super::*;

fn taken(remotes: &mut Remotes, address: &str, port: u32) -> Result<(), Unfit> {
    remotes.take(&format!(
        "candidate:842163049 1 udp 1677729535 {address} {port} typ host generation 0"
    ))
}

fn abroad() -> Remotes {
    Remotes::new(&["192.0.2.1:5000".parse().expect("an address")])
}

#[test]
fn a_candidate_is_taken_once_and_again_after_a_restart() {
    let mut remotes = abroad();
    assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Ok(()));
    assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Err(Unfit::Known));
    assert_eq!(
        taken(&mut remotes, "::ffff:192.0.2.9", 40_000),
        Err(Unfit::Mapped)
    );
    assert_eq!(taken(&mut remotes, "2001:db8::9", 40_000), Ok(()));
    remotes.forget();
    assert_eq!(taken(&mut remotes, "192.0.2.9", 40_000), Ok(()));
}

#[test]
fn of_a_flood_of_candidates_no_more_are_taken_than_anybody_has() {
    let mut remotes = abroad();
    let taken = (0..1000)
        .filter(|number| taken(&mut remotes, "198.51.100.7", 10_000 + number).is_ok())
        .count();
    assert_eq!(taken, MOST);
}

#[test]
fn what_nobody_can_be_at_is_not_checked() {
    for (address, port, why) in [
        ("0.0.0.0", 40_000, Unfit::Nowhere),
        ("::", 40_000, Unfit::Nowhere),
        ("224.0.0.251", 40_000, Unfit::Nowhere),
        ("ff02::fb", 40_000, Unfit::Nowhere),
        ("255.255.255.255", 40_000, Unfit::Nowhere),
        ("127.0.0.1", 40_000, Unfit::Nowhere),
        ("::1", 40_000, Unfit::Nowhere),
        ("::ffff:127.0.0.1", 40_000, Unfit::Nowhere),
        ("192.0.2.9", 53, Unfit::Nowhere),
        ("192.0.2.9", 0, Unfit::Nowhere),
        ("192.0.2.9", 99_999, Unfit::Unreadable),
        ("victim.example", 40_000, Unfit::Name),
        ("5a6e9f0c-3f52-4a57-8d5c-b0b5cf0f3f4e.local", 40_000, Unfit::Name),
    ] {
        assert_eq!(taken(&mut abroad(), address, port), Err(why), "{address}:{port}");
    }
    for (line, why) in [
        ("", Unfit::Unreadable),
        ("candidate:1 1 udp 1 192.0.2.9", Unfit::Unreadable),
        (
            "candidate:1 2 udp 1 192.0.2.9 40000 typ host",
            Unfit::OtherComponent,
        ),
        (
            "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active",
            Unfit::OtherTransport,
        ),
    ] {
        assert_eq!(abroad().take(line), Err(why), "{line}");
    }
}

#[test]
fn this_machine_is_checked_where_we_are_reached_on_it_only() {
    let mut alone = Remotes::new(&["127.0.0.1:5000".parse().expect("an address")]);
    assert_eq!(taken(&mut alone, "127.0.0.1", 40_000), Ok(()));
    assert_eq!(taken(&mut alone, "::1", 40_000), Ok(()));
}

fn of_kind(remotes: &mut Remotes, kind: &str, number: u32) -> Result<(), Unfit> {
    let (ip, port) = (format!("198.51.100.{}", number / 1000), 10_000 + number);
    remotes.take(&format!(
        "candidate:1 1 udp 1 {ip} {port} typ {kind} raddr 0.0.0.0 rport 0"
    ))
}

/// How many are taken of as many as this, one after the other.
fn taken_of(remotes: &mut Remotes, kind: &str, numbers: std::ops::Range<u32>) -> usize {
    numbers
        .filter(|number| of_kind(remotes, kind, *number).is_ok())
        .count()
}

/// The kinds of those that are checked, and how many of each.
fn checked(remotes: &Remotes) -> [usize; 3] {
    [Kind::Host, Kind::Reflexive, Kind::Relayed]
        .map(|kind| remotes.checked().filter(|remote| remote.kind == kind).count())
}

#[test]
fn whatever_comes_first_each_kind_has_its_places() {
    let kinds = [("host", 0), ("srflx", 1000), ("relay", 2000)];
    for first in kinds {
        let mut remotes = abroad();
        assert_eq!(taken_of(&mut remotes, first.0, first.1..first.1 + 100), MOST);
        for (kind, from) in kinds.into_iter().filter(|kind| *kind != first) {
            assert_eq!(taken_of(&mut remotes, kind, from..from + 100), RESERVED);
        }
        let mut counts = checked(&remotes);
        counts.sort_unstable();
        assert_eq!(counts, [RESERVED, RESERVED, MOST - 2 * RESERVED]);
        assert_eq!(
            taken_of(&mut remotes, first.0, 5000..5100),
            0,
            "nobody comes back"
        );
    }
}

#[test]
fn who_has_few_addresses_of_each_kind_has_all_of_them_checked() {
    let mut remotes = abroad();
    for (kind, from, count) in [("host", 0, 14), ("srflx", 1000, 7), ("relay", 2000, 3)] {
        let all = taken_of(&mut remotes, kind, from..from + count);
        assert_eq!(all, usize::try_from(count).expect("few"));
    }
    assert_eq!(checked(&remotes), [14, 7, 3]);
    assert!(remotes.known.iter().all(|remote| !remote.is_retired));
}

#[test]
fn the_newest_from_which_nothing_came_gives_way() {
    let mut remotes = abroad();
    taken_of(&mut remotes, "host", 0..24);
    let address = |number: u16| SocketAddr::from(([198, 51, 100, 0], 10_000 + number));
    remotes.hear(address(23));
    remotes.hear(address(22));
    assert_eq!(of_kind(&mut remotes, "relay", 2000), Ok(()));
    let retired = (0..24).filter(|number| remotes.is_retired(address(*number)));
    assert_eq!(retired.collect::<Vec<_>>(), [21]);
    // It is there after all.
    remotes.hear(address(21));
    assert!(!remotes.is_retired(address(21)));
    for number in 0..24 {
        remotes.hear(address(number));
    }
    assert_eq!(of_kind(&mut remotes, "relay", 2001), Err(Unfit::TooMany));
}

#[test]
fn what_the_core_is_given_is_bounded_until_a_restart() {
    let mut remotes = abroad();
    for turn in 0..10 {
        for (kind, from) in [("host", 0), ("srflx", 1000), ("relay", 2000)] {
            taken_of(&mut remotes, kind, from + 30 * turn..from + 30 * (turn + 1));
        }
    }
    assert_eq!(remotes.known.len(), MOST_GIVEN);
    assert_eq!(remotes.checked().count(), MOST);
    remotes.forget();
    assert_eq!(taken_of(&mut remotes, "host", 0..100), MOST);
}

#[test]
fn a_viewer_is_where_its_first_address_is_that_is_its_own() {
    let lines: Vec<_> = [
        "candidate:1 1 udp 1 5a6e9f0c-3f52-4a57-8d5c-b0b5cf0f3f4e.local 40000 typ host",
        "candidate:1 1 udp 1 203.0.113.1 40000 typ relay raddr 0.0.0.0 rport 0",
        "candidate:1 1 udp 1 198.51.100.7 40000 typ srflx raddr 0.0.0.0 rport 0",
        "candidate:1 1 udp 1 192.0.2.9 40000 typ host",
    ]
    .map(str::to_owned)
    .into();
    let first = Some(IpAddr::from([198, 51, 100, 7]));
    assert_eq!(first_named(&lines), first);
    let mut remotes = abroad();
    for line in &lines {
        let _ = remotes.take(line);
    }
    assert_eq!(remotes.first(), first);
    assert_eq!(first_named(&lines[..2]), None);
}
