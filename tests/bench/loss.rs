//! What it costs that packets get lost: a crowd of which each viewer loses others, by chance.

use std::fmt::Write;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use pinhole_e2e::network::Network;
use pinhole_e2e::programs::{binary, server_url, start_node, start_server};
use pinhole_e2e::status::get;
use serde_json::Value;

use crate::crowd::{Crowd, Manner};
use crate::fanout::{SETTLE, sum};
use crate::usage::Watched;
use crate::{NODE, machine, print, progress};

const VIEWERS: usize = 100;
/// Each of which loses so many packets of a million. The first is what the others are compared with.
const LOSSES: [u32; 3] = [0, 30_000, 100_000];
const WINDOW: Duration = Duration::from_secs(30);

/// A camera that is encoded here, so that it can be asked for keyframes, and whose picture takes all of its bitrate.
fn config() -> String {
    let command = "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30,noise=alls=24:allf=t -pix_fmt yuv420p -f rawvideo -";
    format!(
        "name = {NODE:?}\n\n[signaling]\nserver = \"{}\"\n\n[video]\nbitrate = \"1M\"\n\n[webrtc]\nmax_viewers = {VIEWERS}\n\n[[camera]]\n\
         size = \"640x360\"\nfps = 30\ndevice = {{ command = [\"sh\", \"-c\", {command:?}], format = \"yuv420p\" }}\n",
        server_url()
    )
}

/// What the node has done so far.
struct Done {
    keyframes: u64,
    asked: u64,
    thinned: usize,
}

fn done(network: &Network) -> anyhow::Result<Done> {
    let (_, body) = get(network, "/status.json");
    let status: Value = serde_json::from_str(&body)?;
    let encoders = status["cameras"][0]["encoders"]
        .as_array()
        .context("no encoders in the status")?;
    let viewers = status["viewers"].as_array().context("no viewers in the status")?;
    let of_each = |all: &[Value], key: &str| all.iter().filter_map(|one| one[key].as_u64()).sum();
    Ok(Done {
        keyframes: of_each(encoders, "keyframes"),
        asked: of_each(viewers, "keyframe_requests"),
        thinned: viewers.iter().filter(|viewer| viewer["thinned"] == true).count(),
    })
}

pub fn measure(network: &Network) -> anyhow::Result<()> {
    let mut text = format!(
        "### {VIEWERS} viewers of which each loses other packets: pinhole-node, 640x360 at 30 fps, H.264 of 1 Mbit/s\n\n\
         | lost | CPU of the node, ms a second | as a multiple | keyframes a second | asked for, a second | sent less than there is | packets a second \
         | load |\n|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let _server = start_server(network);
    let _node = start_node(network, &config());
    let watched = Watched::child(&binary("pinhole-node"))?;
    let mut crowd = Crowd::start(network, Manner::Watching)?;
    progress(&format!("{VIEWERS} viewers come"));
    crowd.grow_by_groups(VIEWERS)?;
    let mut least = None;
    for loss in LOSSES {
        progress(&format!("each loses {} %", f64::from(loss) / 10_000.0));
        crowd.lose(loss)?;
        thread::sleep(SETTLE);
        let before = done(network)?;
        let (gained, usage) = crowd.gain(|| {
            let started = watched.start()?;
            thread::sleep(WINDOW);
            started.finish()
        })?;
        let after = done(network)?;
        if gained.len() != VIEWERS {
            bail!("of {VIEWERS} viewers {} are there", gained.len());
        }
        let least = *least.get_or_insert(usage.cpu);
        let a_second = |after: u64, before: u64| after.saturating_sub(before) as f64 / usage.wall;
        let _ = writeln!(
            text,
            "| {:.0} % | {:.0} | {:.2} | {:.2} | {:.2} | {} | {:.0} | {} |",
            f64::from(loss) / 10_000.0,
            usage.cpu,
            usage.cpu / least,
            a_second(after.keyframes, before.keyframes),
            a_second(after.asked, before.asked),
            after.thinned,
            sum(&gained, |count| count.packets) as f64 / usage.wall,
            machine::load()?
        );
    }
    print(&text)
}
