//! Every format of a camera as its viewers see it: the decoded picture against the source, to the last column.

use std::path::{Path, PathBuf};
use std::process::Command;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{LESS, binary, node_config, server_url, start_node_in, start_server};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};

/// How near the whole picture must come to the source, each plane by itself. A plane that is shifted, swapped or of
/// another range has less than 25 dB; what the codecs lose of these pictures leaves 35 and more.
const LEAST_DECIBELS: f64 = 32.0;

/// How near the middle of a bar must come to its colour, in steps of 256.
const TOLERANCE: u8 = 4;

/// A picture in 4:2:0, without padding.
struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Picture {
    /// The planes, each with its width.
    fn planes(&self) -> [(&[u8], usize); 3] {
        let chroma_width = self.width.div_ceil(2);
        let (luma, chroma) = self.data.split_at(self.width * self.height);
        let (cb, cr) = chroma.split_at(chroma_width * self.height.div_ceil(2));
        [(luma, self.width), (cb, chroma_width), (cr, chroma_width)]
    }

    /// vivid's eight bars of full colours: white, yellow, cyan, green, magenta, red, blue, black.
    fn bars(width: usize, height: usize, is_grey: bool) -> Self {
        // vivid's grey is the luma of BT.709, over the whole range.
        let (red_share, blue_share) = if is_grey { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let bars = [0b111, 0b110, 0b011, 0b010, 0b101, 0b100, 0b001, 0b000];
        let bars = bars.map(|bits: u8| {
            let [red, green, blue] = [4, 2, 1].map(|bit| f64::from(u8::from(bits & bit != 0)));
            let luma = red_share * red + (1.0 - red_share - blue_share) * green + blue_share * blue;
            let chroma = match is_grey {
                true => [0.0, 0.0],
                false => [(blue - luma) / 1.772, (red - luma) / 1.402],
            };
            let [cb, cr] = chroma.map(|chroma| 128.0 + 224.0 * chroma);
            [16.0 + 219.0 * luma, cb, cr].map(|value| value.round() as u8)
        });
        let plane = |part: usize, width: usize, height: usize| {
            let line = move |_| (0..width).map(move |x| bars[x * 8 / width][part]);
            (0..height).flat_map(line)
        };
        let mut data: Vec<u8> = plane(0, width, height).collect();
        for part in [1, 2] {
            data.extend(plane(part, width / 2, height / 2));
        }
        Self { width, height, data }
    }

    fn assert_near(&self, source: &Self, what: &str) {
        assert_eq!((self.width, self.height), (source.width, source.height), "{what}");
        let planes = self
            .planes()
            .into_iter()
            .zip(source.planes())
            .zip(["Y", "Cb", "Cr"]);
        for (((seen, width), (meant, _)), name) in planes {
            let squares = seen
                .iter()
                .zip(meant)
                .map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
            let decibels = 10.0 * (255.0 * 255.0 * seen.len() as f64 / squares.sum::<f64>().max(1.0)).log10();
            assert!(decibels >= LEAST_DECIBELS, "{what}: {name} has {decibels:.1} dB");
            // The middles of sixteen fields across, well within each bar.
            let line = seen.len() / width / 4 * width;
            for field in 0..8 {
                let at = line + (2 * field + 1) * width / 16;
                let off = seen[at].abs_diff(meant[at]);
                assert!(
                    off <= TOLERANCE,
                    "{what}: {name} of bar {field} is {}, not {}",
                    seen[at],
                    meant[at]
                );
            }
        }
    }
}

/// What is on the terminal of a command of the host.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("ffmpeg is installed (dev/install test)");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
    output.stdout
}

/// The last picture of a recording.
fn last_picture(file: &Path, width: usize, height: usize) -> Picture {
    let mut decode = Command::new("ffmpeg");
    decode.args(["-v", "error", "-i"]).arg(file);
    decode.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
    let decoded = output(&mut decode);
    let length = width * height * 3 / 2;
    assert!(
        !decoded.is_empty() && decoded.len().is_multiple_of(length),
        "{} bytes are no pictures of {width}x{height}",
        decoded.len()
    );
    Picture {
        width,
        height,
        data: decoded[decoded.len() - length..].to_vec(),
    }
}

/// A server, a guest with cameras, and room for recordings.
struct Studio {
    guest: Guest,
    directory: Scratch,
    _server: Process,
    network: Network,
}

impl Studio {
    fn open() -> Self {
        Self::with(&[])
    }

