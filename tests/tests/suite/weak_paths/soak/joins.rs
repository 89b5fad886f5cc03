//! How soon the first picture is there.

use std::time::Duration;

use pinhole_e2e::path::Conditions;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::server_url;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::{Viewer, view};
use serde_json::{Value, json};

use super::super::course::{Table, percentile};
use super::super::place::{Place, encoding_camera, page, raw_camera};

/// How many come.
const JOINS: usize = 20;

/// From the click to the first picture of each who comes to this page, in seconds; somebody else watches meanwhile.
fn clicks(place: &Place) -> Vec<f64> {
    let mut page = page(&place.fars[0]);
    let mut times = Vec::new();
    for join in 0..JOINS {
        page.ask("open", json!({"url": server_url()}));
        // At another place in the camera's group of pictures each time.
        std::thread::sleep(Duration::from_millis(170 * (join as u64 % 12)));
        let answer = page.ask("first_frame", json!({"camera": "porch"}));
        times.push(answer["ms"].as_f64().expect("a time") / 1000.0);
        page.ask("leave", json!({}));
    }
    times
}

fn tells(table: &mut Table, who: &str, times: &mut [f64], asked: f64) {
    table.at_most(
        &format!("{who}: first picture, median, s"),
        percentile(times, 0.5),
        asked,
    );
    table.tells(
        &format!("{who}: first picture, the latest, s"),
        percentile(times, 1.0),
    );
}

#[test]
fn under_loss() {
    if skipped(Need::Network) {
        return;
    }
    let place = Place::new(
        &raw_camera(),
        &[Conditions::lossy(0.03, Duration::from_millis(40))],
    );
    let _watches = Viewer::watch(&place.near, &server_url(), "porch", &[], SOON);
    let mut table = Table::of("3 % loss, 40 ms");
    let mut times = clicks(&place);
    tells(&mut table, "Chromium", &mut times, 1.0);
    table.end();
}

#[test]
fn of_a_camera_that_encodes() {
    if skipped(Need::Network) {
        return;
    }
    let place = Place::new(&encoding_camera(), &[Conditions::GOOD]);
    let _watches = Viewer::watch(&place.near, &server_url(), "porch", &[], SOON);
    let mut table = Table::of("good path, camera that encodes, keyframes every 2 s");
    let mut times = clicks(&place);
    tells(&mut table, "Chromium", &mut times, 1.0);
    let first = |join: u64| {
        std::thread::sleep(Duration::from_millis(170 * (join % 12)));
        let words = ["watch", "porch", "--json", "--seconds", "1"];
        let (_, said) = view(&place.fars[0], &server_url(), &words, SOON);
        let last = said
            .lines()
            .rfind(|line| line.starts_with("{\"summary\""))
            .expect("a summary");
        let summary: Value = serde_json::from_str(last).expect("JSON");
        let time = summary["summary"]["time_to_first_frame_ms"].as_f64();
        time.expect("a time") / 1000.0
    };
    let mut times: Vec<_> = (0..JOINS as u64).map(first).collect();
    tells(&mut table, "pinhole-view", &mut times, 1.0);
    table.end();
}
