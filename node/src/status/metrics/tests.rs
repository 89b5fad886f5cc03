use std::collections::{BTreeMap, BTreeSet};

use super::super::sources::samples::{self, Samples};
use super::*;
use crate::voice;

/// Name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

/// A page of OpenMetrics, read strictly: families with their types, and samples with their labels.
#[derive(Debug, Default)]
struct Read {
    kinds: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

impl Read {
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is = |sample: &Sample| {
            sample.0 == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.1.iter().any(|(k, v)| k == key && v == value))
        };
        self.samples
            .iter()
            .find(|sample| is(sample))
            .map(|sample| sample.2)
    }
}

/// Reads a page as its grammar wants it, and panics with the line otherwise.
/// <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>
fn read(page: &str) -> Read {
    let body = page.strip_suffix("# EOF\n").expect("the end mark");
    let mut read = Read::default();
    let mut family = (String::new(), String::new());
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.is_empty() && !read.kinds.contains_key(name), "{line}");
                family = (name.to_owned(), String::new());
            }
            ["#", "TYPE", name, kind] => {
                assert_eq!(name, family.0, "{line}");
                assert!(
                    ["gauge", "counter", "histogram", "info"].contains(&kind),
                    "{line}"
                );
                family.1 = kind.to_owned();
                read.kinds.insert(name.to_owned(), kind.to_owned());
            }
            ["#", "UNIT", name, unit] => {
                assert!(name == family.0 && name.ends_with(&format!("_{unit}")), "{line}");
            }
            _ => {
                let (name, labels, value) = sample(line);
                let suffix = name
                    .strip_prefix(family.0.as_str())
                    .unwrap_or_else(|| panic!("{line}"));
                let allowed: &[&str] = match family.1.as_str() {
                    "gauge" => &[""],
                    "counter" => &["_total"],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    other => panic!("{other}: {line}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
                assert!(value.is_finite() && (value >= 0.0), "{line}");
                read.samples.push((name, labels, value));
            }
        }
    }
    read
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    assert!(
        name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()),
        "{line}"
    );
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(key.chars().all(plain), "{line}");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().unwrap_or_else(|| panic!("{line}")) {
                    (at, '"') => break at,
                    (_, '\\') => match characters.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('\\' | '"'))) => value.push(c),
                        other => panic!("{other:?} in {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            labels.push((key.to_owned(), value));
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    (
        name.to_owned(),
        labels,
        value.parse().unwrap_or_else(|_| panic!("{line}")),
    )
}

fn page(samples: &Samples) -> String {
    metrics(samples.snapshot(&[]), Process::now(), Format::OpenMetrics)
}

/// Reads a page in Prometheus' text format 0.0.4: each family is called as its samples are.
fn read_text(page: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    let (mut family, mut kind) = ("", "");
    for line in page.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", name, _] => (family, kind) = (name, ""),
            ["#", "TYPE", name, is] => {
                assert!(
                    name == family && ["gauge", "counter", "histogram"].contains(&is),
                    "{line}"
                );
                kind = is;
            }
            ["#", ..] => panic!("{line}"),
            _ => {
                let sample = sample(line);
                let suffix = sample.0.strip_prefix(family);
                let suffix = suffix.unwrap_or_else(|| panic!("{family}: {line}"));
                let is_right = match kind {
                    "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                    _ => suffix.is_empty(),
                };
                assert!(is_right, "{kind}: {line}");
                samples.push(sample);
            }
        }
    }
    samples
}

#[test]
fn both_formats_tell_the_same() {
    let mut samples = Samples::default();
    samples.camera(samples::live());
    samples
        .report
        .viewers
        .push(samples::viewer(4, "a \"b\"\\\n# EOF"));
    // Not the process itself: it takes time meanwhile.
    let page = |format| metrics(samples.snapshot(&[]), None, format);
    let open_metrics = read(&page(Format::OpenMetrics)).samples;
    assert!(open_metrics.len() > 50);
    assert_eq!(read_text(&page(Format::Text)), open_metrics);
}

