//! A snapshot as Prometheus and whatever else reads metrics takes it. docs/status.md lists the metrics; a test
//! compares.

mod control;
mod format;
mod page;
mod process;
mod speaker;

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    Camera, CameraState, Encoder, MicrophoneState, ServerState, Signaling, Snapshot, Verdict, Viewer,
};
use page::{BYTES, Labels, Page, SECONDS};

pub use format::Format;
pub use process::Process;

/// The snapshot in a format of metrics.
pub fn metrics(snapshot: Snapshot, process: Option<Process>, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { snapshot, process }));
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = text::encode(&mut out, &registry);
    format.of(out)
}

#[derive(Debug)]
struct Exposition {
    snapshot: Snapshot,
    process: Option<Process>,
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.node(&mut page)?;
        self.signaling(&mut page)?;
        self.cameras(&mut page)?;
        self.microphone(&mut page)?;
        if let Some(speaker) = &self.snapshot.speaker {
            speaker::write(speaker, &mut page)?;
        }
        self.encoders(&mut page)?;
        self.latencies(&mut page)?;
        self.sessions(&mut page)?;
        self.viewers(&mut page)?;
        self.control(&mut page)
    }
}

impl Exposition {
    fn node(&self, page: &mut Page<'_>) -> fmt::Result {
        let snapshot = &self.snapshot;
        page.0
            .encode_descriptor("pinhole_build", "The running program.", None, MetricType::Info)?
            .encode_info(&[("version", snapshot.version)])?;
        page.gauge(
            "pinhole_uptime",
            SECONDS,
            "Time since the start.",
            snapshot.uptime_seconds,
        )?;
        let verdicts = Verdict::ALL.map(|verdict| (verdict.label(), verdict == snapshot.health.status));
        page.state("pinhole_health", "1 for what the node's health is.", &verdicts)?;
        let Some(process) = self.process else {
            return Ok(());
        };
        let help = "Memory of the process that is really there.";
        page.gauge(
            "process_resident_memory",
            BYTES,
            help,
            process.resident_bytes as f64,
        )?;
        let help = "CPU time of the process, the system's for it included.";
        page.counters("process_cpu", SECONDS, help, [(vec![], process.cpu_seconds)])
    }

    fn signaling(&self, page: &mut Page<'_>) -> fmt::Result {
        let each = |value: fn(&Signaling) -> f64| {
            let cameras = self.snapshot.cameras.iter();
            cameras.map(move |camera| (camera.labels(), value(&camera.signaling)))
        };
        let help = "1 while the camera's member is signed in to the server.";
        let signed_in = |signaling: &Signaling| f64::from(u8::from(signaling.state == ServerState::SignedIn));
        page.gauges("pinhole_signed_in", None, help, each(signed_in))?;
        let sign_ins = |signaling: &Signaling| signaling.sign_ins as f64;
        page.counters(
            "pinhole_sign_ins",
            None,
            "Sign-ins that succeeded.",
            each(sign_ins),
        )
    }

    fn cameras(&self, page: &mut Page<'_>) -> fmt::Result {
        let cameras = &self.snapshot.cameras;
        let states = [
            ("idle", CameraState::Idle),
            ("opening", CameraState::Opening),
            ("private", CameraState::Private),
            ("live", CameraState::Live),
            ("faulted", CameraState::Faulted),
        ];
        let rows = cameras.iter().flat_map(|camera| {
            states.map(|(word, state)| {
                let value = f64::from(u8::from(camera.state == state));
                (camera.labels_and([("state", word)]), value)
            })
        });
        page.gauges("pinhole_camera_state", None, "1 for what the camera is.", rows)?;
        let each = |value: fn(&Camera) -> u64| {
            let row = move |camera| (Camera::labels(camera), value(camera) as f64);
            cameras.iter().map(row)
        };
        let help = "How often the picture was lost, or another reason for that found.";
        page.counters("pinhole_camera_faults", None, help, each(|camera| camera.faults))?;
        let help = "Frames taken from the camera.";
        page.counters("pinhole_camera_frames", None, help, each(|camera| camera.frames))?;
        let help = "Frames of the camera that did not get to an encoder, by the reason.";
        let rows = cameras.iter().flat_map(|camera| {
            let reasons = [
                ("missed", camera.missed),
                ("damaged", camera.damaged),
                ("overload", camera.left_out),
            ];
            reasons.map(|(reason, count)| (camera.labels_and([("reason", reason)]), count as f64))
        });
        page.counters("pinhole_camera_dropped_frames", None, help, rows)?;
        self.overload(page)
    }

