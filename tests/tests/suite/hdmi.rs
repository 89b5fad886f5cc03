//! An HDMI input, whose source decides on the picture: it sends something else, nothing, too much, or something that is not stable. Viewers stay
//! connected through all of it. The input is the second one of the kernel's virtual device; the first is a webcam.

use std::fs;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{NO_PICTURE, SESSION_ENDED, binary, server_url, start_node_in, start_server};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::{Viewer, all_see};

const DEVICE: &str = "/dev/video0";
/// A webcam, and an HDMI input.
const DRIVER: &str = "vivid=n_devs=1 node_types=0x1 num_inputs=2 input_types=0xc";
/// The node says this when there has been a picture for a while after a fault.
const BACK: &str = "the picture is back";

/// A virtual HDMI source.
struct Hdmi<'a>(&'a Guest);

impl Hdmi<'_> {
    /// Boots a guest with one, to which no EDID has been shown yet, and which sends this as soon as there is one. The webcam is selected.
    fn boot(network: &Network, signal: &str) -> Guest {
        let guest = Guest::boot_with(network, &[DRIVER]);
        guest.must(&format!("v4l2-ctl -d {DEVICE} -i 1 --clear-edid=1"));
        Hdmi(&guest).sends(signal);
        guest.must(&format!("v4l2-ctl -d {DEVICE} -i 0"));
        guest
    }

    /// The number of an entry of a control's menu.
    fn entry(&self, control: &str, name: &str) -> u32 {
        let menus = self.0.must(&format!("v4l2-ctl -d {DEVICE} -L"));
        let mut lines = menus.lines().map(str::trim);
        lines
            .find(|line| line.starts_with(&format!("{control} 0x")))
            .unwrap_or_else(|| panic!("no {control} in\n{menus}"));
        let mut entries = lines.map_while(|line| line.split_once(": "));
        let found = entries.find(|(_, entry)| entry.starts_with(name));
        let (number, _) = found.unwrap_or_else(|| panic!("no {name} in {control}:\n{menus}"));
        number.parse().expect("a number")
    }

    /// Has the source send pictures, as `640x480p59`.
    fn sends(&self, timings: &str) {
        let timings = self.entry("dv_timings", timings);
        let mode = self.entry("dv_timings_signal_mode", "Selected");
        self.0.must(&format!(
            "v4l2-ctl -d {DEVICE} -c dv_timings={timings},dv_timings_signal_mode={mode}"
        ));
    }

    /// Has it send nothing that can be taken: by the driver's words for it.
    fn is(&self, mode: &str) {
        let mode = self.entry("dv_timings_signal_mode", mode);
        self.0
            .must(&format!("v4l2-ctl -d {DEVICE} -c dv_timings_signal_mode={mode}"));
    }

    /// The EDID that the source sees.
    fn edid(&self) -> Vec<u8> {
        self.0.must(&format!(
            "v4l2-ctl -d {DEVICE} --get-edid=pad=1,format=raw,file=/rig/edid"
        ));
        self.0.take("edid")
    }
}

fn config(keys: &str) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"{DEVICE}\"\n{keys}\n",
        server_url()
    )
}

/// What `check` prints in the guest for a camera with these keys, and its exit status.
fn check(guest: &Guest, keys: &str) -> (i32, String) {
    let output = guest.run(&format!(
        "cat >/run/tried.toml <<'END'\n{}\nEND\n{} check --config /run/tried.toml",
        config(keys),
        binary("pinhole-node").display()
    ));
    (output.status, output.text)
}

/// What `devices` prints there.
fn devices(guest: &Guest, options: &str) -> String {
    guest.must(&format!("{} devices {options}", binary("pinhole-node").display()))
}

/// That the picture has this shape. How large it is depends on how much of it the machine has time for.
fn has_shape(viewer: &Viewer, shape: f64) {
    viewer.shows(|figures| {
        let side = |name: &str| figures[name].as_f64().unwrap_or_default();
        (side("width") / side("height") - shape).abs() < 0.02
    });
}

/// Waits until the picture is back, and gives how often the node spoke of a fault meanwhile.
fn is_back(node: &Process, since: Mark) -> usize {
    node.wait_for_line_since(since, BACK, SOON);
    let lines = node.log().since(since);
    lines.iter().filter(|line| line.contains(NO_PICTURE)).count()
}

mod everything {
    use super::*;

    #[test]
    fn the_picture_follows_the_signal_and_viewers_stay() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Hdmi::boot(&network, "640x480p");
        let source = Hdmi(&guest);
        let _server = start_server(&network);
        let mut node = start_node_in(&guest, &config("input = \"hdmi\"\nsize = \"1280x720\""));
        node.wait_for_line("EDID set");
        assert_eq!(source.edid().len(), 256, "nobody watches yet");