#[test]
fn a_page_with_everything_is_read_back() {
    let mut samples = Samples::default();
    samples.sign_in();
    samples.camera(samples::live());
    samples.account().frames.add(2700);
    samples.account().missed.add(3);
    let line = samples
        .account()
        .line(crate::media::Rendition::top(crate::media::Codec::H264));
    line.units.add(2699);
    for microseconds in [100, 900, 1100, 7_000_000] {
        line.encoded
            .record(std::time::Duration::from_micros(microseconds));
    }
    samples.figures.ended(crate::peer::Ending::HungUp).add(5);
    samples.report.viewers.push(samples::viewer(4, "John"));
    let read = read(&page(&samples));
    let value = |name: &str, labels: &[(&str, &str)]| read.value(name, labels);
    assert_eq!(
        value("pinhole_build_info", &[("version", env!("CARGO_PKG_VERSION"))]),
        Some(1.0)
    );
    assert_eq!(value("pinhole_uptime_seconds", &[]), Some(61.5));
    assert_eq!(value("pinhole_health", &[("state", "ok")]), Some(1.0));
    assert_eq!(value("pinhole_health", &[("state", "degraded")]), Some(0.0));
    assert_eq!(value("pinhole_signed_in", &[]), Some(1.0));
    assert_eq!(value("pinhole_camera_state", &[("state", "live")]), Some(1.0));
    assert_eq!(value("pinhole_camera_frames_total", &[]), Some(2700.0));
    assert_eq!(
        value("pinhole_camera_dropped_frames_total", &[("reason", "missed")]),
        Some(3.0)
    );
    assert_eq!(
        value("pinhole_encoded_frames_total", &[("codec", "H.264")]),
        Some(2699.0)
    );
    assert_eq!(
        value("pinhole_encoded_frames_total", &[("codec", "VP8")]),
        Some(0.0)
    );
    let small = [("codec", "H.264"), ("rung", "small")];
    assert_eq!(value("pinhole_encoded_frames_total", &small), Some(0.0));
    assert_eq!(
        value("pinhole_sessions_ended_total", &[("reason", "hung_up")]),
        Some(5.0)
    );
    let viewer = [("session", "4"), ("viewer", "John")];
    assert_eq!(
        value("pinhole_viewer_bitrate_bytes_per_second", &viewer),
        Some(250_000.0)
    );
    assert_eq!(value("pinhole_viewer_round_trip_seconds", &viewer), Some(0.0125));
    assert_eq!(value("pinhole_viewer_latency_seconds", &viewer), Some(0.087));
    assert_eq!(value("pinhole_viewer_loss_ratio", &viewer), Some(0.25));
    let stage = [("stage", "encode"), ("codec", "H.264")];
    let bucket = |le| {
        value(
            "pinhole_stage_duration_seconds_bucket",
            &[&stage[..], &[("le", le)]].concat(),
        )
    };
    assert_eq!(
        (bucket("0.0002"), bucket("0.001"), bucket("0.5")),
        (Some(1.0), Some(2.0), Some(3.0))
    );
    assert_eq!(
        bucket("+Inf"),
        value("pinhole_stage_duration_seconds_count", &stage)
    );
    assert!(value("process_resident_memory_bytes", &[]) > Some(1e6));
}

#[test]
fn a_camera_that_has_a_name_is_told_apart_by_it() {
    let samples = Samples::of(&[None, Some("garden")]);
    samples.cameras[1].sign_in();
    samples.cameras[1].source.account.frames.add(7);
    let page = page(&samples);
    let read = read(&page);
    let garden = [("camera", "garden")];
    assert_eq!(read.value("pinhole_camera_frames_total", &garden), Some(7.0));
    assert_eq!(read.value("pinhole_signed_in", &garden), Some(1.0));
    for plain in ["pinhole_camera_frames_total 0.0", "pinhole_signed_in 0.0"] {
        assert!(page.lines().any(|line| line == plain), "{plain} is not in {page}");
    }
}