    fn overload(&self, page: &mut Page<'_>) -> fmt::Result {
        let cameras = &self.snapshot.cameras;
        let level = |camera: &Camera| camera.overload.as_ref().map_or(0, |overload| overload.level);
        let rows = cameras
            .iter()
            .map(|camera| (camera.labels(), level(camera) as f64));
        let help = "Steps of rate and size that are given up because the machine is too slow; 0 for none.";
        page.gauges("pinhole_overload_level", None, help, rows)?;
        let rows = cameras.iter().flat_map(|camera| {
            let steps = camera.overload_steps;
            [("down", steps.down), ("up", steps.up)]
                .map(|(direction, count)| (camera.labels_and([("direction", direction)]), count as f64))
        });
        let help = "How often such a step was made, down or up again.";
        page.counters("pinhole_overload_steps", None, help, rows)
    }

    fn microphone(&self, page: &mut Page<'_>) -> fmt::Result {
        let microphone = &self.snapshot.microphone;
        let states = MicrophoneState::ALL.map(|(label, state)| (label, state == microphone.state));
        page.state(
            "pinhole_microphone_state",
            "1 for what the microphone is.",
            &states,
        )?;
        let help = "How often the sound was lost, or another reason for that found.";
        page.counter("pinhole_microphone_faults", help, microphone.faults)?;
        let help = "How often sound was lost because it was not taken from the card in time.";
        page.counter("pinhole_microphone_overruns", help, microphone.overruns)?;
        let levels = [
            ("mean", microphone.level_decibels),
            ("peak", microphone.peak_decibels),
        ];
        let rows = levels
            .into_iter()
            .filter_map(|(kind, level)| Some((vec![("kind", kind)], f64::from(level?))));
        let help = "How loud it is, in decibels of full scale.";
        page.gauges("pinhole_microphone_level", Some("decibels"), help, rows)?;
        let help = "Frames of 20 ms that were sent, by where they came from.";
        let kinds = [("microphone", microphone.frames), ("silence", microphone.silent)];
        let rows = kinds.map(|(kind, count)| (vec![("from", kind)], count as f64));
        page.counters("pinhole_sound_frames", None, help, rows)?;
        let help = "Bytes of the encoded sound, once for all who hear it.";
        page.counters(
            "pinhole_sound_encoded",
            BYTES,
            help,
            [(vec![], microphone.bytes as f64)],
        )?;
        let help = "Frames of sound that were dropped because the network side lagged.";
        page.counter("pinhole_sound_dropped_frames", help, microphone.lagged)
    }

    fn encoders(&self, page: &mut Page<'_>) -> fmt::Result {
        let cameras = self.snapshot.cameras.iter();
        let encoders: Vec<(&Camera, &Encoder)> = cameras
            .flat_map(|camera| camera.encoders.iter().map(move |encoder| (camera, encoder)))
            .collect();
        let by_rendition = |value: fn(&Encoder) -> u64| each_encoder(&encoders, value);
        let runs = |encoder: &Encoder| u64::from(encoder.runs());
        page.gauges(
            "pinhole_encoder_running",
            None,
            "1 while the encoder runs; 0 also while the camera's own H.264 is passed on.",
            by_rendition(runs),
        )?;
        let help = "Frames encoded, once for all viewers.";
        page.counters(
            "pinhole_encoded_frames",
            None,
            help,
            by_rendition(|encoder| encoder.frames),
        )?;
        let help = "Bytes of the encoded frames.";
        page.counters(
            "pinhole_encoded",
            BYTES,
            help,
            by_rendition(|encoder| encoder.bytes),
        )?;
        let help = "How many of the encoded frames are keyframes.";
        page.counters(
            "pinhole_encoded_keyframes",
            None,
            help,
            by_rendition(|encoder| encoder.keyframes),
        )?;
        let help = "Frames that an encoder in hardware got: imported without a copy, or copied.";
        let rows = encoders.iter().flat_map(|(camera, encoder)| {
            let ways = [("imported", encoder.imported), ("copied", encoder.copied)];
            let labels = |way| camera.labels_and([codec(encoder), rung(encoder), ("way", way)]);
            ways.map(|(way, count)| (labels(way), count as f64))
        });
        page.counters("pinhole_encoder_hardware_frames", None, help, rows)?;
        let help = "Keyframes that were ordered for the viewers.";
        page.counters(
            "pinhole_keyframe_orders",
            None,
            help,
            by_rendition(|encoder| encoder.keyframe_orders),
        )?;
        let help = "Frames that did not get from an encoder to the network, by the reason.";
        let rows = encoders.iter().flat_map(|(camera, encoder)| {
            let reasons = [("skipped", encoder.skipped), ("lagged", encoder.lagged)];
            let labels = |reason| camera.labels_and([codec(encoder), rung(encoder), ("reason", reason)]);
            reasons.map(|(reason, count)| (labels(reason), count as f64))
        });
        page.counters("pinhole_encoder_dropped_frames", None, help, rows)
    }

