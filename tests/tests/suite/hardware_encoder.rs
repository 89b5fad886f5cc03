//! Encoders in hardware, with the kernel's virtual one in their place: vivid's pictures by DMABUF to vicodec and decoded again, in
//! both dialects of the kernel's interface. It makes FWHT and not H.264; nothing else is different from what viewers get.

use std::time::Duration;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{LESS, binary, example, node_config};
use pinhole_e2e::skip::{Need, skipped};
use rustix::process::Signal;

/// How near each decoded picture must come to its source. A plane that is shifted or swapped has less than 25; the codec leaves 40 and more
/// of vivid's bars.
const LEAST_DECIBELS: f64 = 36.0;

/// What the probes do they have done within this: some seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(240);

const UNBIND: &str = "echo vicodec.0 >/sys/bus/platform/drivers/vicodec/unbind";
const BIND: &str = "echo vicodec.0 >/sys/bus/platform/drivers/vicodec/bind";

/// A run of the probe: what it encoded, and how.
struct Run {
    lines: Vec<String>,
    folder: String,
}

impl Run {
    /// The last line: frames, units, keyframes and so on.
    fn figures(&self) -> &str {
        self.lines.last().expect("it says something")
    }

    /// Whether a picture is a keyframe, and its bytes.
    fn unit(&self, number: usize) -> (bool, usize) {
        let start = format!("unit {number} ");
        let line = self.lines.iter().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("there is no unit {number}:\n{}", self.lines.join("\n")));
        let mut words = line[start.len()..].split(' ');
        let is_keyframe = words.next() == Some("keyframe");
        let bytes = words.next().and_then(|bytes| bytes.parse().ok());
        (is_keyframe, bytes.expect("a number of bytes"))
    }
}

/// `encoder_probe` in the guest; `what` are its arguments without the folder, and its options behind `--`.
fn probe(guest: &Guest, what: &str) -> Process {
    let (arguments, options) = what.split_once(" --").unwrap_or((what, ""));
    let folder = folder(what);
    let probe = example("encoder_probe");
    guest.start(
        "encoder_probe",
        &format!(
            "mkdir -p {folder} && exec {} {arguments} {folder}{options}",
            probe.display()
        ),
    )
}

fn folder(what: &str) -> String {
    let name: String = what
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    format!("/run/probe{name}")
}

fn finished(mut probe: Process, what: &str) -> Run {
    let status = probe.wait_within(PATIENCE);
    probe.log().wait_for_end();
    let run = Run {
        lines: probe.log().since(Default::default()),
        folder: folder(what),
    };
    assert_eq!(status, 0, "{what}:\n{}", run.lines.join("\n"));
    run
}

/// Feeds /dev/video10 with pictures of ffmpeg, in YU12.
fn feed(guest: &Guest, source: &str, size: &str) -> Process {
    // Drawn beforehand: the feeder shares the guest's one processor with the encoder.
    must(
        guest,
        &format!(
            "ffmpeg -v error -y -f lavfi -i {source} -frames:v 10 -pix_fmt yuv420p -f rawvideo /run/source"
        ),
    );
    let feeder = guest.start(
        "feeder",
        &format!(
            "ffmpeg -nostdin -re -stream_loop -1 -framerate 10 -f rawvideo -video_size {size} -pix_fmt yuv420p -i /run/source \
             -c copy -f v4l2 /dev/video10"
        ),
    );
    feeder.wait_for_line("Output #0");
    feeder
}

/// Waits for a line of a probe, from its beginning on.
fn seen(probe: &Process, line: &str) -> String {
    probe.wait_for_line_since(Default::default(), line, PATIENCE)
}

/// Runs a command that may take as long as a probe, and gives what it printed.
fn must(guest: &Guest, text: &str) -> String {
    let mut command = guest.start("command", text);
    let status = command.wait_within(PATIENCE);
    command.log().wait_for_end();
    let said = command.log().since(Default::default()).join("\n");
    assert_eq!(status, 0, "in the guest: {text}\n{said}");
    said
}

