use super::*;
use crate::{
    capture::{self, Shape, Sound},
    encode::g711::Law,
    fanout::{Broadcast, Depth, Subscriber, broadcast},
    media::{Channels, SOUND_RATE, SoundCodec},
};
use pinhole_service::watchdog::Watchdog;
use std::sync::atomic::AtomicUsize;

const SETTINGS: SoundSettings = SoundSettings {
    bitrate: Bitrate::from_bps(32_000),
    dtx: false,
    gain: 1.0,
};

fn started(microphone: Option<Box<dyn Microphone>>) -> (SoundPipeline, Broadcast<SoundUnit>) {
    started_beside(Arc::default(), Privacy::default(), microphone)
}

fn started_beside(
    ducking: Arc<Ducking>,
    privacy: Privacy,
    microphone: Option<Box<dyn Microphone>>,
) -> (SoundPipeline, Broadcast<SoundUnit>) {
    let demand = Demand::default();
    let (publishers, broadcast) = broadcast(SoundCodec::ALL, &demand, &privacy);
    let pulse = Watchdog::default().pulse("the microphone's thread", Duration::from_secs(20));
    let pipeline = SoundPipeline::start(
        microphone,
        SETTINGS,
        publishers.into(),
        demand,
        ducking,
        privacy,
        pulse,
    );
    (pipeline.expect("a thread"), broadcast)
}

fn listen(broadcast: &Broadcast<SoundUnit>, codec: SoundCodec) -> Subscriber<SoundUnit> {
    let subscriber = broadcast.subscribe(codec, Depth::SOUND);
    subscriber.expect("one for each codec")
}

async fn units(subscriber: &mut Subscriber<SoundUnit>, count: usize) -> Vec<SoundUnit> {
    let mut units = Vec::new();
    while units.len() < count {
        units.push(subscriber.next().await.expect("the pipeline runs"));
    }
    units
}

/// How often is listened at most for a stretch in which the machine did not stand still: of a longer moment sound is lost.
const TRIES: usize = 3;

/// Ten units, each of which is 20 ms after the one before it, and the last one from a moment ago.
async fn gapless_units(subscriber: &mut Subscriber<SoundUnit>, codec: SoundCodec) -> Vec<SoundUnit> {
    let frame = codec.clock_rate() / 50;
    let mut heard = Vec::new();
    for _ in 0..TRIES {
        let units = units(subscriber, 10).await;
        let ticks: Vec<u32> = units
            .iter()
            .map(|unit| unit.captured_at.to_rtp(codec.clock_rate()))
            .collect();
        let age = Timestamp::now().since(units[9].captured_at);
        let is_gapless = ticks
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) == frame);
        if is_gapless && age < Duration::from_secs(1) {
            return units;
        }
        heard.push((ticks, age));
    }
    panic!("{codec:?}: {heard:?}");
}

#[tokio::test]
async fn a_tone_is_heard_in_every_codec_at_the_time_it_was_captured() {
    let (pipeline, broadcast) = started(Some(microphone("tone")));
    for codec in broadcast.renditions() {
        let mut subscriber = listen(&broadcast, codec);
        let units = gapless_units(&mut subscriber, codec).await;
        if codec == SoundCodec::Opus {
            assert!(units.iter().all(|unit| unit.data.len() > 10));
        } else {
            assert_eq!(units[9].data.len(), 160);
        }
    }
    let account = pipeline.account();
    assert!(account.is_live());
    tokio::task::spawn_blocking(move || pipeline.stop())
        .await
        .expect("it stops");
}

#[tokio::test]
async fn without_a_microphone_nothing_comes_until_there_is_one() {
    let (pipeline, broadcast) = started(None);
    let mut condition = pipeline.account().watch();
    assert_eq!(condition.borrow_and_update().state, SoundState::Off);
    let mut subscriber = listen(&broadcast, SoundCodec::Opus);
    pipeline.replace(Some(microphone("tone")));
    units(&mut subscriber, 3).await;
    pipeline.replace(None);
    condition
        .wait_for(|condition| condition.state == SoundState::Off)
        .await
        .expect("it is told");
}

