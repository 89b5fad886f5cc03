use std::time::Duration;

use rtc::crypto::AeadAlgorithm;

use super::*;

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_monotonic(Duration::from_millis(milliseconds))
}

#[test]
fn numbers_do_not_begin_anew_while_a_viewer_connects() {
    let firsts: Vec<_> = (0..1000).map(|_| first_number()).collect();
    assert!(firsts.iter().all(|first| *first < 1 << 15));
    assert!(firsts.iter().any(|first| *first >= 1 << 14), "by chance");
}

#[test]
fn a_header_is_the_one_that_the_core_would_write() {
    use rtc::shared::marshal::Marshal;
    let mut rtp = Rtp::new(96, 90_000);
    for number in [5, 0xffff, 0x1_0000, 0x3_1234] {
        rtp.next = number;
        for marker in [false, true] {
            let place = rtp.place(at(number), marker, 3, None);
            let packet = rtp.packet(place, &Bytes::from_static(b"abc"));
            let marshalled = packet.marshal().expect("a packet");
            assert_eq!(&marshalled[..HEADER], rtp.header(place).as_slice(), "{number}");
            assert_eq!(u64::from(place.roll_over()), place.number >> 16);
        }
    }
    assert_eq!((rtp.packets(), rtp.bytes()), (8, 24));
}

#[test]
fn an_extension_is_the_one_that_the_core_would_read() {
    use rtc::shared::marshal::Unmarshal;
    let mut rtp = Rtp::new(96, 90_000);
    assert!(rtp.extend(Some(5)) && !rtp.extend(Some(5)));
    let place = rtp.place(at(1), true, 3, Some(0x3_1234));
    let packet = [rtp.header(place).as_slice(), b"abc"].concat();
    let read = Packet::unmarshal(&mut &packet[..]).expect("a packet");
    assert_eq!(read.header.get_extension(5).as_deref(), Some(&[0x12, 0x34][..]));
    assert_eq!(
        (read.header.extensions.len(), &read.payload[..]),
        (1, &b"abc"[..])
    );
    assert!(!rtp.is_numbered(), "the core seals it");
    let plain = rtp.header(Place { wide: None, ..place });
    assert_eq!(plain.as_slice().len(), HEADER);
    assert!(rtp.extend(None));
    assert_eq!(
        rtp.header(place).as_slice(),
        plain.as_slice(),
        "the viewer reads none"
    );
}

#[test]
fn a_stream_is_ours_only_where_its_first_packet_came_out_as_we_would_have_made_it() {
    let sealer = |key| Sealer::gcm(AeadAlgorithm::Aes128Gcm, &[key; 16], [3; 12]).expect("a key");
    let given = |rtp: &mut Rtp| {
        let place = rtp.place(at(1), true, 3, None);
        rtp.packet(place, &Bytes::from_static(b"abc"));
        let mut sealed = [rtp.header(place).as_slice(), b"abc", &[0; 16]].concat();
        assert!(rtp.is_proving() && sealer(1).seal(&mut sealed, 0));
        sealed
    };
    for (ours, is_ours) in [(Some(sealer(1)), true), (Some(sealer(2)), false), (None, false)] {
        let mut rtp = Rtp::new(96, 90_000);
        let sealed = given(&mut rtp);
        rtp.prove(ours.as_ref(), &sealed);
        rtp.was_proved();
        assert_eq!((rtp.is_ours(), rtp.is_proving()), (is_ours, false));
        let place = rtp.place(at(2), true, 3, None);
        rtp.packet(place, &Bytes::from_static(b"abc"));
        assert!(!rtp.is_proving(), "once is enough");
    }
    let mut rtp = Rtp::new(96, 90_000);
    let sealed = given(&mut rtp);
    rtp.prove(Some(&sealer(1)), &sealed[..sealed.len() - 6]);
    assert!(!rtp.is_ours(), "another profile's tag is shorter");
    let mut rtp = Rtp::new(96, 90_000);
    given(&mut rtp);
    rtp.was_proved();
    given(&mut rtp);
}

#[test]
fn a_sequence_number_is_the_newest_that_ends_so() {
    let mut rtp = Rtp::new(96, 90_000);
    rtp.next = 0x2_0005;
    assert_eq!(rtp.number(4), Some(0x2_0004));
    assert_eq!(rtp.number(5), None, "it is still to come");
    assert_eq!(rtp.number(0xffff), Some(0x1_ffff));
    rtp.next = 3;
    assert_eq!(rtp.number(2), Some(2));
    assert_eq!(rtp.number(4), None, "there was none");
}

#[test]
fn time_stamps_follow_the_clock() {
    let mut rtp = Rtp::new(96, 90_000);
    let mut stamp = |milliseconds| {
        let place = rtp.place(at(milliseconds), true, 0, None);
        rtp.timestamp(place)
    };
    let (one, other) = (stamp(1000), stamp(1040));
    assert_eq!(other.wrapping_sub(one), 3600, "40 ms at 90 kHz");
}