/// Decodes what came of it by the kernel's decoder, compares each picture with what went in, and gives the worst, in decibels.
fn compare(guest: &Guest, run: &Run, size: &str, pixels: &str, frames: usize) -> f64 {
    let folder = &run.folder;
    must(
        guest,
        &format!(
            "v4l2-ctl -d /dev/video2 --stream-mmap --stream-out-mmap --stream-from {folder}/coded.fwht --stream-to {folder}/decoded.yuv"
        ),
    );
    let psnr = must(
        guest,
        &format!(
            "ffmpeg -v error -nostdin -f rawvideo -s {size} -pix_fmt yuv420p -i {folder}/source.yuv \
         -f rawvideo -s {size} -pix_fmt {pixels} -i {folder}/decoded.yuv -lavfi psnr=stats_file=- -f null -"
        ),
    );
    must(guest, &format!("rm -r {folder}"));
    let values = psnr
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("psnr_avg:"));
    let values: Vec<f64> = values
        .map(|value| value.parse().expect("a number, or inf"))
        .collect();
    assert_eq!(
        values.len(),
        frames,
        "{size}: as many pictures come out as went in"
    );
    values.into_iter().fold(f64::INFINITY, f64::min)
}

/// To an encoder of this dialect.
fn frames_are_lent(dialect: &str) {
    let network = Network::for_guest();
    let guest = Guest::boot_with(&network, &[dialect]);
    // Format, size, what the decoder gives, and whether the frames lie in memory as the encoder wants them: its pictures are of multiples of 16
    // lines in 4:2:0, so that of 1080 eight are not shown.
    for (format, size, pixels, is_lent) in [
        ("NV12", "1280x720", "yuv420p", true),
        ("YU12", "1280x720", "yuv420p", true),
        ("YUYV", "1280x720", "yuv422p", true),
        ("UYVY", "1920x1080", "yuv422p", true),
        ("NV21", "1920x1080", "yuv420p", false),
        ("YU12", "640x360", "yuv420p", false),
    ] {
        let what = format!("/dev/video0 {size} 10 {format} 8 -- keyframe=5");
        let run = finished(probe(&guest, &what), &what);
        let how = if is_lent {
            "8 imported, 0 copied"
        } else {
            "0 imported, 8 copied"
        };
        assert_eq!(
            run.figures(),
            format!("8 frames, 8 units, 2 keyframes, {how}"),
            "{dialect} {what}:\n{}",
            run.lines.join("\n")
        );
        let keyframes: Vec<bool> = (0..8).map(|number| run.unit(number).0).collect();
        let expected: Vec<bool> = (0..8).map(|number| number == 0 || number == 5).collect();
        assert_eq!(keyframes, expected, "{dialect} {what}");
        let worst = compare(&guest, &run, size, pixels, 8);
        assert!(worst >= LEAST_DECIBELS, "{dialect} {what}: {worst} dB");
    }
}

mod everything {
    use super::*;

    #[test]
    fn frames_are_lent_to_the_encoder_and_not_copied() {
        if skipped(Need::Guest) {
            return;
        }
        frames_are_lent("vicodec=multiplanar=0");
    }

    #[test]
    fn frames_are_lent_to_a_multi_planar_encoder_and_not_copied() {
        if skipped(Need::Guest) {
            return;
        }
        frames_are_lent("vicodec=multiplanar=1");
    }

    #[test]
    fn a_camera_that_lends_nothing_has_its_frames_copied_once() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let what = "/dev/video0 1280x720 10 NV12 8 -- copy";
        let run = finished(probe(&guest, what), what);
        assert_eq!(
            run.figures(),
            "8 frames, 8 units, 1 keyframes, 0 imported, 8 copied"
        );
        assert!(compare(&guest, &run, "1280x720", "yuv420p", 8) >= LEAST_DECIBELS);