/// Fails to open as often as it is told, and ends after as many periods.
struct Shaky {
    failures: Mutex<u32>,
}

struct ShakySource {
    inner: Box<dyn SoundSource>,
    left: u32,
}

impl Microphone for Shaky {
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError> {
        let mut failures = self.failures.lock().expect("nobody panics");
        if *failures > 0 {
            *failures -= 1;
            return Err(SoundError::Busy {
                device: self.describe(),
            });
        }
        *failures = 1;
        Ok(Box::new(ShakySource {
            inner: microphone("tone").open()?,
            left: 30,
        }))
    }

    fn describe(&self) -> String {
        "a shaky one".to_owned()
    }
}

impl SoundSource for ShakySource {
    fn shape(&self) -> &Shape {
        self.inner.shape()
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Sound<'_>>, SoundError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| SoundError::Unplugged {
            device: "a shaky one".to_owned(),
        })?;
        self.inner.next(patience)
    }

    fn overruns(&self) -> u64 {
        0
    }
}

#[tokio::test]
async fn through_faults_time_goes_on_with_silence() {
    let mut tries = 1;
    let (pipeline, units) = loop {
        let (pipeline, broadcast) = started(Some(Box::new(Shaky {
            failures: Mutex::new(1),
        })));
        let mut subscriber = listen(&broadcast, SoundCodec::Pcmu);
        let units = units(&mut subscriber, 120).await;
        // Only where sound begins anew may a step be longer than a frame, and then it is shorter than two.
        let steps = units
            .windows(2)
            .map(|pair| pair[1].captured_at.since(pair[0].captured_at));
        let wrong: Vec<_> = steps
            .filter(|step| *step < Duration::from_micros(19_999) || *step >= Duration::from_millis(40))
            .collect();
        if wrong.is_empty() {
            break (pipeline, units);
        }
        assert!(tries < TRIES, "{wrong:?}");
        tries += 1;
    };
    let account = pipeline.account();
    assert!(
        account.silent.get() > 10 && account.frames.get() > 10,
        "{account:?}"
    );
    assert!(account.faults.get() >= 2, "busy, and unplugged");
    let quiet = |unit: &&SoundUnit| unit.data.iter().all(|code| *code == 0xff);
    assert!(units.iter().filter(quiet).count() > 10);
    assert!(units.iter().filter(|unit| !quiet(unit)).count() > 10);
}

#[tokio::test]
async fn while_a_voice_is_played_the_microphone_is_low() {
    let ducking = Arc::<Ducking>::default();
    let (pipeline, broadcast) = started_beside(ducking.clone(), Privacy::default(), Some(microphone("tone")));
    let mut subscriber = listen(&broadcast, SoundCodec::Pcmu);
    let mut loudest = async || {
        // What was encoded before the change is over after a few.
        let units = units(&mut subscriber, 20).await;
        let samples = units[10..].iter().flat_map(|unit| unit.data.iter());
        samples.map(|code| Law::Mu.decode(*code).unsigned_abs()).max()
    };
    let before = loudest().await.expect("samples");
    ducking.set(true);
    let low = loudest().await.expect("samples");
    assert!(low > 0 && low < before / 20, "{before}, then {low}");
    ducking.set(false);
    assert!(loudest().await > Some(before / 2));
    pipeline.stop();
}

#[test]
fn after_a_suspend_only_the_last_moments_are_silence() {
    let demand = Demand::default();
    let ([publisher], broadcast) = broadcast([SoundCodec::Pcmu], &demand, &Privacy::default());
    let mut work = Work {
        microphone: None,
        settings: SETTINGS,
        lines: Lines::new(vec![publisher], SETTINGS.bitrate, false),
        account: Arc::default(),
        demand,
        stopping: Arc::default(),
        wishes: Arc::default(),
        next: Some(Position(0)),
        meter: Meter::default(),
        last_overrun: None,
        ducking: Arc::default(),
        ducked: Ducked::default(),
        privacy: Privacy::default(),
        pulse: Watchdog::default().pulse("a test", Duration::from_secs(1)),
        faults: Quiet::new(10),
        recoveries: Quiet::new(10),
    };
    let _subscriber = listen(&broadcast, SoundCodec::Pcmu);
    let hours = Position(u64::from(SOUND_RATE) * 3600 * 10);
    work.silence_until(hours).expect("silence");
    assert_eq!(work.account.silent.get(), 100);
    assert_eq!(work.next, Some(hours));
}