    /// The same with options for drivers.
    fn with(modules: &[&str]) -> Self {
        let network = Network::for_guest();
        let guest = Guest::boot_with(&network, modules);
        Self {
            guest,
            directory: Scratch::new("formats"),
            _server: start_server(&network),
            network,
        }
    }

    /// What a viewer gets to see of the camera, and what the node says of how it set it up. A picture of which the machine had no
    /// time to encode all is not what is measured here: it is watched again.
    fn watch(&self, device: &str, camera: &str, size: (usize, usize), codec: &str) -> (Picture, String) {
        const TRIES: usize = 3;
        let mut tries = 1;
        loop {
            let (file, said, is_less) = self.record(device, camera, codec);
            if !is_less || tries == TRIES {
                return (last_picture(&file, size.0, size.1), said);
            }
            tries += 1;
        }
    }

    /// That a viewer sees vivid's bars. Format, lines, Y'CbCr encoding and quantization by vivid's numbers, what the node makes of
    /// them, and the viewer's codec.
    fn assert_bars(
        &self,
        (format, lines, encoding, quantization, colours, codec): (&str, usize, u32, u32, &str, &str),
    ) {
        let what = format!("{format} {lines} lines, {colours}, {codec}");
        self.guest.must(&format!(
            "v4l2-ctl -d /dev/video0 -c test_pattern=1,osd_text_mode=2,y_cbcr_encoding={encoding},quantization={quantization}"
        ));
        let size = (lines * 16 / 9, lines);
        let camera = format!(
            "size = \"{}x{}\"\nfps = 10\nformat = {format:?}\n",
            size.0, size.1
        );
        let (seen, said) = self.watch("/dev/video0", &camera, size, codec);
        let set_up = format!("{}x{} {format} 10 fps", size.0, size.1);
        assert!(said.contains(&set_up) && said.contains(colours), "{what}: {said}");
        seen.assert_near(&Picture::bars(size.0, size.1, format == "GREY"), &what);
    }

    /// Records two seconds; the file, what the node says of how it set the camera up, and whether viewers got less of the picture.
    fn record(&self, device: &str, camera: &str, codec: &str) -> (PathBuf, String, bool) {
        let config = node_config("porch", device).replace("size = \"1280x720\"\nfps = 30\n", camera);
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
}

mod everything {
    use super::*;

    #[test]
    fn each_raw_format_of_a_driver_is_seen_in_its_colours() {
        if skipped("each_raw_format_of_a_driver_is_seen_in_its_colours", Need::Guest) {
            return;
        }
        let studio = Studio::open();
        // Format, lines, Y'CbCr encoding and quantization by vivid's numbers, what the node makes of them, codec.
        let (default, bt709, full, limited) = (0, 2, 1, 2);
        let plain = "BT.601, limited range";
        let cases = [
            ("YUYV", 1080, default, default, plain, "h264"),
            ("UYVY", 360, default, default, plain, "vp8"),
            ("YVYU", 360, default, default, plain, "h264"),
            ("NV12", 1080, default, default, plain, "h264"),
            ("NV21", 360, default, default, plain, "h264"),
            ("YU12", 720, default, default, plain, "h264"),
            ("YV12", 360, default, default, plain, "vp8"),
            ("GREY", 360, default, default, "BT.601, full range", "h264"),
            ("RGB24", 720, default, default, "BT.601, full range", "h264"),
            ("BGR24", 360, default, default, "BT.601, full range", "h264"),
            ("RGB24", 360, default, limited, "BT.601, limited range", "h264"),
            ("YUYV", 360, bt709, default, "BT.709, limited range", "h264"),
            ("NV12", 360, bt709, full, "BT.709, full range", "vp8"),
            ("YU12", 360, default, full, "BT.601, full range", "h264"),
        ];
        for case in cases {
            studio.assert_bars(case);
        }
    }

    /// As the cameras of many boards' own connectors and HDMI inputs are.
    #[test]
    fn a_multi_planar_camera_is_seen_in_its_colours() {
        if skipped("a_multi_planar_camera_is_seen_in_its_colours", Need::Guest) {
            return;
        }
        let studio =
            Studio::with(&["vivid=n_devs=1 node_types=0x1 num_inputs=1 input_types=0 multiplanar=2"]);
        let program = binary("pinhole-node");
        let listed = studio.guest.must(&format!("{} devices", program.display()));
        assert!(
            listed.contains("/dev/video0") && listed.contains("NV12"),
            "{listed}"
        );
        let plain = "BT.601, limited range";
        for (format, lines, codec) in [
            ("NV12", 1080, "h264"),
            ("YU12", 360, "h264"),
            ("YUYV", 720, "vp8"),
            ("BGR24", 360, "h264"),
        ] {
            let colours = if format == "BGR24" {
                "BT.601, full range"
            } else {
                plain
            };
            studio.assert_bars((format, lines, 0, 0, colours, codec));
        }
    }