        // An awkward size, whose lines end elsewhere than the encoder's.
        let feeder = feed(&guest, "smptebars=size=1366x768:rate=10", "1366x768");
        let what = "/dev/video10 1366x768 10 YU12 8 -- keyframe=4";
        let run = finished(probe(&guest, what), what);
        feeder.kill();
        assert_eq!(
            run.figures(),
            "8 frames, 8 units, 2 keyframes, 0 imported, 8 copied"
        );
        assert!(compare(&guest, &run, "1366x768", "yuv420p", 8) >= LEAST_DECIBELS);
    }

    #[test]
    fn the_bitrate_changes_while_the_encoder_runs() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        // A picture with a grain, of which a low rate leaves little.
        let feeder = feed(
            &guest,
            "testsrc2=size=640x480:rate=10,noise=alls=12:allf=t",
            "640x480",
        );
        let what = "/dev/video10 640x480 10 YU12 12 -- bitrate=4:300k bitrate=8:10M";
        let run = finished(probe(&guest, what), what);
        feeder.kill();
        let bytes = |range: std::ops::Range<usize>| -> usize { range.map(|number| run.unit(number).1).sum() };
        // Pictures that refer to others; the first is a keyframe.
        let (before, low, high) = (bytes(1..4), bytes(5..8), bytes(9..12));
        assert!(
            2 * low < before && 2 * low < high,
            "{before} bytes, then {low}, then {high}:\n{}",
            run.lines.join("\n")
        );
    }

    #[test]
    fn an_encoder_that_fails_is_made_anew() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let what = "/dev/video0 1280x720 15 NV12 60";
        let probe = probe(&guest, what);
        seen(&probe, "unit 9 ");
        must(&guest, UNBIND);
        seen(&probe, "failed: ");
        seen(&probe, "waiting: ");
        let before = probe.mark();
        must(&guest, BIND);
        probe.wait_for_line_since(before, "encoder vicodec", PATIENCE);
        let run = finished(probe, what);
        let figures = run.figures();
        assert!(
            figures.starts_with("60 frames, 60 units, ") && figures.ends_with(" 60 imported, 0 copied"),
            "{figures}"
        );
        let failed = run.lines.iter().position(|line| line.starts_with("failed"));
        let next = run.lines[failed.expect("above")..]
            .iter()
            .find(|line| line.starts_with("unit"));
        assert!(
            next.is_some_and(|line| line.contains("keyframe")),
            "viewers can go on with the first picture: {next:?}"
        );
        // All of it is one stream that can be decoded.
        let worst = compare(&guest, &run, "1280x720", "yuv420p", 60);
        assert!(worst >= LEAST_DECIBELS, "{worst} dB");
    }

    #[test]
    fn software_encodes_where_the_hardware_has_gone_until_the_camera_is_opened_anew() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let mut node = guest.start(
            "pipeline_probe",
            &format!(
                "exec {} /dev/video0 1280x720 15 auto hardware software",
                example("pipeline_probe").display()
            ),
        );
        let set_up = seen(&node, "camera set up");
        assert!(
            set_up.contains("YU12") && set_up.contains("the hardware encoder takes it"),
            "{set_up}"
        );
        seen(
            &node,
            "pictures are FWHT, by vicodec (/dev/video1), the first is a keyframe",
        );
        let figures = seen(&node, "45 pictures, ");
        assert!(
            figures.ends_with(" imported, 0 copied, 0 converted") && !figures.contains(" 0 imported"),
            "{figures}"
        );
        assert!(
            !figures.contains(" 1 keyframes"),
            "the viewer asks for one every 15 pictures: {figures}"
        );

        must(&guest, UNBIND);
        seen(&node, "pictures are H.264, by OpenH264, the first is a keyframe");
        must(&guest, BIND);
        let before = node.mark();
        node.signal(Signal::HUP);
        node.wait_for_line_since(
            before,
            "pictures are FWHT, by vicodec (/dev/video1), the first is a keyframe",
            PATIENCE,
        );
        let warnings = node.log().since(Default::default());
        // That the machine has too little time is another matter.
        let is_of_encoder = |line: &&String| line.contains("WARN") && !line.contains(LESS);
        let warnings: Vec<_> = warnings.iter().filter(is_of_encoder).collect();
        assert_eq!(warnings.len(), 1, "it is said once: {warnings:?}");
        node.kill();
    }

    #[test]
    fn an_encoder_of_another_codec_is_none_for_viewers() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let node = binary("pinhole-node");
        let devices = must(&guest, &format!("{} devices", node.display()));
        assert!(
            devices.contains("OpenH264  H.264, in software") && !devices.contains("vicodec"),
            "{devices}"
        );
        let config = node_config("porch", "/dev/video0");
        let config = format!("{config}\n[video]\nencoders = [\"m2m\"]\n");
        must(&guest, &format!("cat >/run/node.toml <<'END'\n{config}\nEND"));
        let check = must(&guest, &format!("! {} check /run/node.toml", node.display()));
        let finding = check.lines().find(|line| line.starts_with("encoder"));
        assert!(
            finding.is_some_and(|line| line.contains("FAILS") && line.contains("add \"software\"")),
            "{check}"
        );
    }
}
