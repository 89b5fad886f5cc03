//! What sound costs: a viewer that hears the microphone, and a viewer that talks, each beside one that only watches.

use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{SIGNED_IN, binary, node_config, server_url, start_node, start_server};

use crate::child::Child;
use crate::crowd::{Count, Crowd, Manner};
use crate::fanout::{SETTLE, WINDOW};
use crate::loudspeaker::Heard;
use crate::usage::{Usage, Watched};
use crate::{NODE, machine, print, progress};

const LISTENERS: [usize; 3] = [1, 10, 50];
/// As many as the mixer takes at most.
const TALKERS: [usize; 3] = [1, 4, 8];
/// Talkers are few, and CPU time is counted in steps of 10 ms: they are measured for longer.
const TALK: Duration = Duration::from_secs(20);
/// Of 50 packets a second: less is no sound. It is not more, because the machine may have other work.
const LEAST_SOUND: f64 = 40.0;

pub fn measure(network: &Network) -> anyhow::Result<()> {
    listeners(network)?;
    talkers(network)
}

/// pinhole-node with a picture that costs little, and a microphone.
fn listeners(network: &Network) -> anyhow::Result<()> {
    let series = |manner| {
        let _server = start_server(network);
        let most = LISTENERS.into_iter().max().unwrap_or(1);
        let config = node_config(NODE, "pattern")
            .replace("1280x720", "320x180")
            .replace("fps = 30", "fps = 5");
        let config =
            format!("{config}\n[[microphone]]\ndevice = \"tone\"\n\n[webrtc]\nmax_viewers = {most}\n");
        let node = start_node(network, &config);
        let watched = Watched::child(&binary("pinhole-node"))?;
        let mut crowd = Crowd::start(network, manner)?;
        LISTENERS
            .into_iter()
            .map(|viewers| {
                progress(&format!("sound, {viewers} viewers {manner:?}"));
                crowd.grow(viewers)?;
                thread::sleep(SETTLE);
                let (gained, usage) = crowd.gain(|| used(watched, WINDOW))?;
                assert_pictures(&gained, viewers, &node)?;
                assert_heard(&gained, manner, usage.wall, &node)?;
                Row::new(gained, usage)
            })
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let pairs = pairs(series(Manner::Watching)?, series(Manner::Listening)?);
    let mut text = String::from(
        "### Sound to viewers: pinhole-node, pattern 320x180 at 5 fps, and a tone as Opus of 32 kbit/s\n\n\
         | viewers | CPU without sound, ms a second | with sound | more | sound, kbit/s a viewer | least packets of sound a second | \
         lost | whole machine without, with, ms a second | load without, with |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for Pair { without, with } in &pairs {
        let bits = with.sum(|count| count.sound_bytes) as f64 * 8.0 / 1000.0;
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {:.0}, {:.0} | {}, {} |",
            with.viewers(),
            without.usage.cpu,
            with.usage.cpu,
            with.usage.cpu - without.usage.cpu,
            bits / with.usage.wall / with.viewers() as f64,
            fewest(&with.gained, |count| count.sound) as f64 / with.usage.wall,
            with.sum(|count| count.sound_lost),
            without.usage.machine,
            with.usage.machine,
            without.load,
            with.load,
        );
    }
    let (listener, microphone) = split(&pairs);
    print(&format!(
        "{text}\nOne listener more costs {listener:.2} ms of CPU a second; the microphone's way (tone, Opus), once for all, \
         {microphone:.1} ms. One of these viewers more, without sound, costs {:.2} ms.",
        viewer(&pairs)
    ))
}

/// The node without camera and encoder, and with its loudspeaker.
fn talkers(network: &Network) -> anyhow::Result<()> {
    let series = |manner| {
        let _server = start_server(network);
        let mut node = Child::start(network, &["feed", &server_url(), "loudspeaker"])?;
        node.process().wait_for_line(SIGNED_IN);
        // The crowd will run the same program, but does not yet.
        let watched = Watched::child(Path::new(&std::env::current_exe()?))?;
        let mut crowd = Crowd::start(network, manner)?;
        TALKERS
            .into_iter()
            .map(|viewers| {
                progress(&format!("sound, {viewers} viewers {manner:?}, loudspeaker"));
                crowd.grow(viewers)?;
                thread::sleep(SETTLE);
                let (gained, (usage, before, after)) = crowd.gain(|| {
                    let before: Heard = node.ask("heard")?;
                    let usage = used(watched, TALK)?;
                    Ok((usage, before, node.ask::<Heard>("heard")?))
                })?;
                assert_pictures(&gained, viewers, node.process())?;
                let talk = Talk { before, after };
                talk.assert(viewers, manner, usage.wall, node.process())?;
                Ok((Row::new(gained, usage)?, talk))
            })
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let (without, _): (Vec<_>, Vec<_>) = series(Manner::Watching)?.into_iter().unzip();
    let (with, talks): (Vec<_>, Vec<_>) = series(Manner::Talking)?.into_iter().unzip();
    let pairs = pairs(without, with);
    let mut text = String::from(
        "### Voices to a loudspeaker: encoded beforehand as above, and viewers that talk all the time, in Opus of 32 kbit/s\n\n\
         | viewers | CPU while they are silent, ms a second | while all talk | more | heard at the end | packets of voices a second | \
         late | left out | refused | made up | arrival to ear, median, ms | whole machine silent, talking, ms a second | load silent, talking |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (Pair { without, with }, talk) in pairs.iter().zip(&talks) {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {} | {:.0} | {} | {} | {} | {} | {:.0} | {:.0}, {:.0} | {}, {} |",
            with.viewers(),
            without.usage.cpu,
            with.usage.cpu,
            with.usage.cpu - without.usage.cpu,
            talk.after.talkers,
            talk.packets() as f64 / with.usage.wall,
            talk.after.late - talk.before.late,
            talk.after.skipped - talk.before.skipped,
            talk.after.refused - talk.before.refused,
            talk.after.concealed - talk.before.concealed,
            talk.after.delay.unwrap_or(f64::NAN),
            without.usage.machine,
            with.usage.machine,
            without.load,
            with.load,
        );
    }
    let (talker, loudspeaker) = split(&pairs);
    print(&format!(
        "{text}\nOne talker more costs {talker:.2} ms of CPU a second; the loudspeaker's way while anybody talks (mixer, conversion), \
         once for all, {loudspeaker:.1} ms, without the card's driver. One of these viewers more, silent, costs {:.2} ms.",
        viewer(&pairs)
    ))
}

