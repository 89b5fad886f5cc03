//! Ten viewers at once, each on another path.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::log::{Mark, loudly};
use pinhole_e2e::path::Conditions;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{SESSION_ENDED, server_url};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use serde_json::Value;

use super::super::course::Table;
use super::super::place::{Place, Told, encoding_camera, raw_camera, while_asking};
use super::MINUTE;

/// What the paths carry, in Mbit/s; three more carry everything.
const PATHS: [f64; 7] = [0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0];
const GOOD: usize = 3;
/// So much of a path is used at most.
const SHARE: f64 = 0.85;
/// The share of the time for which each is to be on its step.
const ASKED: f64 = 0.9;
/// Viewers on narrower paths, in bits a second, are not there yet: where ten come at the same moment a pinhole-view that carries up to 1.2 Mbit/s has no picture within
/// its 15 s, and hangs up; at 2 Mbit/s one goes up and down.
const SETTLES: f64 = 2.5e6;
/// From then on each is sent what its path carries, in seconds.
const SETTLED: u64 = 15;
/// Clock ticks in a second.
const HERTZ: f64 = 100.0;

/// What one can be sent, the best first.
const STEPS: [(&str, bool); 4] = [("full", false), ("full", true), ("small", false), ("small", true)];

/// What came of a minute.
struct Minute {
    told: Told,
    /// The sessions of the viewers, in the order of the paths.
    sessions: Vec<u64>,
    /// The node's, in seconds a second.
    cpu: f64,
}

fn viewers(status: &Value) -> &[Value] {
    status["viewers"].as_array().map_or(&[], Vec::as_slice)
}

/// As many come as there are paths, and are looked at for a minute.
fn minute(config: &str, conditions: &[Conditions]) -> Minute {
    let place = Place::new(config, conditions);
    let mut all = Vec::new();
    let mut sessions = Vec::new();
    for far in &place.fars {
        all.push(Viewer::call(
            far,
            &server_url(),
            "porch",
            &["--codec", "h264", "--interval", "5"],
            SOON,
        ));
        let newest = || {
            let status = place.status();
            let session = |viewer: &Value| {
                viewer["session"]
                    .as_u64()
                    .filter(|session| !sessions.contains(session))
            };
            viewers(&status).iter().find_map(session)
        };
        let session = eventually(SOON, newest).expect("it is there");
        sessions.push(session);
    }
    sleep(Duration::from_secs(SETTLED));
    let before = place.node.cpu_ticks();
    let ((), told) = while_asking(&place.near, || sleep(Duration::from_secs_f64(MINUTE)));
    let ended = place.node.log().since(Mark::default());
    for line in ended.iter().filter(|line| line.contains(SESSION_ENDED)) {
        loudly(line);
    }
    let cpu = (place.node.cpu_ticks() - before) as f64 / HERTZ / MINUTE;
    Minute { told, sessions, cpu }
}

fn step(viewer: &Value) -> Option<usize> {
    STEPS
        .iter()
        .position(|(rung, halved)| viewer["rung"] == *rung && viewer["halved"] == *halved)
}

/// For each answer of the node what it said of this session.
fn of(told: &Told, session: u64) -> impl Iterator<Item = (f64, &Value)> {
    told.0.iter().filter_map(move |(at, status)| {
        let viewer = viewers(status)
            .iter()
            .find(|viewer| viewer["session"] == session)?;
        Some((at.as_secs_f64(), viewer))
    })
}

/// What each step takes, with headers, in bits a second: of those who were on it, from one answer to the next.
fn takes(minute: &Minute) -> [Option<f64>; STEPS.len()] {
    /// What each datagram has besides: IP's and UDP's headers.
    const HEADERS: f64 = 28.0;
    let mut sums = [(0.0, 0.0); STEPS.len()];
    for session in &minute.sessions {
        let all: Vec<_> = of(&minute.told, *session).collect();
        for pair in all.windows(2) {
            let [(from, before), (to, after)] = pair else {
                continue;
            };
            let (Some(one), Some(other)) = (step(before), step(after)) else {
                continue;
            };
            let grown = |key: &str| after[key].as_f64().unwrap_or(0.0) - before[key].as_f64().unwrap_or(0.0);
            if one == other {
                sums[one].0 += (grown("bytes") + grown("packets") * HEADERS) * 8.0;
                sums[one].1 += to - from;
            }
        }
    }
    // A few seconds tell little.
    sums.map(|(bits, seconds)| (seconds > 10.0).then(|| bits / seconds))
}

