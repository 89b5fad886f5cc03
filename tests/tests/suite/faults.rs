//! What goes wrong with a camera, done by its driver: pulled out, disturbed, broken, busy, absent. Viewers stay connected
//! through all of it, and nobody restarts anything.

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{NO_PICTURE, SESSION_ENDED, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::{Viewer, all_see};

const DRIVER: &str = "/sys/bus/platform/drivers/vivid";
/// What is said of a stream that the driver has stopped, by which of the node's calls comes next.
const STOPPED: [&str; 2] = ["failed to deliver", "failed to take a buffer back"];
/// The node says this when there has been a picture for a while after a fault.
const BACK: &str = "the picture is back";

/// A guest with a vivid camera, and a node that knows it by its name.
struct Scene {
    node: Process,
    guest: Guest,
    network: Network,
    _server: Process,
}

impl Scene {
    /// `before` is done to the guest before the node starts.
    fn new(before: &str) -> Self {
        Self::with("vivid", before)
    }

    /// The same with another `device`.
    fn with(camera: &str, before: &str) -> Self {
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        guest.must(before);
        let server = start_server(&network);
        let config = format!(
            "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"{camera}\"\nsize = \"640x360\"\nfps = 30\n",
            server_url()
        );
        let node = start_node_in(&guest, &config);
        Self {
            node,
            guest,
            network,
            _server: server,
        }
    }

    /// Two viewers, who make both encoders run.
    fn watched(&self) -> [Viewer; 2] {
        ["h264", "vp8"]
            .map(|codec| Viewer::watch(&self.network, &server_url(), "porch", &["--codec", codec], SOON))
    }

    /// The video node that the camera has now.
    fn device(&self) -> String {
        let names = self.guest.must("grep -H . /sys/class/video4linux/*/name");
        let vivid = names
            .lines()
            .find_map(|line| line.strip_suffix("/name:vivid-000-vid-cap"));
        let (_, node) = vivid
            .and_then(|path| path.rsplit_once('/'))
            .unwrap_or_else(|| panic!("no vivid camera among\n{names}"));
        format!("/dev/{node}")
    }

    fn unplug(&self) {
        self.guest.must(&format!("echo vivid.0 >{DRIVER}/unbind"));
    }

    fn plug_in(&self) {
        self.guest.must(&format!("echo vivid.0 >{DRIVER}/bind"));
    }

    fn set(&self, control: &str, value: i64) {
        let device = self.device();
        self.guest
            .must(&format!("v4l2-ctl -d {device} -c {control}={value}"));
    }

    /// Waits for the fault, which is said once, and gives its words.
    fn waits_for_fault(&self, since: Mark, words: &[&str]) {
        let line = self.node.wait_for_line_since(since, NO_PICTURE, SOON);
        let says = words.iter().any(|words| line.contains(words));
        assert!(says, "{line:?} says none of {words:?}");
    }

    /// That the picture is back, and how often the node spoke of a fault meanwhile.
    fn is_back(&self, since: Mark, faults: usize) {
        self.node.wait_for_line_since(since, BACK, SOON);
        let lines = self.node.log().since(since);
        let told = lines.iter().filter(|line| line.contains(NO_PICTURE)).count();
        assert_eq!(told, faults, "{}", lines.join("\n"));
    }

    /// That the viewers are the ones from the beginning.
    fn end(mut self, viewers: [Viewer; 2]) {
        self.node.assert_never_said(SESSION_ENDED);
        for viewer in viewers {
            viewer.stop();
        }
        self.node.assert_running();
    }
}

/// The slate comes four times a second, a camera thirty times, or ten where the machine is too slow for more; of those some are missing
/// where it stands still for a moment in each second.
fn see_slate(viewers: &[Viewer]) {
    all_see(viewers, 2..8);
}

fn see_camera(viewers: &[Viewer]) {
    all_see(viewers, 7..);
}

mod everything {
    use super::*;

    #[test]
    fn an_unplugged_camera_is_live_again_for_both_viewers_under_another_number_too() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("true");
        let viewers = scene.watched();
        see_camera(&viewers);
        let number = scene.device();

        let mark = scene.node.mark();
        scene.unplug();
        scene.waits_for_fault(mark, &["unplugged"]);
        see_slate(&viewers);
        scene.plug_in();
        see_camera(&viewers);
        scene.node.wait_for_line_since(mark, BACK, SOON);
        assert_eq!(scene.device(), number);

        // Another driver takes the number while the camera is away.
        let mark = scene.node.mark();
        scene.unplug();
        scene.waits_for_fault(mark, &["unplugged"]);
        see_slate(&viewers);
        let codecs = "/sys/bus/platform/drivers/vicodec";
        scene.guest.must(&format!(
            "echo vicodec.0 >{codecs}/unbind; echo vicodec.0 >{codecs}/bind"
        ));
        scene.plug_in();
        assert_ne!(scene.device(), number);
        see_camera(&viewers);
        scene.node.wait_for_line_since(mark, BACK, SOON);
        scene.end(viewers);
    }

    #[test]
    fn a_camera_that_is_absent_at_the_start_is_live_when_it_comes() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new(&format!("echo vivid.0 >{DRIVER}/unbind"));
        let viewers = scene.watched();
        scene.waits_for_fault(Mark::default(), &["vivid"]);
        see_slate(&viewers);
        scene.plug_in();
        see_camera(&viewers);
        scene.is_back(Mark::default(), 1);
        scene.end(viewers);
    }

    /// The default: whoever plugs in a camera sees it, and that it is gone when it is.
    #[test]
    fn the_first_camera_that_comes_takes_the_test_picture_s_place_and_is_waited_for() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::with("auto", &format!("echo vivid.0 >{DRIVER}/unbind"));
        let viewers = scene.watched();
        scene.node.wait_for_line("showing the test picture");
        see_camera(&viewers);
        let mark = scene.node.mark();
        scene.plug_in();
        scene
            .node
            .wait_for_line_since(mark, "took the first camera", SOON);
        see_camera(&viewers);

        for _ in 0..2 {
            let mark = scene.node.mark();
            scene.unplug();
            scene.waits_for_fault(mark, &["unplugged"]);
            see_slate(&viewers);
            scene.plug_in();
            see_camera(&viewers);
            scene.node.wait_for_line_since(mark, BACK, SOON);
        }
        scene.end(viewers);
    }

    #[test]
    fn a_busy_camera_is_live_when_the_other_program_ends() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("true");
        let other = scene.guest.start(
            "other",
            &format!(
                "exec v4l2-ctl -d {} --stream-mmap --stream-count=0 --verbose",
                scene.device()
            ),
        );
        other.wait_for_line("VIDIOC_STREAMON");
        let viewers = scene.watched();
        scene.waits_for_fault(Mark::default(), &["in use by another program"]);
        see_slate(&viewers);
        other.kill();
        see_camera(&viewers);
        scene.is_back(Mark::default(), 1);
        scene.end(viewers);
    }

    #[test]
    fn disturbances_of_a_driver_do_not_end_the_picture() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("true");
        let viewers = scene.watched();
        see_camera(&viewers);

        let mark = scene.node.mark();
        scene.set("inject_v4l2_buf_flag_error", 1);
        scene.node.wait_for_line_since(mark, "damaged frames", SOON);
        for (control, value) in [
            ("wrap_sequence_number", 1),
            ("wrap_timestamp", 1),
            ("wrap_timestamp", 2),
            ("timestamp_source", 1),
            ("reduced_framerate", 1),
            ("percentage_of_dropped_buffers", 30),
            ("inject_req_validate_error", 1),
        ] {
            scene.set(control, value);
            see_camera(&viewers);
        }
        scene.set("percentage_of_dropped_buffers", 0);
        scene.set("wrap_timestamp", 0);
        let lines = scene.node.log().since(mark);
        assert!(
            !lines.iter().any(|line| line.contains(NO_PICTURE)),
            "{}",
            lines.join("\n")
        );

        // Nothing comes any more, and nothing says so.
        let mark = scene.node.mark();
        scene.set("percentage_of_dropped_buffers", 100);
        let marks = viewers.each_ref().map(Viewer::mark);
        scene.waits_for_fault(mark, &["delivered nothing usable"]);
        // The slate, for half a second; then the camera is tried again.
        for (viewer, mark) in viewers.iter().zip(marks) {
            viewer.sees_again_since(mark);
        }
        scene.set("percentage_of_dropped_buffers", 0);
        see_camera(&viewers);
        scene.is_back(mark, 1);
        scene.end(viewers);
    }

    #[test]
    fn errors_of_a_driver_cost_no_viewer_the_picture() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("true");
        let viewers = scene.watched();
        see_camera(&viewers);

        // Each ends one opening of the camera and not the next.
        for (control, words) in [
            ("inject_fatal_streaming_error", &STOPPED[..]),
            ("inject_vidioc_qbuf_error", &["failed to take a buffer back"]),
            ("disconnect", &["unplugged"]),
        ] {
            let mark = scene.node.mark();
            scene.set(control, 1);
            scene.waits_for_fault(mark, words);
            see_camera(&viewers);
            scene.is_back(mark, 1);
        }

        // The same at the next start of streaming, which fails in turn.
        for (control, words) in [
            ("inject_vidioc_streamon_error", "failed to start"),
            ("inject_vidioc_reqbufs_error", "failed to start"),
        ] {
            let mark = scene.node.mark();
            scene.set(control, 1);
            scene.set("inject_fatal_streaming_error", 1);
            scene.waits_for_fault(mark, &STOPPED);
            scene.node.wait_for_line_since(mark, words, SOON);
            see_camera(&viewers);
            scene.is_back(mark, 2);
        }
        scene.end(viewers);
    }
}