#[tokio::test]
async fn behind_the_privacy_switch_the_device_is_closed_and_silence_goes_on() {
    let privacy = Privacy::default();
    let (pipeline, broadcast) = started_beside(Arc::default(), privacy.clone(), Some(microphone("tone")));
    let mut subscriber = listen(&broadcast, SoundCodec::Pcmu);
    let loud = |unit: &SoundUnit| unit.data.iter().any(|code| *code != 0xff);
    while !loud(&units(&mut subscriber, 1).await[0]) {}

    privacy.set(true);
    let mut condition = pipeline.account().watch();
    let private = condition.wait_for(|condition| condition.state == SoundState::Private);
    assert!(private.await.is_ok());
    // What was on its way is held back.
    let after = units(&mut subscriber, 40).await;
    let late = after.iter().filter(|unit| !privacy.blocks(unit.captured_at));
    assert!(late.clone().count() > 10 && !late.clone().any(loud));
    assert_eq!(late.count(), after.len());

    privacy.set(false);
    while !loud(&units(&mut subscriber, 1).await[0]) {}
    assert!(pipeline.account().is_live() || pipeline.account().frames.get() > 0);
}

/// Throws the privacy switch for a moment, while it captures its tenth period.
struct Flicked {
    privacy: Privacy,
    opened: Arc<AtomicUsize>,
    /// When that period was captured.
    at: Arc<Mutex<Option<Timestamp>>>,
}

struct FlickedSource {
    inner: Box<dyn SoundSource>,
    privacy: Privacy,
    at: Arc<Mutex<Option<Timestamp>>>,
    left: u32,
}

impl Microphone for Flicked {
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError> {
        let is_first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        Ok(Box::new(FlickedSource {
            inner: microphone("tone").open()?,
            privacy: self.privacy.clone(),
            at: self.at.clone(),
            left: if is_first { 10 } else { 0 },
        }))
    }

    fn describe(&self) -> String {
        "a flicked one".to_owned()
    }
}

impl SoundSource for FlickedSource {
    fn shape(&self) -> &Shape {
        self.inner.shape()
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Sound<'_>>, SoundError> {
        let sound = self.inner.next(patience)?;
        if let Some(sound) = &sound
            && self.left > 0
        {
            self.left -= 1;
            if self.left == 0 {
                *self.at.lock().expect("nobody panics") = Some(sound.first_at);
                self.privacy.set(true);
                self.privacy.set(false);
            }
        }
        Ok(sound)
    }

    fn overruns(&self) -> u64 {
        0
    }
}

#[tokio::test]
async fn the_shortest_moment_of_privacy_closes_the_device_and_nothing_of_before_comes_after_it() {
    let (privacy, opened, at) = (Privacy::default(), Arc::default(), Arc::default());
    let flicked = Flicked {
        privacy: privacy.clone(),
        opened: Arc::clone(&opened),
        at: Arc::clone(&at),
    };
    let (_pipeline, broadcast) = started_beside(Arc::default(), privacy.clone(), Some(Box::new(flicked)));
    let mut subscriber = listen(&broadcast, SoundCodec::Opus);
    loop {
        let unit = &units(&mut subscriber, 1).await[0];
        if at
            .lock()
            .expect("nobody panics")
            .is_some_and(|flick| unit.captured_at > flick)
        {
            break;
        }
    }
    units(&mut subscriber, 20).await;
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

fn microphone(device: &str) -> Box<dyn Microphone> {
    capture::microphone(device, Channels::All)
}
