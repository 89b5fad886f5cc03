//! Every format of a camera in its colours, to the last column: as encoders get it, and as viewers see it.

mod picture;

use std::path::PathBuf;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::{Mark, loudly};
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{LESS, binary, example, node_config, server_url, start_node_in, start_server};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};

use self::picture::Picture;

/// Where a picture is looked at.
#[derive(Clone, Copy)]
enum At {
    /// As encoders get it: captured and converted.
    Encoder,
    /// Through the whole node, the network and a decoder.
    Viewer,
}

/// What the node is told of a camera: a size, and a format or `auto`.
type Asked<'a> = (&'a str, &'a str);

/// vivid's bars: format, lines, Y'CbCr encoding and quantization by vivid's numbers, what the node makes of them, and the viewer's codec.
type Bars = (&'static str, usize, u32, u32, &'static str, &'static str);

const DEFAULT: u32 = 0;
const BT709: u32 = 2;
const FULL: u32 = 1;
const LIMITED: u32 = 2;
const PLAIN: &str = "BT.601, limited range";
const FULL_601: &str = "BT.601, full range";

const SINGLE_PLANAR: [Bars; 24] = [
    ("YUYV", 1080, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("UYVY", 360, DEFAULT, DEFAULT, PLAIN, "vp8"),
    ("YVYU", 360, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("NV12", 1080, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("NV21", 360, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("YU12", 720, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("YV12", 360, DEFAULT, DEFAULT, PLAIN, "vp8"),
    ("GREY", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("RGB24", 720, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("BGR24", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("VYUY", 360, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("NV16", 720, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("NV61", 360, DEFAULT, DEFAULT, PLAIN, "vp8"),
    ("XBGR32", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("XRGB32", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("BGRX32", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("RGBX32", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("RGB565", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("Y10", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("Y16", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
    ("RGB24", 360, DEFAULT, LIMITED, PLAIN, "h264"),
    ("YUYV", 360, BT709, DEFAULT, "BT.709, limited range", "h264"),
    ("NV12", 360, BT709, FULL, "BT.709, full range", "vp8"),
    ("YU12", 360, DEFAULT, FULL, FULL_601, "h264"),
];

/// As the cameras of many boards' own connectors and HDMI inputs are.
const MULTI_PLANAR: [Bars; 4] = [
    ("NV12", 1080, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("YU12", 360, DEFAULT, DEFAULT, PLAIN, "h264"),
    ("YUYV", 720, DEFAULT, DEFAULT, PLAIN, "vp8"),
    ("BGR24", 360, DEFAULT, DEFAULT, FULL_601, "h264"),
];

/// Of a camera that has one format of an awkward size: the format, and what ffmpeg calls it.
const AWKWARD: [(&str, &str, &str); 7] = [
    ("YUYV", "rawvideo", "yuyv422"),
    ("NV12", "rawvideo", "nv12"),
    ("YU12", "rawvideo", "yuv420p"),
    ("BGR24", "rawvideo", "bgr24"),
    ("MJPEG", "mjpeg", "yuvj420p"),
    ("MJPEG", "mjpeg", "yuvj422p"),
    ("MJPEG", "mjpeg", "yuvj444p"),
];

const FULL_709: &str = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range pc";

/// Of a camera that encodes: size, what the stream says of its colours and how it is made so, and the viewer's codec. Passed on, the
/// numbers stay.
const ENCODED: [((usize, usize), &str, &str, &str); 4] = [
    ((1366, 768), "", "null", "h264"),
    ((1920, 1080), "", "null", "h264"),
    ((1366, 768), "", "null", "vp8"),
    (
        (1280, 720),
        FULL_709,
        "scale=in_color_matrix=bt601:in_range=limited:out_color_matrix=bt709:out_range=full",
        "vp8",
    ),
];

/// A server, a guest with cameras, and room for recordings.
struct Studio {
    guest: Guest,
    directory: Scratch,
    _server: Process,
    network: Network,
}

impl Studio {
    /// With two vivid cameras, of which the second is multi-planar.
    fn open() -> Self {
        let network = Network::for_guest();
        let vivid = "vivid=n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0,0 multiplanar=1,2";
        let guest = Guest::boot_with(&network, &[vivid]);
        Self {
            guest,
            directory: Scratch::new("formats"),
            _server: start_server(&network),
            network,
        }
    }

    /// The video node of a vivid camera.
    fn vivid(&self, number: u32) -> String {
        let name = format!("vivid-00{number}-vid-cap");
        let found = self
            .guest
            .must(&format!("grep -lx {name} /sys/class/video4linux/*/name"));
        let node = found
            .trim()
            .split('/')
            .nth(4)
            .expect("/sys/class/video4linux/NODE/name");
        format!("/dev/{node}")
    }

    /// A picture of the camera, and what the node says of how it set it up.
    fn see(
        &self,
        at: At,
        device: &str,
        asked: Asked,
        size: (usize, usize),
        codec: &str,
    ) -> (Picture, String) {
        match at {
            At::Encoder => self.convert(device, asked, size),
            At::Viewer => self.watch(device, asked, size, codec),
        }
    }

    fn convert(&self, device: &str, (asked, format): Asked, size: (usize, usize)) -> (Picture, String) {
        let probe = example("capture_probe");
        let said = self.guest.must(&format!(
            "exec {} {device} {asked} 10 20 {format} --picture /rig/picture",
            probe.display()
        ));
        (Picture::last(self.guest.take("picture"), size), said)
    }

    /// A picture of which the machine had no time to encode all is not what is looked at here: it is watched again.
    fn watch(&self, device: &str, asked: Asked, size: (usize, usize), codec: &str) -> (Picture, String) {
        const TRIES: usize = 3;
        let mut tries = 1;
        loop {
            let (file, said, is_less) = self.record(device, asked, codec);
            if !is_less || tries == TRIES {
                return (Picture::last_of(&file, size), said);
            }
            tries += 1;
        }
    }

    /// Records two seconds; the file, what the node says of how it set the camera up, and whether viewers got less of the picture.
    fn record(&self, device: &str, (size, format): Asked, codec: &str) -> (PathBuf, String, bool) {
        let format = match format {
            "auto" => String::new(),
            name => format!("format = {name:?}\n"),
        };
        let camera = format!("size = {size:?}\nfps = 10\n{format}");
        let config = node_config("porch", device).replace("size = \"1280x720\"\nfps = 30\n", &camera);
        let node = start_node_in(&self.guest, &config);
        let file = self.directory.path().join("seen.mkv");
        let mut view = self.network.command(binary("pinhole-view"));
        view.args(["--server", &server_url(), "watch", "porch"]);
        view.args(["--seconds", "2", "--codec", codec, "--force", "--record"])
            .arg(&file);
        let (mut viewer, _) = Process::spawn("pinhole-view", view);
        let status = viewer.wait();
        assert_eq!(status, 0, "{}", viewer.log().tail(20));
        let said = node.wait_for_line("camera set up");
        let lines = node.log().since(Mark::default());
        let is_less = lines.iter().any(|line| line.contains(LESS));
        node.stop();
        (file, said, is_less)
    }

    /// That vivid's bars are seen; gives how near they come, in decibels, and of what.
    fn assert_bars(&self, at: At, device: &str, bars: Bars) -> String {
        let (format, lines, encoding, quantization, colours, codec) = bars;
        let what = format!("{format} {lines} lines, {colours}, {codec}");
        self.guest.must(&format!(
            "v4l2-ctl -d {device} -c test_pattern=1,osd_text_mode=2,y_cbcr_encoding={encoding},quantization={quantization}"
        ));
        let size = (lines * 16 / 9, lines);
        let asked = format!("{}x{}", size.0, size.1);
        let (seen, said) = self.see(at, device, (&asked, format), size, codec);
        let set_up = format!("{asked} {format} 10 fps");
        assert!(said.contains(&set_up) && said.contains(colours), "{what}: {said}");
        let decibels = seen.assert_near(
            &Picture::bars(size, ["GREY", "Y10", "Y16"].contains(&format)),
            &what,
        );
        format!("{what}: {decibels:.1} dB")
    }

    /// The same of ffmpeg's bars, where a camera has them in one format of an awkward size.
    fn assert_awkward(&self, at: At, (format, kind, pixels): (&str, &str, &str)) -> String {
        const SIZE: (usize, usize) = (1366, 768);
        let what = format!("{format} of {pixels}");
        // Drawn beforehand: what feeds the camera shares the guest's one processor with the node.
        self.guest.must(&format!(
            "ffmpeg -v error -y -f lavfi -i smptebars=size=1366x768:rate=10 -frames:v 10 -c:v {kind} -q:v 2 -pix_fmt {pixels} \
             -f {kind} /run/source"
        ));
        let layout = match kind {
            "rawvideo" => format!("-video_size 1366x768 -pix_fmt {pixels}"),
            _ => String::new(),
        };
        let feeder = self.guest.start(
            "feeder",
            &format!(
                "ffmpeg -nostdin -re -stream_loop -1 -framerate 10 -f {kind} {layout} -i /run/source -c copy -f v4l2 /dev/video10"
            ),
        );
        feeder.wait_for_line("Output #0");
        let (seen, said) = self.see(at, "/dev/video10", ("1280x720", "auto"), SIZE, "h264");
        feeder.kill();
        assert!(said.contains(&format!("1366x768 {format}")), "{what}: {said}");
        assert!(said.contains("the nearest to 1280x720 10 fps"), "{what}: {said}");
        let decibels = seen.assert_near(&Picture::smpte_bars(SIZE), &what);
        format!("{what}: {decibels:.1} dB")
    }

    /// The same where the camera encodes them.
    fn assert_encoded(
        &self,
        at: At,
        (size, colours, filter, codec): ((usize, usize), &str, &str, &str),
    ) -> String {
        let text = format!("{}x{}", size.0, size.1);
        let what = format!("H.264 {text} {colours} to {codec}");
        self.guest.must(&format!(
            "ffmpeg -v error -y -f lavfi -i smptebars=size={text}:rate=10 -frames:v 20 -vf {filter},format=yuv420p -c:v libx264 \
             -preset ultrafast -profile:v baseline -tune zerolatency -g 10 -crf 18 {colours} -f mpegts /run/source.ts"
        ));
        let feeder = self.guest.start(
            "feeder",
            "ffmpeg -nostdin -re -stream_loop -1 -i /run/source.ts -c copy -f v4l2 /dev/video11",
        );
        feeder.wait_for_line("Output #0");
        let (seen, said) = self.see(at, "/dev/video11", (&text, "auto"), size, codec);
        feeder.kill();
        assert!(said.contains(&format!("{text} H.264")), "{what}: {said}");
        let decibels = seen.assert_near(&Picture::smpte_bars(size), &what);
        format!("{what}: {decibels:.1} dB")
    }
}

mod everything {
    use super::*;

    #[test]
    fn every_format_is_converted_to_its_colours() {
        if skipped(Need::Guest) {
            return;
        }
        let studio = Studio::open();
        let (single, multi) = (studio.vivid(0), studio.vivid(1));
        let program = binary("pinhole-node");
        let listed = studio.guest.must(&format!("{} devices", program.display()));
        let of_multi = listed.split_once(&multi).map(|(_, rest)| rest);
        assert!(of_multi.is_some_and(|rest| rest.contains("NV12")), "{listed}");
        for bars in SINGLE_PLANAR {
            studio.assert_bars(At::Encoder, &single, bars);
        }
        for bars in MULTI_PLANAR {
            studio.assert_bars(At::Encoder, &multi, bars);
        }
        for case in AWKWARD {
            studio.assert_awkward(At::Encoder, case);
        }
        // Decoded, for viewers without H.264.
        let [plain, .., full_709] = ENCODED;
        for case in [plain, full_709] {
            studio.assert_encoded(At::Encoder, case);
        }
    }

    /// One of each kind: packed RGB, planar, JPEG, passed on and decoded.
    #[test]
    fn viewers_see_a_camera_in_its_colours() {
        if skipped(Need::Guest) {
            return;
        }
        let studio = Studio::open();
        let first = |all: &[Bars], format| *all.iter().find(|bars| bars.0 == format).expect("a format");
        studio.assert_bars(At::Viewer, &studio.vivid(0), first(&SINGLE_PLANAR, "RGB24"));
        studio.assert_bars(At::Viewer, &studio.vivid(1), first(&MULTI_PLANAR, "YU12"));
        let [.., jpeg, _] = AWKWARD;
        studio.assert_awkward(At::Viewer, jpeg);
        let [passed_on, .., decoded] = ENCODED;
        studio.assert_encoded(At::Viewer, passed_on);
        studio.assert_encoded(At::Viewer, decoded);
    }
}

mod soak {
    use super::*;

    #[test]
    fn viewers_see_each_raw_format_of_a_driver_in_its_colours() {
        if skipped(Need::Guest) {
            return;
        }
        let studio = Studio::open();
        for (number, all) in [(0, &SINGLE_PLANAR[..]), (1, &MULTI_PLANAR[..])] {
            for bars in all {
                loudly(&studio.assert_bars(At::Viewer, &studio.vivid(number), *bars));
            }
        }
    }

    #[test]
    fn viewers_see_a_camera_with_one_format_of_an_awkward_size_in_its_colours() {
        if skipped(Need::Guest) {
            return;
        }
        let studio = Studio::open();
        for case in AWKWARD {
            loudly(&studio.assert_awkward(At::Viewer, case));
        }
    }

    #[test]
    fn viewers_see_a_camera_that_encodes_in_its_colours() {
        if skipped(Need::Guest) {
            return;
        }
        let studio = Studio::open();
        for case in ENCODED {
            loudly(&studio.assert_encoded(At::Viewer, case));
        }
    }
}
