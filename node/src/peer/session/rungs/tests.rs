use std::time::Duration;

use super::*;

const RATES: Rates = Rates {
    whole: Bitrate::from_bps(2_000_000),
    base: Bitrate::from_bps(1_200_000),
};

/// Looks, until nothing more comes of it, and tells what did.
fn settle(rungs: &mut Rungs, now: &mut Instant, carries: Option<u64>, offered: Offered) -> Vec<Change> {
    let verdict = Verdict {
        carries: carries.map(Bitrate::from_bps),
        is_full: false,
        ..Verdict::default()
    };
    let mut look = || {
        *now += Duration::from_millis(100);
        rungs.look(verdict, offered, true, None, *now)
    };
    (0..40).filter_map(|_| look()).collect()
}

fn top(has_small: bool) -> Offered {
    Offered {
        rung: Rung::TOP,
        rates: Some(RATES),
        has_small,
    }
}

#[test]
fn the_whole_picture_goes_on_with_its_base_until_the_small_one_begins_and_back() {
    let (mut rungs, mut now) = (Rungs::default(), Instant::now());
    assert!(settle(&mut rungs, &mut now, None, top(true)).is_empty());
    assert!(rungs.takes(Layer::Upper) && !rungs.is_thinned() && rungs.share(true).is_none());
    let changes = settle(&mut rungs, &mut now, Some(700_000), top(true));
    assert_eq!(changes, [Change::Wanted(Rung::SMALL)]);
    assert_eq!((rungs.rung(), rungs.next()), (Rung::TOP, Some(Rung::SMALL)));
    assert!(rungs.takes(Layer::Base) && !rungs.takes(Layer::Upper) && rungs.is_thinned());
    rungs.begin(Rung::SMALL);
    assert!(rungs.takes(Layer::Upper), "a quarter of the whole fits");
    assert_eq!(rungs.share(true).map(Bitrate::bps), Some(545_000));
    let small = Offered {
        rung: Rung::SMALL,
        rates: None,
        has_small: true,
    };
    let changes = settle(&mut rungs, &mut now, Some(3_000_000), small);
    assert_eq!(changes, [Change::Wanted(Rung::TOP)]);
    assert!(rungs.takes(Layer::Upper), "all of it until then");
    let changes = settle(&mut rungs, &mut now, Some(700_000), small);
    assert_eq!(changes, [Change::Unwanted(Rung::TOP)]);
    assert_eq!((rungs.rung(), rungs.next()), (Rung::SMALL, None));
}

#[test]
fn without_a_small_one_there_are_the_layers() {
    let (mut rungs, mut now) = (Rungs::default(), Instant::now());
    assert!(settle(&mut rungs, &mut now, Some(300_000), top(false)).is_empty());
    assert!(rungs.is_thinned() && !rungs.takes(Layer::Upper));
}

#[test]
fn a_small_one_that_is_not_made_any_more_gives_way() {
    let (mut rungs, mut now) = (Rungs::default(), Instant::now());
    assert!(!rungs.fall_back(), "it is not sent that");
    settle(&mut rungs, &mut now, Some(700_000), top(true));
    rungs.begin(Rung::SMALL);
    assert!(rungs.fall_back() && !rungs.fall_back());
    assert_eq!(rungs.next(), Some(Rung::TOP));
    assert!(
        settle(&mut rungs, &mut now, Some(700_000), top(false)).is_empty(),
        "nor wanted"
    );
    assert_eq!(rungs.next(), Some(Rung::TOP));
}

#[test]
fn who_wants_the_small_one_gets_it_where_there_is_one_and_is_not_thinned() {
    let (mut rungs, mut now) = (Rungs::default(), Instant::now());
    rungs.want(Rung::SMALL);
    assert!(settle(&mut rungs, &mut now, None, top(false)).is_empty());
    assert!(rungs.takes(Layer::Upper));
    let changes = settle(&mut rungs, &mut now, None, top(true));
    assert_eq!(changes, [Change::Wanted(Rung::SMALL)]);
    rungs.begin(Rung::SMALL);
    let small = Offered {
        rung: Rung::SMALL,
        rates: Some(RATES),
        has_small: true,
    };
    assert!(settle(&mut rungs, &mut now, None, small).is_empty());
    assert!(rungs.takes(Layer::Upper) && !rungs.is_thinned());
    // A narrow path takes its upper layer, and a wish for more brings nothing back.
    settle(&mut rungs, &mut now, Some(900_000), small);
    assert!(!rungs.takes(Layer::Upper));
    rungs.want(Rung::TOP);
    let changes = settle(&mut rungs, &mut now, None, small);
    assert_eq!(changes, [Change::Wanted(Rung::TOP)]);
}