/// One crowd, measured.
struct Row {
    gained: Vec<Count>,
    usage: Usage,
    load: String,
}

impl Row {
    fn new(gained: Vec<Count>, usage: Usage) -> anyhow::Result<Self> {
        Ok(Self {
            gained,
            usage,
            load: machine::load()?,
        })
    }

    fn viewers(&self) -> usize {
        self.gained.len()
    }

    fn sum(&self, of: impl Fn(&Count) -> u64) -> u64 {
        self.gained.iter().map(of).sum()
    }
}

/// Crowds of the same size, without sound and with it.
struct Pair {
    without: Row,
    with: Row,
}

fn pairs(without: Vec<Row>, with: Vec<Row>) -> Vec<Pair> {
    let both = without.into_iter().zip(with);
    both.map(|(without, with)| Pair { without, with }).collect()
}

/// What the sound of one viewer more costs, and what all sound costs once, in ms of CPU a second: between the smallest crowd
/// and the greatest.
fn split(pairs: &[Pair]) -> (f64, f64) {
    let more = |pair: &Pair| pair.with.usage.cpu - pair.without.usage.cpu;
    let each = slope(pairs, more);
    (each, pairs.first().map_or(f64::NAN, more) - each)
}

/// What one viewer more costs without sound, likewise.
fn viewer(pairs: &[Pair]) -> f64 {
    slope(pairs, |pair| pair.without.usage.cpu)
}

fn slope(pairs: &[Pair], of: impl Fn(&Pair) -> f64) -> f64 {
    let (Some(one), Some(many)) = (pairs.first(), pairs.last()) else {
        return f64::NAN;
    };
    (of(many) - of(one)) / (many.with.viewers() - one.with.viewers()) as f64
}

fn used(watched: Watched, window: Duration) -> anyhow::Result<Usage> {
    let started = watched.start()?;
    thread::sleep(window);
    started.finish()
}

fn fewest(gained: &[Count], of: impl Fn(&Count) -> u64) -> u64 {
    gained.iter().map(of).min().unwrap_or_default()
}

/// All are there and get pictures.
fn assert_pictures(gained: &[Count], viewers: usize, node: &Process) -> anyhow::Result<()> {
    if gained.len() != viewers || fewest(gained, |count| count.frames) == 0 {
        bail!(
            "of {viewers} viewers {} were there, and not all got pictures; the node's last lines:\n{}",
            gained.len(),
            node.log().tail(20)
        );
    }
    Ok(())
}

/// Who listens gets sound, and nobody else.
fn assert_heard(gained: &[Count], manner: Manner, seconds: f64, node: &Process) -> anyhow::Result<()> {
    let least = fewest(gained, |count| count.sound) as f64 / seconds;
    let is_right = match manner {
        Manner::Listening => least >= LEAST_SOUND,
        Manner::Watching | Manner::Talking => gained.iter().all(|count| count.sound == 0),
    };
    if !is_right {
        bail!(
            "{manner:?}, and the worst-off got {least:.1} packets of sound a second; the node's last lines:\n{}",
            node.log().tail(20)
        );
    }
    Ok(())
}

/// What the loudspeaker did meanwhile.
struct Talk {
    before: Heard,
    after: Heard,
}

impl Talk {
    fn packets(&self) -> u64 {
        self.after.packets - self.before.packets
    }

    /// Who talks is heard, and nobody else.
    fn assert(&self, viewers: usize, manner: Manner, seconds: f64, node: &Process) -> anyhow::Result<()> {
        let rate = self.packets() as f64 / seconds;
        let is_right = match manner {
            Manner::Talking => {
                self.before.talkers == viewers
                    && self.after.talkers == viewers
                    && rate >= LEAST_SOUND * viewers as f64
            }
            Manner::Watching | Manner::Listening => self.packets() == 0,
        };
        if !is_right {
            bail!(
                "{viewers} viewers {manner:?}, and {rate:.0} packets of voices a second came to the loudspeaker: {:?}, {:?}; \
                 the node's last lines:\n{}",
                self.before,
                self.after,
                node.log().tail(20)
            );
        }
        Ok(())
    }
}