        let viewer = Viewer::watch(&network, &server_url(), "porch", &["--codec", "h264"], SOON);
        let set_up = node.wait_for_line("camera set up");
        assert!(set_up.contains("signal=\"640x480 "), "{set_up}");
        has_shape(&viewer, 640.0 / 480.0);

        // Another size and rate: said once, and the next picture is of that size.
        let mark = node.mark();
        source.sends("720x576p50");
        let told = node.wait_for_line_since(mark, NO_PICTURE, SOON);
        assert!(
            told.contains("another signal: 720x576 50 fps instead of 640x480"),
            "{told}"
        );
        has_shape(&viewer, 720.0 / 576.0);
        let set_up = node.wait_for_line_since(mark, "camera set up", SOON);
        assert!(set_up.contains("signal=\"720x576 50 fps\""), "{set_up}");
        assert_eq!(is_back(&node, mark), 1);

        for (mode, words) in [
            ("No Signal", "has no signal"),
            ("No Lock", "a signal that is not stable"),
            ("Out of Range", "a signal that is out of its range"),
        ] {
            let mark = node.mark();
            source.is(mode);
            let told = node.wait_for_line_since(mark, NO_PICTURE, SOON);
            assert!(told.contains(words), "{told}");
            // The slate: four pictures a second, over several tries.
            all_see(std::slice::from_ref(&viewer), 2..8);
            viewer.brings(16);
            source.sends("720x576p50");
            all_see(std::slice::from_ref(&viewer), 9..);
            assert_eq!(is_back(&node, mark), 1, "{mode} is said once");
        }

        // Told of a change where there is none, it goes on.
        let mark = node.mark();
        source.sends("720x576p50");
        viewer.brings(20);
        let lines = node.log().since(mark);
        assert!(!lines.iter().any(|line| line.contains(NO_PICTURE)), "{lines:?}");
        node.assert_never_said(SESSION_ENDED);
        node.assert_running();
        viewer.stop();
    }

    #[test]
    fn commands_tell_of_inputs_signals_and_edids() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Hdmi::boot(&network, "640x480p");
        let source = Hdmi(&guest);
        let text = devices(&guest, "");
        let line = text.lines().find(|line| line.contains("input 1, HDMI"));
        let line = line.unwrap_or_else(|| panic!("no such input in\n{text}"));
        assert!(
            line.contains("known when it is selected") && line.contains("no EDID"),
            "{line}"
        );
        assert!(text.contains("input 0, Webcam 000-0 (selected)"), "{text}");

        let (status, text) = check(&guest, "input = \"S-Video\"");
        assert_ne!(status, 0);
        assert!(
            text.contains("no input \"S-Video\"; it has 0 (Webcam 000-0), 1 (HDMI 000-0)"),
            "{text}"
        );
        let (_, text) = check(&guest, "input = 0\nedid = \"built-in\"");
        assert!(text.contains("does not take the EDID of `edid`"), "{text}");
        guest.must("head -c 200 /dev/zero >/run/edid.bin");
        let (status, text) = check(&guest, "edid = \"/run/edid.bin\"");
        assert_ne!(status, 0);
        assert!(
            text.contains("/run/edid.bin holds no EDID: it has 200 bytes"),
            "{text}"
        );

        // What was there before, with another name in it; `auto` leaves it alone.
        let (_, text) = check(&guest, "input = 1");
        assert!(text.contains("of the signal 640x480 "), "{text}");
        let ours = source.edid();
        let mut other = ours.clone();
        let name = other.windows(7).position(|bytes| bytes == b"Pinhole");
        let name = name.expect("it has a name");
        (other[name], other[127]) = (b'Q', other[127].wrapping_sub(1));
        let directory = Scratch::new("edid");
        let file = directory.path().join("other.bin");
        fs::write(&file, &other).expect("the temporary directory can be written");
        let file = guest.give(&file);
        let (_, text) = check(&guest, &format!("input = 1\nedid = \"{file}\""));
        assert!(text.contains("of the signal 640x480 "), "{text}");
        assert_eq!(source.edid(), other);
        check(&guest, "input = 1");
        assert_eq!(source.edid(), other);
        check(&guest, "input = 1\nedid = \"built-in\"");
        assert_eq!(source.edid(), ours);

        source.is("No Signal");
        let (_, text) = check(&guest, "input = 1");
        assert!(text.contains("has no signal"), "{text}");
        let text = devices(&guest, "");
        assert!(
            text.contains("input 1, HDMI 000-0 (selected): no signal"),
            "{text}"
        );
        let json = devices(&guest, "--json");
        assert!(json.contains("\"no_signal\""), "{json}");
    }
}
