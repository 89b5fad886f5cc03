//! The node without its encoder: pictures that were encoded beforehand go the way of a camera that encodes itself, through
//! fan-out and peers. What this process uses is what the viewers cost, and nothing else.

use std::env;
use std::num::NonZeroUsize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use pinhole_node::{
    capture::{Camera, Controls, OwnEncoding, Pattern, VideoSource, Want},
    encode,
    fanout::{self, Demand, Publisher},
    media::{
        AccessUnit, Bitrate, Codec, Frame, FrameRate, FrameSize, Orders, Privacy, Rendition, TalkBack,
        Timestamp,
    },
    peer::{self, CameraId, Engine, Request},
    presence::{self, Presence},
};
use pinhole_service::{log, signals::Signals, watchdog::Watchdog};
use pinhole_signaling::Name;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{MOST, NODE, loudspeaker};

const SIZE: FrameSize = FrameSize {
    width: 1280,
    height: 720,
};
const RATE: FrameRate = FrameRate::per_second(30);
const BITRATE: Bitrate = Bitrate::from_bps(2_000_000);
/// What is played again and again: ten seconds.
const FRAMES: u32 = 300;
/// Frames from one keyframe to the next, as cameras that encode do it by default.
const KEYFRAME_EVERY: u32 = 60;
/// The pattern is smoother than the world and costs less than its bitrate; noise of this many steps of brightness makes up
/// for it.
const NOISE: i16 = 6;
const PATIENCE: Duration = Duration::from_secs(5);

/// The process: signs in at `server` and feeds whoever calls, until it is told to end.
/// With a loudspeaker it plays, to nobody, whatever viewers say.
pub fn run(server: &str, has_loudspeaker: bool) -> anyhow::Result<()> {
    // The node says when it is signed in, which is waited for.
    log::start("pinhole-bench", "warn,pinhole_node=info");
    let recording = record()?;
    let (demand, privacy) = (Demand::default(), Privacy::default());
    let renditions = [Rendition::top(Codec::H264)];
    let ([publisher], broadcast) = fanout::broadcast(renditions, &demand, &privacy);
    let (_, silence) = fanout::broadcast([], &Demand::default(), &privacy);
    let stopping = Arc::new(AtomicBool::new(false));
    let player = Player {
        recording,
        publisher,
        demand: demand.clone(),
        stopping: stopping.clone(),
    };
    let speaker = has_loudspeaker.then(loudspeaker::start).transpose()?;
    let thread = thread::Builder::new()
        .name("player".to_owned())
        .spawn(move || player.run())?;

    // As many threads as the node has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let watchdog = Watchdog::default();
        let (_viewers, settings) = watch::channel(peer::Settings {
            max_viewers: MOST,
            stun_servers: Vec::new(),
            sound: false,
            talk_back: if speaker.is_some() {
                TalkBack::All
            } else {
                TalkBack::Nobody
            },
        });
        let (engine, calls) = Engine::new(peer::Parts {
            transport: peer::Transport::bind(0)?,
            settings,
            sound: silence,
            privacy,
            ears: None,
            intake: speaker.as_ref().map(|speaker| speaker.intake()),
            threads: threads()?,
        });
        let camera = CameraId::default();
        let open = Request::Open {
            camera,
            broadcast,
            span: tracing::Span::none(),
        };
        calls.ask(open).await;
        let (_membership, settings) = watch::channel(presence::Settings {
            server: server.parse()?,
            token: None,
            name: Name::from(NODE),
        });
        let presence = Presence::new(camera, settings, calls);
        // Tasks of their own, as in the node.
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(engine.run(stop.clone(), watchdog.pulse("engine", PATIENCE)));
        tasks.spawn(presence.run(stop.clone(), watchdog.pulse("presence", PATIENCE)));
        tokio::select! {
            _ = signals.stop() => {}
            _ = tasks.join_next() => {}
        }
        anyhow::Ok(())
    })?;
    stopping.store(true, Ordering::Relaxed);
    demand.change();
    if let Some(speaker) = speaker {
        speaker.stop();
    }
    thread.join().ok().context("the player panicked")
}

/// Threads that send to a crowd: as many as this says, or as the node has.
pub const THREADS: &str = "PINHOLE_BENCH_THREADS";

fn threads() -> anyhow::Result<NonZeroUsize> {
    match env::var(THREADS) {
        Ok(count) => Ok(count.parse()?),
        Err(_) => Ok(thread::available_parallelism()?),
    }
}

/// Encodes the pattern with noise, as quickly as it goes.
fn record() -> anyhow::Result<Vec<AccessUnit>> {
    // Faster than real time: the pattern makes each frame when it is due.
    let fast = FrameRate::per_second(240);
    let mut source = Pattern.open(&Want {
        size: SIZE,
        rate: fast,
        controls: Controls::new(),
        format: None,
        own_encoding: OwnEncoding::Never,
        encoder_formats: Vec::new(),
    })?;
    let mut format = source.format();
    format.rate = RATE;
    let mut encoder = encode::software(Codec::H264, format, BITRATE)?;
    let mut noise = SmallRng::seed_from_u64(1);
    let mut recording = Vec::new();
    for number in 0..FRAMES {
        let picture = noisy(source.as_mut(), &mut noise)?;
        let frame = Frame {
            format,
            captured_at: Timestamp::from_monotonic(RATE.interval() * number),
            sequence: number,
            dmabuf: None,
            data: &picture,
        };
        let orders = Orders {
            keyframe: number % KEYFRAME_EVERY == 0,
            bitrate: None,
        };
        recording.extend(encoder.encode(&frame, orders)?);
    }
    Ok(recording)
}

fn noisy(source: &mut dyn VideoSource, noise: &mut SmallRng) -> anyhow::Result<Vec<u8>> {
    let frame = source.next(PATIENCE)?.context("the pattern has no picture")?;
    let mut picture = frame.data.to_vec();
    let luma = frame.format.stride as usize * SIZE.height as usize;
    for point in &mut picture[..luma] {
        let value = i16::from(*point) + noise.random_range(-NOISE..=NOISE);
        *point = u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX);
    }
    Ok(picture)
}

/// Plays the recording while somebody watches.
struct Player {
    recording: Vec<AccessUnit>,
    publisher: Publisher<AccessUnit>,
    demand: Demand,
    stopping: Arc<AtomicBool>,
}

impl Player {
    fn run(&self) {
        let mut place = 0;
        let mut due = Instant::now();
        loop {
            let seen = self.demand.seen();
            if self.stopping.load(Ordering::Relaxed) {
                return;
            }
            if !self.publisher.has_subscribers() {
                self.demand.wait(seen, None);
                due = Instant::now();
                continue;
            }
            if self.publisher.take_orders(Instant::now()).keyframe {
                place = self.keyframe_from(place);
            }
            let unit = AccessUnit {
                captured_at: Timestamp::now(),
                ..self.recording[place].clone()
            };
            self.publisher.publish(&unit);
            place = (place + 1) % self.recording.len();
            due += RATE.interval();
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// The next keyframe of the recording; its first frame is one.
    fn keyframe_from(&self, place: usize) -> usize {
        let rest = &self.recording[place..];
        rest.iter()
            .position(|unit| unit.is_keyframe)
            .map_or(0, |ahead| place + ahead)
    }
}
