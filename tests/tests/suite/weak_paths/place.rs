//! A camera, and the paths to it.

use std::time::{Duration, Instant};

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::network::Network;
use pinhole_e2e::path::{Conditions, Path};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_url, start_node, start_server};
use pinhole_e2e::status::get;
use serde_json::{Value, json};

/// Of the whole picture.
pub(super) const SIZE: &str = "640x360";

/// Server and node, and networks from which one looks.
pub(super) struct Place {
    /// By each of these one reaches a network of its own.
    pub(super) paths: Vec<Path>,
    pub(super) fars: Vec<Network>,
    pub(super) node: Process,
    _server: Process,
    pub(super) near: Network,
}

impl Place {
    /// With a node of this configuration, and so many paths.
    pub(super) fn new(config: &str, conditions: &[Conditions]) -> Self {
        let near = Network::without_guest();
        let fars: Vec<_> = conditions.iter().map(|_| Network::remote()).collect();
        let paths = (0..).zip(conditions).zip(&fars);
        let paths = paths.map(|((number, conditions), far)| {
            let path = Path::numbered(number, &near, far, *conditions);
            // What comes back is late and lost as well; there is little of it, for which any path is wide.
            path.change_back(|back| {
                *back = Conditions {
                    rate: None,
                    ..*conditions
                }
            });
            path
        });
        let paths = paths.collect();
        let server = start_server(&near);
        let node = start_node(&near, config);
        Self {
            paths,
            fars,
            node,
            _server: server,
            near,
        }
    }

    /// What the node tells of itself.
    pub(super) fn status(&self) -> Value {
        status(&self.near)
    }

    /// How many viewers are sent less than there is.
    pub(super) fn thinned(&self) -> usize {
        let status = self.status();
        let viewers = status["viewers"].as_array().map_or(&[][..], Vec::as_slice);
        viewers.iter().filter(|viewer| viewer["thinned"] == true).count()
    }

    /// Waits until so many viewers are sent less than there is.
    pub(super) fn has_thinned(&self, count: usize, patience: Duration) {
        let has = eventually(patience, || (self.thinned() == count).then_some(()));
        assert!(has.is_some(), "{:#}", self.status()["viewers"]);
    }
}

/// What the node in this network tells of itself.
pub(super) fn status(network: &Network) -> Value {
    let (code, body) = get(network, "/status.json");
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).expect("the status is JSON")
}

/// A camera whose picture takes all of its 2.1 Mbit/s: the pattern has too little in it that moves.
pub(super) fn raw_camera() -> String {
    camera("-pix_fmt yuv420p -f rawvideo", "yuv420p", 24)
}

/// A camera that encodes by itself, about as much, with a keyframe every two seconds, which can't be asked for any.
pub(super) fn encoding_camera() -> String {
    camera(
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -g 60 -b:v 2.1M -maxrate 2.1M -bufsize 1M -f h264",
        "h264",
        8,
    )
}

fn camera(options: &str, format: &str, noise: u32) -> String {
    let picture = format!("testsrc2=size={SIZE}:rate=30,noise=alls={noise}:allf=t");
    let command = format!("exec ffmpeg -nostdin -v error -re -f lavfi -i {picture} {options} -");
    format!(
        "name = \"porch\"\n\n[signaling]\nserver = \"{}\"\n\n[video]\nbitrate = \"2.1M\"\n\n[webrtc]\nmax_viewers = 20\n\n[[camera]]\nsize = \"{SIZE}\"\n\
         fps = 30\ndevice = {{ command = [\"sh\", \"-c\", {command:?}], format = \"{format}\" }}\n",
        server_url()
    )
}

/// The same with a microphone, in which a tone is heard.
pub(super) fn with_tone(config: &str) -> String {
    format!("{config}\n[[microphone]]\ndevice = \"tone\"\n")
}

/// A page with the camera in its list.
pub(super) fn page(network: &Network) -> Peer {
    let mut page = Peer::chromium(network);
    page.ask("open", json!({"url": server_url()}));
    page.ask("cameras", json!({"camera": "porch"}));
    page
}

/// What the node told while something else went on, each with when it did.
pub(super) struct Told(pub(super) Vec<(Duration, Value)>);

/// Asks the node four times a second while `work` is done.
pub(super) fn while_asking<T>(network: &Network, work: impl FnOnce() -> T) -> (T, Told) {
    const EVERY: Duration = Duration::from_millis(250);
    let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || {
            let start = Instant::now();
            let mut told = Vec::new();
            while ended.recv_timeout(EVERY) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let status = status(network);
                told.push((start.elapsed(), status));
            }
            told
        });
        let done = work();
        drop(end);
        let told = asking
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (done, Told(told))
    })
}

/// Waits for a page's picture.
pub(super) fn is_live(page: &mut Peer) {
    page.ask("wait_live", json!({"within": SOON.as_secs() + 10}));
}
