//! Paths that change, are cut, and a node that stands still.

use std::thread::sleep;
use std::time::{Duration, Instant};

use pinhole_e2e::path::{Conditions, Cut};
use pinhole_e2e::skip::{Need, skipped};
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::super::course::{Course, Table};
use super::super::place::{Place, encoding_camera, is_live, page, raw_camera, while_asking};
use super::SETTLED;

/// Of the whole picture, in points.
const WHOLE: f64 = 640.0;

/// What is done, after the second in which it is.
type Act<'a> = (f64, &'a dyn Fn(&Place));

/// What is seen while somebody does something at these seconds after the click on the camera.
fn course(place: &Place, seconds: f64, acts: &[Act<'_>]) -> Course {
    let mut page = page(&place.fars[0]);
    page.ask("watch", json!({"camera": "porch"}));
    is_live(&mut page);
    page.ask("frames", json!({"seconds": 3}));
    let start = Instant::now();
    let seen = page.begin("course", json!({"seconds": seconds}));
    for (at, act) in acts {
        sleep((start + Duration::from_secs_f64(*at)).saturating_duration_since(Instant::now()));
        act(place);
    }
    Course::read(page.finish(seen))
}

fn narrows(place: &Place) {
    place.paths[0].change(|conditions| conditions.rate = Some(700_000));
}

fn widens(place: &Place) {
    place.paths[0].change(|conditions| conditions.rate = Some(5_000_000));
}

#[test]
fn a_path_that_becomes_narrow_for_a_while() {
    if skipped(Need::Network) {
        return;
    }
    let place = Place::new(&raw_camera(), &[Conditions::narrow(5_000_000)]);
    let mut table = Table::of("5 Mbit/s, 0.7 for 20 s, 5 again");
    let acts: [Act<'_>; 2] = [(10.0, &narrows), (30.0, &widens)];
    let (course, told) = while_asking(&place.near, || course(&place, 60.0, &acts));
    let (at, longest) = course.longest_freeze(0.0, 60.0);
    table.tells(
        "the longest freeze began at, s (narrow from 10 to 30)",
        format!("{at:.2}"),
    );
    table.at_most_for_now("longest freeze, s", longest, 0.7, 1.5);
    for from in [9.0, 14.0, 30.0] {
        let (at, longest) = course.longest_freeze(from, if from == 9.0 { 14.0 } else { from + 16.0 });
        table.tells(
            "longest freeze from there on, s",
            format!("{from}: {longest:.2} at {at:.2}"),
        );
    }
    table.tells(
        "pictures a second while it is narrow",
        course.rate(10.0 + SETTLED, 30.0),
    );
    table.at_most(
        "full size again after the return, s",
        course.width_after(30.0, WHOLE),
        20.0,
    );
    // The node was asked from before the page was opened on.
    let end = told.0.last().map_or(0.0, |(at, _)| at.as_secs_f64());
    let full = told
        .0
        .iter()
        .rfind(|(_, status)| status["viewers"][0]["thinned"] == true);
    let returned = end - 30.0;
    let whole = full.map_or(0.0, |(at, _)| at.as_secs_f64()) - returned;
    table.at_most("all of its pictures again, s", whole, 20.0);
    table.end();
}

/// A cut of ten seconds.
fn cut(table: &mut Table, config: &str) {
    let place = Place::new(config, &[Conditions::lossy(0.0, Duration::from_millis(40))]);
    let acts: [Act<'_>; 2] = [
        (5.0, &|place| place.paths[0].cut(Cut::Media)),
        (15.0, &|place| place.paths[0].cut(Cut::Nothing)),
    ];
    let course = course(&place, 30.0, &acts);
    // Nothing has come since the cut.
    table.at_most("picture after the return, s", course.next_after(14.0) - 1.0, 0.8);
    table.tells(
        "longest freeze, s",
        format!("{:.2}", course.longest_gap(4.0, 20.0)),
    );
    table.tells("longest freeze after that, s", course.longest_gap(16.0, 30.0));
    table.tells("calls", course.number("calls"));
}

#[test]
fn a_cut_of_ten_seconds() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("cut for 10 s, raw camera");
    cut(&mut table, &raw_camera());
    table.end();
}

#[test]
fn a_cut_of_ten_seconds_from_a_camera_that_encodes() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("cut for 10 s, camera that encodes");
    cut(&mut table, &encoding_camera());
    table.end();
}

/// A node that stands still, three times.
fn stands_still(table: &mut Table, config: &str) {
    /// What a player may hold back besides.
    const SLACK: f64 = 0.1;
    for still in [0.3, 0.5] {
        let place = Place::new(config, &[Conditions::GOOD]);
        let stop = |place: &Place| {
            let node = place.node.pid();
            kill_process(node, Signal::STOP).expect("the node is there");
            sleep(Duration::from_secs_f64(still));
            kill_process(node, Signal::CONT).expect("the node is there");
        };
        let acts: [Act<'_>; 3] = [(4.0, &stop), (9.0, &stop), (14.0, &stop)];
        let course = course(&place, 20.0, &acts);
        table.at_most(
            &format!("longest freeze, of a node that stands still for {still} s, s"),
            course.longest_gap(2.0, 19.0),
            still + SLACK,
        );
        table.tells("pictures a second", course.rate(2.0, 19.0));
    }
}

#[test]
fn a_node_that_stands_still() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("node stopped, raw camera");
    stands_still(&mut table, &raw_camera());
    table.end();
}

#[test]
fn a_node_that_stands_still_with_a_camera_that_encodes() {
    if skipped(Need::Network) {
        return;
    }
    let mut table = Table::of("node stopped, camera that encodes");
    stands_still(&mut table, &encoding_camera());
    table.end();
}