    fn latencies(&self, page: &mut Page<'_>) -> fmt::Result {
        let (total, stages): (Vec<_>, Vec<_>) = self
            .snapshot
            .latencies
            .iter()
            .filter(|latency| !latency.stage.starts_with("sound"))
            .partition(|latency| latency.stage == "total");
        let rows = stages.into_iter().map(|latency| {
            let codec = latency.codec.iter().map(|codec| ("codec", codec.as_str()));
            let camera = latency.camera.iter().map(|name| ("camera", name.as_str()));
            let rung = latency.rung.iter().map(|rung| ("rung", rung.as_str()));
            let labels = camera.chain([("stage", latency.stage)]).chain(codec).chain(rung);
            (labels.collect(), &latency.spread)
        });
        page.histograms(
            "pinhole_stage_duration",
            "What each stage of a frame's way took.",
            rows,
        )?;
        let help = "From a frame's time stamp until its last packet was with the system.";
        let rows = total.into_iter().map(|latency| (vec![], &latency.spread));
        page.histograms("pinhole_capture_to_sent", help, rows)?;
        for (stage, name, help) in [
            (
                "sound_encode",
                "pinhole_sound_encode_duration",
                "What encoding 20 ms of sound took.",
            ),
            (
                "sound_total",
                "pinhole_sound_capture_to_sent",
                "From the first sample of 20 ms of sound until its last packet was with the system.",
            ),
        ] {
            let of_stage = self
                .snapshot
                .latencies
                .iter()
                .filter(|latency| latency.stage == stage);
            page.histograms(name, help, of_stage.map(|latency| (vec![], &latency.spread)))?;
        }
        Ok(())
    }

    fn sessions(&self, page: &mut Page<'_>) -> fmt::Result {
        let sessions = &self.snapshot.sessions;
        let connected = self.snapshot.connected();
        page.gauge(
            "pinhole_viewers",
            None,
            "Viewers that are connected.",
            connected as f64,
        )?;
        page.gauge(
            "pinhole_viewers_silent",
            None,
            "Viewers that can't be heard, and may still come back.",
            self.snapshot.silent() as f64,
        )?;
        page.counter("pinhole_sessions_started", "Sessions begun.", sessions.started)?;
        let help = "Sessions ended, by the reason.";
        let ended = sessions.ended.iter();
        let rows = ended.map(|(reason, count)| (vec![("reason", *reason)], *count as f64));
        page.counters("pinhole_sessions_ended", None, help, rows)?;
        page.counter(
            "pinhole_calls_refused",
            "Calls that were refused.",
            sessions.refused,
        )?;
        let help = "Packets that the system did not take.";
        page.counter("pinhole_unsent_packets", help, sessions.unsent_packets)
    }

    fn viewers(&self, page: &mut Page<'_>) -> fmt::Result {
        let viewers = &self.snapshot.viewers;
        let numbers: Vec<String> = viewers.iter().map(|viewer| viewer.session.to_string()).collect();
        let each = |value: fn(&Viewer) -> Option<f64>| {
            let row = move |(number, viewer)| {
                Some((Viewer::labels(viewer, String::as_str(number)), value(viewer)?))
            };
            numbers.iter().zip(viewers).filter_map(row)
        };
        for (name, unit, help, value) in VIEWER_GAUGES {
            page.gauges(name, unit, help, each(value))?;
        }
        for (name, unit, help, value) in VIEWER_COUNTERS {
            page.counters(name, unit, help, each(value))?;
        }
        Ok(())
    }
}

/// Name, unit, meaning and value of one figure of a viewer; it may not have told it yet.
type Figure = (
    &'static str,
    Option<&'static str>,
    &'static str,
    fn(&Viewer) -> Option<f64>,
);