    #[test]
    fn a_camera_with_one_format_of_an_awkward_size_is_seen_in_its_colours() {
        if skipped(
            "a_camera_with_one_format_of_an_awkward_size_is_seen_in_its_colours",
            Need::Guest,
        ) {
            return;
        }
        let studio = Studio::open();
        let source = "smptebars=size=1366x768:rate=10";
        let mut draw = Command::new("ffmpeg");
        draw.args(["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1"]);
        draw.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
        let source_picture = Picture {
            width: 1366,
            height: 768,
            data: output(&mut draw),
        };
        let cases = [
            ("YUYV", "rawvideo", "yuyv422"),
            ("NV12", "rawvideo", "nv12"),
            ("YU12", "rawvideo", "yuv420p"),
            ("BGR24", "rawvideo", "bgr24"),
            ("MJPEG", "mjpeg", "yuvj420p"),
            ("MJPEG", "mjpeg", "yuvj422p"),
            ("MJPEG", "mjpeg", "yuvj444p"),
        ];
        for (format, kind, pixels) in cases {
            // Drawn beforehand: what feeds the camera shares the guest's one processor with the node.
            studio.guest.must(&format!(
            "ffmpeg -v error -y -f lavfi -i {source} -frames:v 10 -c:v {kind} -q:v 2 -pix_fmt {pixels} -f {kind} /run/source"
        ));
            let layout = match kind {
                "rawvideo" => format!("-video_size 1366x768 -pix_fmt {pixels}"),
                _ => String::new(),
            };
            let feeder = studio.guest.start(
            "feeder",
            &format!(
                "ffmpeg -nostdin -re -stream_loop -1 -framerate 10 -f {kind} {layout} -i /run/source -c copy -f v4l2 /dev/video10"
            ),
        );
            feeder.wait_for_line("Output #0");
            let (seen, said) = studio.watch(
                "/dev/video10",
                "size = \"1280x720\"\nfps = 10\n",
                (1366, 768),
                "h264",
            );
            feeder.kill();
            assert!(said.contains(&format!("1366x768 {format}")), "{pixels}: {said}");
            assert!(
                said.contains("the nearest to 1280x720 10 fps"),
                "{pixels}: {said}"
            );
            seen.assert_near(&source_picture, &format!("{format} of {pixels}"));
        }
    }

    #[test]
    fn a_camera_that_encodes_is_seen_in_its_colours() {
        if skipped("a_camera_that_encodes_is_seen_in_its_colours", Need::Guest) {
            return;
        }
        let studio = Studio::open();
        let full_709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range pc";
        // Size, what the stream says of its colours and how it is made so, the viewer's codec. Passed on, the numbers stay.
        let cases = [
            ((1366, 768), "", "null", "h264"),
            ((1920, 1080), "", "null", "h264"),
            ((1366, 768), "", "null", "vp8"),
            (
                (1280, 720),
                full_709,
                "scale=in_color_matrix=bt601:in_range=limited:out_color_matrix=bt709:out_range=full",
                "vp8",
            ),
        ];
        for ((width, height), colours, filter, codec) in cases {
            let source = format!("smptebars=size={width}x{height}:rate=10");
            let mut draw = Command::new("ffmpeg");
            draw.args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1"]);
            draw.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
            let source_picture = Picture {
                width,
                height,
                data: output(&mut draw),
            };
            studio.guest.must(&format!(
            "ffmpeg -v error -y -f lavfi -i {source} -frames:v 20 -vf {filter},format=yuv420p -c:v libx264 -preset ultrafast \
             -profile:v baseline -tune zerolatency -g 10 -crf 18 {colours} -f mpegts /run/source.ts"
        ));
            let feeder = studio.guest.start(
                "feeder",
                "ffmpeg -nostdin -re -stream_loop -1 -i /run/source.ts -c copy -f v4l2 /dev/video11",
            );
            feeder.wait_for_line("Output #0");
            let camera = format!("size = \"{width}x{height}\"\nfps = 10\n");
            let (seen, said) = studio.watch("/dev/video11", &camera, (width, height), codec);
            feeder.kill();
            let what = format!("H.264 {width}x{height} {colours} to {codec}");
            assert!(
                said.contains(&format!("{width}x{height} H.264")),
                "{what}: {said}"
            );
            seen.assert_near(&source_picture, &what);
        }
    }
}
