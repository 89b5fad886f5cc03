//! A path that carries less than the camera gives, beside one that carries everything.

use pinhole_e2e::path::Conditions;
use pinhole_e2e::skip::{Need, skipped};
use serde_json::json;

use super::super::course::{Course, Table};
use super::super::place::{Place, is_live, page, raw_camera};
use super::{MINUTE, SETTLED};

#[test]
fn half_of_the_bits() {
    if skipped(Need::Network) {
        return;
    }
    let place = Place::new(&raw_camera(), &[Conditions::narrow(1_000_000)]);
    let (mut near, mut far) = (page(&place.near), page(&place.fars[0]));
    near.ask("watch", json!({"camera": "porch"}));
    is_live(&mut near);
    let mut table = Table::of("1 Mbit/s, queue of 200 ms");
    far.ask("watch", json!({"camera": "porch"}));
    let seen = far.begin("course", json!({"seconds": MINUTE}));
    let beside = near.ask("course", json!({"seconds": MINUTE}));
    let (seen, beside) = (Course::read(far.finish(seen)), Course::read(beside));
    table.at_least(
        "pictures a second from the 4th on",
        seen.rate(SETTLED, MINUTE),
        14.0,
    );
    table.tells("those of the slowest second", seen.slowest(SETTLED, MINUTE));
    table.at_most(
        "longest freeze after that, s",
        seen.longest_gap(SETTLED, MINUTE),
        0.5,
    );
    table.at_most("extra delay, 95 %, ms", seen.extra_delay(SETTLED, 0.95), 300.0);
    table.tells("kbit/s", seen.number("kbps"));
    table.tells("longest freeze before, s", seen.longest_gap(0.0, SETTLED));
    table.at_least(
        "beside it, on a good path: pictures a second",
        beside.rate(SETTLED, MINUTE),
        29.0,
    );
    table.at_least("beside it: kbit/s", beside.number("kbps"), 1_800.0);
    table.at_most(
        "beside it: longest freeze, s",
        beside.longest_gap(SETTLED, MINUTE),
        0.5,
    );
    table.end();
}
