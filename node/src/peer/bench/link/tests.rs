use super::*;

const BAD: Conditions = Conditions {
    loss: 0.1,
    delay: Duration::from_millis(50),
    jitter: Duration::from_millis(20),
    reordering: 0.05,
    duplication: 0.02,
    bottleneck: Some(Bottleneck {
        rate: 1_000_000,
        queue: 20_000,
    }),
};

/// A packet that carries its number.
fn packet(number: usize, length: usize) -> Datagram {
    let mut packet = vec![0; length];
    packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Datagram {
        viewer: ([198, 51, 100, 9], 40_000).into(),
        data: packet.into(),
    }
}

/// Sends packets of these conditions, one each `interval`; returns the numbers and times of what arrives, and the link.
fn sent(
    conditions: Conditions,
    seed: u64,
    packets: usize,
    interval: Duration,
) -> (Vec<(u64, Duration)>, Link) {
    let start = Instant::now();
    let mut link = Link::new(conditions, seed, start);
    for number in 0..packets {
        let now = start + interval * u32::try_from(number).expect("few");
        link.send(packet(number, 1000), now);
    }
    let mut arrived = Vec::new();
    while let Some(at) = link.next_arrival() {
        assert!(
            link.receive(at - Duration::from_nanos(1)).is_none(),
            "not before its time"
        );
        let packet = link.receive(at).expect("it has arrived");
        let number = u64::from_be_bytes(packet.data[..8].try_into().expect("eight bytes"));
        arrived.push((number, at - start));
    }
    assert!(link.is_empty());
    (arrived, link)
}

const SLOW: Duration = Duration::from_millis(10);

#[test]
fn a_seed_is_one_course_of_events() {
    let (one, first) = sent(BAD, 7, 2000, SLOW);
    let (same, second) = sent(BAD, 7, 2000, SLOW);
    let (other, third) = sent(BAD, 8, 2000, SLOW);
    assert_eq!((&one, first.events()), (&same, second.events()));
    assert_ne!(one, other);
    assert_ne!(first.events(), third.events());
}

#[test]
fn the_rates_hold_over_many_packets() {
    let (arrived, link) = sent(BAD, 1, 50_000, SLOW);
    let figures = link.figures();
    let share = |part: u64| part as f64 / 50_000.0;
    assert!((share(figures.lost) - 0.1).abs() < 0.01, "{figures:?}");
    assert!((share(figures.overtaken) - 0.045).abs() < 0.01, "{figures:?}");
    assert!((share(figures.duplicated) - 0.018).abs() < 0.005, "{figures:?}");
    assert_eq!(figures.refused, 0, "it is slow enough");
    assert_eq!(figures.arrived, arrived.len() as u64);
    assert_eq!(figures.arrived, figures.sent - figures.lost + figures.duplicated);
}

#[test]
fn no_packet_arrives_before_its_delay_or_after_jitter_and_queue() {
    let (arrived, _) = sent(BAD, 2, 5000, SLOW);
    for (number, at) in arrived {
        let took = at.saturating_sub(SLOW * u32::try_from(number).expect("few"));
        let most = BAD.delay + BAD.jitter + OVERTAKEN + SLOW;
        assert!(took >= BAD.delay && took <= most, "{number} took {took:?}");
    }
}

#[test]
fn the_bottleneck_holds_its_rate_and_the_queue_its_bound() {
    let bottleneck = BAD.bottleneck.expect("it has one");
    let conditions = Conditions {
        bottleneck: Some(bottleneck),
        ..Conditions::default()
    };
    // Eight times what gets through.
    let (arrived, link) = sent(conditions, 3, 8000, Duration::from_millis(1));
    let figures = link.figures();
    let lasted = arrived.last().expect("some arrive").1.as_secs_f64();
    let rate = arrived.len() as f64 * 1028.0 * 8.0 / lasted;
    assert!((rate - 1e6).abs() < 1e4, "{rate} bits a second");
    assert!(figures.longest_queue <= bottleneck.queue, "{figures:?}");
    assert!(figures.longest_queue > bottleneck.queue - 1028, "{figures:?}");
    assert_eq!(figures.refused + figures.arrived, 8000);
}

#[test]
fn order_is_kept_without_reordering_and_not_with_it() {
    let is_ordered = |reordering| {
        let conditions = Conditions { reordering, ..BAD };
        let (arrived, _) = sent(conditions, 4, 5000, Duration::from_millis(9));
        arrived.is_sorted_by_key(|(number, _)| *number)
    };
    assert!(is_ordered(0.0));
    assert!(!is_ordered(0.05));
}

#[test]
fn a_path_that_is_cut_and_mended_carries_again() {
    let start = Instant::now();
    let mut link = Link::new(Conditions::default(), 5, start);
    link.change(|conditions| conditions.loss = 1.0);
    link.send(packet(1, 100), start);
    assert!(link.is_empty());
    link.change(|conditions| conditions.loss = 0.0);
    link.send(packet(2, 100), start);
    assert!(link.receive(start).is_some());
}