/// What goes up and down.
const VIEWER_GAUGES: [Figure; 8] = [
    (
        "pinhole_viewer_duration",
        SECONDS,
        "Time since the viewer called.",
        |viewer| Some(viewer.for_seconds),
    ),
    (
        "pinhole_viewer_bitrate",
        Some("bytes_per_second"),
        "Rate at which the viewer is sent to, over the last second.",
        |viewer| viewer.bits_per_second.map(|rate| rate / 8.0),
    ),
    (
        "pinhole_viewer_estimate",
        Some("bytes_per_second"),
        "What the viewer's path carries, as far as it was ever too little.",
        |viewer| viewer.estimated_bits_per_second.map(|rate| rate / 8.0),
    ),
    (
        "pinhole_viewer_thinned",
        None,
        "Whether the viewer is sent less than there is, because its path carries no more: 1 or 0.",
        |viewer| Some(if viewer.thinned { 1.0 } else { 0.0 }),
    ),
    (
        "pinhole_viewer_latency",
        SECONDS,
        "From the capture of a picture to the viewer's screen.",
        |viewer| viewer.latency_seconds,
    ),
    (
        "pinhole_viewer_loss",
        Some("ratio"),
        "Share of packets lost lately, 0 to 1.",
        |viewer| viewer.loss,
    ),
    (
        "pinhole_viewer_jitter",
        SECONDS,
        "How unevenly packets arrive.",
        |viewer| viewer.jitter_seconds,
    ),
    (
        "pinhole_viewer_round_trip",
        SECONDS,
        "Time to the viewer and back.",
        |viewer| viewer.round_trip_seconds,
    ),
];

/// What only grows.
const VIEWER_COUNTERS: [Figure; 7] = [
    (
        "pinhole_viewer_sent",
        BYTES,
        "Bytes sent, without IP and UDP headers.",
        |viewer| Some(viewer.bytes as f64),
    ),
    (
        "pinhole_viewer_sent_packets",
        None,
        "Packets sent, whatever was in them.",
        |viewer| Some(viewer.packets as f64),
    ),
    ("pinhole_viewer_sent_frames", None, "Pictures sent.", |viewer| {
        Some(viewer.frames as f64)
    }),
    (
        "pinhole_viewer_sent_sound_packets",
        None,
        "Packets of sound sent.",
        |viewer| Some(viewer.sound_packets as f64),
    ),
    (
        "pinhole_viewer_lost_packets",
        None,
        "Packets lost, as the viewer says.",
        |viewer| viewer.lost.map(|lost| lost as f64),
    ),
    (
        "pinhole_viewer_nacked_packets",
        None,
        "Packets that the viewer asked for again.",
        |viewer| Some(viewer.nacked as f64),
    ),
    (
        "pinhole_viewer_keyframe_requests",
        None,
        "Keyframes that the viewer asked for.",
        |viewer| Some(viewer.keyframe_requests as f64),
    ),
];

/// The labels that tell an encoder from the others of its camera.
fn codec(encoder: &Encoder) -> (&str, &str) {
    ("codec", &encoder.codec)
}

fn rung(encoder: &Encoder) -> (&str, &str) {
    ("rung", &encoder.rung)
}

impl Viewer {
    fn labels<'a>(&'a self, number: &'a str) -> Labels<'a> {
        let camera = self.camera.iter().map(|name| ("camera", name.as_str()));
        let viewer = [("session", number), ("viewer", self.name.as_str())];
        camera.chain(viewer).collect()
    }
}

fn each_encoder<'a>(
    encoders: &'a [(&'a Camera, &'a Encoder)],
    value: fn(&Encoder) -> u64,
) -> impl Iterator<Item = (Labels<'a>, f64)> {
    encoders.iter().map(move |(camera, encoder)| {
        let labels = camera.labels_and([codec(encoder), rung(encoder)]);
        (labels, value(encoder) as f64)
    })
}

impl Camera {
    /// One label where the camera has a name, so that it is told apart from others, and otherwise none.
    fn labels(&self) -> Labels<'_> {
        self.labels_and([])
    }

    fn labels_and<'a, const N: usize>(&'a self, more: [(&'a str, &'a str); N]) -> Labels<'a> {
        let name = self.name.iter().map(|name| ("camera", name.as_str()));
        name.chain(more).collect()
    }
}

#[cfg(test)]
mod tests;
