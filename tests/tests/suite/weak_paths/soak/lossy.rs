//! Paths that lose packets by chance.

use std::time::Duration;

use pinhole_e2e::path::Conditions;
use pinhole_e2e::skip::{Need, skipped};
use serde_json::json;

use super::super::course::{Course, Table};
use super::super::place::{Place, Told, is_live, page, raw_camera, while_asking, with_tone};
use super::{MINUTE, SETTLED};

/// A minute on this path, seen and heard.
fn minute(table: &Table, conditions: Conditions) -> (Course, Told) {
    let place = Place::new(&with_tone(&raw_camera()), &[conditions]);
    let mut page = page(&place.fars[0]);
    page.ask("watch", json!({"camera": "porch"}));
    is_live(&mut page);
    page.ask("press", json!({"on": "#sound"}));
    let (course, told) = while_asking(&place.near, || {
        Course::read(page.ask("course", json!({"seconds": MINUTE})))
    });
    table.tells("share of sound concealed", course.rest["concealed"].clone());
    table.tells("kbit/s", course.number("kbps"));
    let (_, last) = told.0.last().expect("it was asked");
    let viewer = &last["viewers"][0];
    table.tells("asked for again, packets", viewer["nacked"].clone());
    table.tells("keyframes asked for", viewer["keyframe_requests"].clone());
    (course, told)
}

/// The share of the node's answers by which a viewer was sent everything.
fn whole(told: &Told) -> f64 {
    let settled = told.0.iter().filter(|(at, _)| at.as_secs_f64() > SETTLED);
    let (all, whole) = settled.fold((0.0, 0.0), |(all, whole), (_, status)| {
        let viewer = &status["viewers"][0];
        let is_whole = viewer["rung"] == "full" && viewer["halved"] == false;
        (all + 1.0, whole + f64::from(u8::from(is_whole)))
    });
    whole / all
}

#[test]
fn three_in_a_hundred() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("3 % loss, 40 ms");
    let (course, told) = minute(&table, Conditions::lossy(0.03, Duration::from_millis(40)));
    table.at_least("pictures a second", course.rate(SETTLED, MINUTE), 28.0);
    table.at_most("longest freeze, s", course.longest_gap(SETTLED, MINUTE), 0.4);
    table.tells("latest pictures, 95 %, ms", course.extra_delay(SETTLED, 0.95));
    table.at_least("share of the time with the whole picture", whole(&told), 0.95);
    table.end();
}

/// Five packets in a hundred lost, on a way of 200 ms; some are late, and whether they are overtaken then is said by `reorders`.
fn long_way(table: &mut Table, reorders: bool, holds: f64) {
    /// The longest freeze that is asked for.
    const ASKED: f64 = 0.8;
    let conditions = Conditions {
        jitter: Duration::from_millis(20),
        reorders,
        ..Conditions::lossy(0.05, Duration::from_millis(200))
    };
    let (course, told) = minute(table, conditions);
    table.tells("pictures a second", course.rate(SETTLED, MINUTE));
    let longest = course.longest_gap(SETTLED, MINUTE);
    if holds > ASKED {
        table.at_most_for_now("longest freeze, s", longest, ASKED, holds);
    } else {
        table.at_most("longest freeze, s", longest, ASKED);
    }
    table.tells("latest pictures, 95 %, ms", course.extra_delay(SETTLED, 0.95));
    table.tells("share of the time with the whole picture", whole(&told));
}

#[test]
fn five_in_a_hundred_on_a_long_way() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("5 % loss, 200 ms, 20 ms jitter");
    long_way(&mut table, false, 0.8);
    table.end();
}

#[test]
fn five_in_a_hundred_on_a_long_way_on_which_packets_are_overtaken() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("5 % loss, 200 ms, 20 ms jitter, out of order");
    long_way(&mut table, true, 0.8);
    table.end();
}

#[test]
fn one_in_ten() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("10 % loss, 40 ms");
    let (course, told) = minute(&table, Conditions::lossy(0.1, Duration::from_millis(40)));
    table.tells("pictures a second", course.rate(SETTLED, MINUTE));
    table.tells("longest freeze, s", course.longest_gap(SETTLED, MINUTE));
    table.tells("latest pictures, 95 %, ms", course.extra_delay(SETTLED, 0.95));
    table.at_least("share of the time with the whole picture", whole(&told), 0.95);
    // A tone is no voice, and Opus makes copies of voices only; RED is not spoken yet.
    table.at_most_for_now("share of sound concealed", course.number("concealed"), 0.02, 0.12);
    table.end();
}