fn conditions() -> Vec<Conditions> {
    let narrow = PATHS.map(|rate| Conditions::narrow((rate * 1e6) as u64));
    narrow.into_iter().chain([Conditions::GOOD; GOOD]).collect()
}

/// Ten different ones, and for the node's CPU ten that are alike.
fn measure(mut table: Table, config: &str, most: Option<f64>) {
    let minute_of_all = minute(config, &conditions());
    let takes = takes(&minute_of_all);
    let words = takes.map(|rate| rate.map_or("nobody".to_owned(), |rate| format!("{:.0}", rate / 1000.0)));
    table.tells("the steps take, kbit/s", words.join(", "));
    let carry = PATHS.iter().map(|rate| rate * 1e6).chain([f64::INFINITY; GOOD]);
    for (session, carries) in minute_of_all.sessions.iter().zip(carry) {
        let fits = takes
            .iter()
            .position(|rate| rate.is_some_and(|rate| rate <= carries * SHARE));
        let fits = fits.unwrap_or(STEPS.len() - 1);
        let steps: Vec<_> = of(&minute_of_all.told, *session)
            .filter_map(|(_, viewer)| step(viewer))
            .collect();
        let share = |is: &dyn Fn(usize) -> bool| {
            steps.iter().filter(|step| is(**step)).count() as f64 / steps.len() as f64
        };
        let shares: Vec<_> = (0..STEPS.len())
            .map(|step| format!("{:.2}", share(&|at| at == step)))
            .collect();
        table.tells(
            &format!("{} Mbit/s: shares of the steps", carries / 1e6),
            shares.join(", "),
        );
        let what = format!("{} Mbit/s: share of the time on step {fits}", carries / 1e6);
        let settled = share(&|at| at == fits);
        if carries < SETTLES && (settled.is_nan() || settled < ASKED) {
            table.owes(&what, settled, ASKED);
        } else {
            table.at_least(&what, settled, ASKED);
        }
    }
    let encoders = minute_of_all
        .told
        .0
        .iter()
        .map(|(_, status)| running(status))
        .max();
    table.at_most("encoders at once", encoders.unwrap_or(0) as f64, 2.0);
    let good = minute(config, &[Conditions::GOOD; PATHS.len() + GOOD]);
    table.tells(
        "CPU of the node, ten good paths, s a second",
        format!("{:.3}", good.cpu),
    );
    let ratio = minute_of_all.cpu / good.cpu;
    match most {
        Some(most) => table.at_most("CPU of the node, as a multiple of that", ratio, most),
        None => table.tells("CPU of the node, as a multiple of that", format!("{ratio:.2}")),
    }
    table.end();
}

/// How many encoders run.
fn running(status: &Value) -> usize {
    let cameras = status["cameras"].as_array().map_or(&[][..], Vec::as_slice);
    let encoders = cameras
        .iter()
        .flat_map(|camera| camera["encoders"].as_array().map_or(&[][..], Vec::as_slice));
    let runs = encoders.filter(|encoder| !encoder["encoder"].is_null());
    runs.map(|encoder| (encoder["codec"].to_string(), encoder["rung"].to_string()))
        .collect::<BTreeSet<_>>()
        .len()
}

#[test]
fn ten_paths_of_a_raw_camera() {
    if skipped(Need::Network) {
        return;
    }
    measure(Table::of("ten paths, raw camera"), &raw_camera(), Some(1.7));
}

#[test]
fn ten_paths_of_a_camera_that_encodes() {
    if skipped(Need::Network) {
        return;
    }
    measure(
        Table::of("ten paths, camera that encodes"),
        &encoding_camera(),
        None,
    );
}