#[test]
fn what_a_slow_machine_gives_up_is_told() {
    let samples = Samples::default();
    samples.account().left_out.add(30);
    samples.account().steps_down.add(2);
    samples.account().gives_up(Some(samples::overload()));
    let read = read(&page(&samples));
    assert_eq!(read.value("pinhole_overload_level", &[]), Some(1.0));
    let steps = |direction| read.value("pinhole_overload_steps_total", &[("direction", direction)]);
    assert_eq!((steps("down"), steps("up")), (Some(2.0), Some(0.0)));
    assert_eq!(
        read.value("pinhole_camera_dropped_frames_total", &[("reason", "overload")]),
        Some(30.0)
    );
}

#[test]
fn a_name_can_not_break_out_of_its_label() {
    let mut samples = Samples::default();
    let name = "a\\\"} 1\n# EOF\npinhole_signed_in 7\\";
    samples.report.viewers.push(samples::viewer(1, name));
    let read = read(&page(&samples));
    assert_eq!(
        read.value("pinhole_viewer_sent_bytes_total", &[("viewer", name)]),
        Some(22_500_000.0)
    );
    assert_eq!(read.value("pinhole_signed_in", &[]), Some(0.0));
}

#[test]
fn two_viewers_of_one_name_are_two_and_none_leaves_nothing() {
    let mut samples = Samples::default();
    for session in [1, 2] {
        samples.report.viewers.push(samples::viewer(session, "same"));
    }
    let count = |page: &str| {
        page.lines()
            .filter(|line| line.starts_with("pinhole_viewer_sent_bytes_total"))
            .count()
    };
    let with = page(&samples);
    assert_eq!(count(&with), 2);
    read(&with);
    samples.report.viewers.clear();
    let without = page(&samples);
    read(&without);
    assert!(!without.contains("session="), "{without}");
}

#[test]
fn somebody_talks_and_nobody_did() {
    let mut samples = Samples::default();
    assert!(!page(&samples).contains("speaker"), "there is none");
    samples.speaker = voice::Account::talking();
    let read = read(&page(&samples));
    for (name, labels, value) in [
        ("pinhole_speaker_state", &[("state", "playing")][..], 1.0),
        ("pinhole_speaker_state", &[("state", "idle")], 0.0),
        ("pinhole_voice_concealed_packets_total", &[], 3.0),
        ("pinhole_voice_mouth_to_ear_median_seconds", &[], 0.062),
        ("pinhole_talker_level_ratio", &[("session", "5")], 0.1),
        ("pinhole_talker_jitter_buffer_seconds", &[("session", "5")], 0.04),
    ] {
        let found = read.value(name, labels).expect(name);
        assert!((found - value).abs() < 1e-6, "{name}: {found}");
    }
}

#[test]
fn what_a_viewer_has_not_told_yet_is_left_out() {
    let mut samples = Samples::default();
    let mut viewer = samples::viewer(1, "new");
    (viewer.reception, viewer.round_trip, viewer.bits_per_second) = (None, None, None);
    viewer.latency = None;
    samples.report.viewers.push(viewer);
    let read = read(&page(&samples));
    assert_eq!(read.value("pinhole_viewer_loss_ratio", &[]), None);
    assert_eq!(read.value("pinhole_viewer_round_trip_seconds", &[]), None);
    assert_eq!(read.value("pinhole_viewer_latency_seconds", &[]), None);
    assert!(read.value("pinhole_viewer_sent_packets_total", &[]).is_some());
}

#[test]
fn every_metric_is_explained_and_every_explained_one_exists() {
    let samples = Samples {
        speaker: voice::Account::talking(),
        ..Samples::default()
    };
    let page = page(&samples);
    let there: BTreeSet<String> = read(&page)
        .kinds
        .into_iter()
        .map(|(name, kind)| match kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name,
        })
        .collect();
    let manual = include_str!("../../../../docs/status.md");
    let explained: BTreeSet<String> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .filter(|name| name.starts_with("pinhole_") || name.starts_with("process_"))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(explained, there);
}
