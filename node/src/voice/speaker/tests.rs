use std::sync::mpsc::{self, SyncSender};

use pinhole_service::watchdog::Watchdog;

use super::{
    super::{output::Output, tone::Voice},
    *,
};
use crate::media::SoundCodec;

/// What a card that is none does when it is asked for.
#[derive(Clone, Copy, Debug)]
enum Card {
    Plays,
    IsBusy,
    /// It plays for so many turns, and is unplugged.
    Leaves(u32),
}

/// Plays at the pace of the clock, and tells what it has got.
struct Fake {
    heard: SyncSender<f32>,
    start: Instant,
    written: usize,
    turns: Option<u32>,
}

impl Output for Fake {
    fn rate(&self) -> u32 {
        48_000
    }

    fn describe(&self) -> String {
        "a fake".to_owned()
    }

    fn queued(&mut self) -> Result<Duration, OutputError> {
        if let Some(turns) = &mut self.turns {
            *turns = turns.checked_sub(1).ok_or_else(|| OutputError::Gone {
                device: "fake".to_owned(),
            })?;
        }
        let written = Duration::from_secs_f64(self.written as f64 / 48_000.0);
        Ok(written.saturating_sub(self.start.elapsed()))
    }

    fn goal(&self) -> Duration {
        Duration::from_millis(30)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), OutputError> {
        let played = self.start.elapsed().as_secs_f64() * 48_000.0;
        // Time that has passed with nothing to play is gone.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a test is short"
        )]
        let played = played as usize;
        self.written = self.written.max(played) + samples.len();
        let loudest = samples
            .iter()
            .fold(0.0_f32, |most, sample| most.max(sample.abs()));
        let _ = self.heard.try_send(loudest);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), OutputError> {
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }
}

struct Place {
    speaker: Speaker,
    ducking: Arc<Ducking>,
    heard: mpsc::Receiver<f32>,
    /// What was asked for.
    opened: mpsc::Receiver<String>,
}

fn settings(device: &str) -> Option<Settings> {
    Some(Settings {
        device: device.to_owned(),
        volume: 1.0,
        duck: true,
    })
}

/// A loudspeaker with cards that behave so, one after the other; the last one stays.
fn place(cards: &'static [Card]) -> Place {
    let (heard, hears) = mpsc::sync_channel(100_000);
    let (opens, opened) = mpsc::sync_channel(1000);
    let mut tries = 0;
    let tries = Mutex::new(move || {
        tries += 1;
        cards[(tries - 1usize).min(cards.len() - 1)]
    });
    let open = move |device: &str| -> Result<Box<dyn Output>, OutputError> {
        let _ = opens.try_send(device.to_owned());
        let mut next = tries.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = match next() {
            Card::Plays => None,
            Card::Leaves(turns) => Some(turns),
            Card::IsBusy => {
                return Err(OutputError::Busy {
                    device: device.to_owned(),
                });
            }
        };
        Ok(Box::new(Fake {
            heard: heard.clone(),
            start: Instant::now(),
            written: 0,
            turns,
        }))
    };
    let ducking = Arc::<Ducking>::default();
    let pulse = Watchdog::default().pulse("the loudspeaker", PATIENCE);
    let speaker =
        Speaker::start_with(settings("one"), ducking.clone(), pulse, Box::new(open)).expect("a thread");
    Place {
        speaker,
        ducking,
        heard: hears,
        opened,
    }
}

impl Place {
    /// Talks, 50 packets a second from now on, until `done`.
    fn talk_until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let voice = Voice::new(1, SoundCodec::Opus, 440.0, Instant::now());
        for number in 0..1000 {
            let packet = voice.packet(number);
            std::thread::sleep(packet.arrived.saturating_duration_since(Instant::now()));
            self.speaker.intake().hear(packet);
            if done(self) {
                return;
            }
        }
        panic!("not {what} within 20 s: {:?}", self.speaker.account());
    }

    fn state(&self) -> State {
        self.speaker.account().watch().borrow().state.clone()
    }

    fn hears_something(&self) -> bool {
        self.heard.try_iter().any(|loudest| loudest > 0.3)
    }
}

fn playing() -> State {
    State::Playing {
        device: "a fake".to_owned(),
    }
}

#[test]
fn a_voice_opens_the_device_and_silence_closes_it() {
    let place = place(&[Card::Plays]);
    let mut watch = place.speaker.account().watch();
    place.talk_until("heard while the microphone is low", |place| {
        place.hears_something() && place.state() == playing() && place.ducking.is_on()
    });
    let closed = Instant::now() + Duration::from_secs(20);
    while place.state() != State::Idle {
        assert!(Instant::now() < closed, "the device stays open");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!place.ducking.is_on());
    assert!(watch.has_changed().expect("it runs"));
    assert_eq!(watch.borrow_and_update().state, State::Idle);
    assert_eq!(place.opened.try_iter().count(), 1);
    assert!(place.speaker.account().median().is_some());
    place.speaker.stop();
}

#[test]
fn silence_does_not_open_the_device() {
    let place = place(&[Card::Plays]);
    let voice = Voice::new(1, SoundCodec::Pcmu, 440.0, Instant::now());
    for number in 0..20 {
        let mut packet = voice.packet(number);
        packet.payload = vec![0xff; 160].into();
        place.speaker.intake().hear(packet);
    }
    let account = place.speaker.account();
    // Once the thread has ended it has looked at all of them.
    place.speaker.stop();
    assert_eq!(place.opened.try_iter().count(), 0);
    assert_eq!(account.figures.packets.get(), 20);
}

#[test]
fn a_device_that_is_busy_is_tried_again_and_one_that_is_gone_too() {
    let place = place(&[Card::IsBusy, Card::IsBusy, Card::Leaves(50), Card::Plays]);
    // States pass, and whoever is kept waiting misses them; what is counted stays.
    let faults = |place: &Place| place.speaker.account().figures.faults.get();
    place.talk_until("faulted", |place| faults(place) >= 1 && !place.ducking.is_on());
    place.talk_until("played", |place| {
        place.hears_something() && place.opened.try_iter().count() > 0
    });
    place.talk_until("faulted again", |place| faults(place) >= 2);
    place.talk_until("played again", |place| {
        place.state() == playing() && place.hears_something()
    });
    assert_eq!(faults(&place), 2, "busy, said once, and gone");
    place.speaker.stop();
}

#[test]
fn another_device_is_taken_while_somebody_talks() {
    let place = place(&[Card::Plays]);
    place.talk_until("heard", Place::hears_something);
    place.speaker.replace(settings("two"));
    let mut names = Vec::new();
    place.talk_until("moved", |place| {
        names.extend(place.opened.try_iter());
        names == ["one", "two"]
    });
    place.speaker.replace(None);
    place.talk_until("off", |place| place.state() == State::Off);
    place.speaker.stop();
}

#[test]
fn a_flood_is_dropped_and_counted_without_waiting() {
    let place = place(&[Card::Plays]);
    let voice = Voice::new(1, SoundCodec::Opus, 440.0, Instant::now());
    let packet = voice.packet(0);
    for _ in 0..200_000 {
        place.speaker.intake().hear(packet.clone());
    }
    let account = place.speaker.account();
    place.speaker.stop();
    assert_eq!(account.figures.packets.get(), 200_000);
}

/// How long a thread may be busy here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what has to come about by itself.
fn within(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while !is_so() {
        assert!(Instant::now() < end, "not {what} within {time:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A card that fails after a second or two, and closes no sooner than it is allowed to.
struct Hanging {
    inner: Fake,
    may_close: mpsc::Receiver<()>,
}

impl Output for Hanging {
    fn rate(&self) -> u32 {
        self.inner.rate()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn queued(&mut self) -> Result<Duration, OutputError> {
        self.inner.queued()
    }

    fn goal(&self) -> Duration {
        self.inner.goal()
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), OutputError> {
        self.inner.write(samples)
    }

    fn wait(&mut self) -> Result<(), OutputError> {
        self.inner.wait()
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let _ = self.may_close.recv();
    }
}

#[test]
fn a_device_that_hangs_while_it_closes_leaves_the_microphone_full_and_is_noticed() {
    let (heard, hears) = mpsc::sync_channel(100_000);
    let (closes, may_close) = mpsc::sync_channel(1);
    let card = Mutex::new(Some(Hanging {
        inner: Fake {
            heard,
            start: Instant::now(),
            written: 0,
            turns: Some(300),
        },
        may_close,
    }));
    let open = move |device: &str| -> Result<Box<dyn Output>, OutputError> {
        let card = card.lock().unwrap_or_else(PoisonError::into_inner).take();
        card.map(|card| Box::new(card) as Box<dyn Output>)
            .ok_or_else(|| OutputError::Absent {
                device: device.to_owned(),
            })
    };
    let ducking = Arc::<Ducking>::default();
    let watchdog = Watchdog::default();
    let pulse = watchdog.pulse("the loudspeaker", Duration::from_millis(1500));
    let place = Place {
        speaker: Speaker::start_with(settings("one"), ducking.clone(), pulse, Box::new(open))
            .expect("a thread"),
        ducking,
        heard: hears,
        opened: mpsc::sync_channel(1).1,
    };
    place.talk_until("low", |place| place.ducking.is_on());
    place.talk_until("full again", |place| !place.ducking.is_on());
    assert_eq!(place.state(), playing(), "it still closes");
    within(PATIENCE, "noticed", || watchdog.stuck(Instant::now()).is_some());
    assert!(!place.ducking.is_on());
    closes.try_send(()).expect("it waits for that");
    within(PATIENCE, "closed", || {
        matches!(place.state(), State::Faulted { .. })
    });
    place.speaker.stop();
}

#[test]
fn who_waits_for_a_voice_beats() {
    let watchdog = Watchdog::default();
    // A second for a busy machine.
    let pulse = watchdog.pulse("the loudspeaker", BEAT + Duration::from_secs(1));
    let speaker = Speaker::start_with(
        settings("one"),
        Arc::default(),
        pulse,
        Box::new(|_| panic!("nobody talks")),
    )
    .expect("a thread");
    let end = Instant::now() + BEAT + Duration::from_secs(2);
    while Instant::now() < end {
        assert_eq!(watchdog.stuck(Instant::now()), None);
        std::thread::sleep(Duration::from_millis(50));
    }
    speaker.stop();
}

#[test]
fn where_it_is_not_wanted_the_microphone_stays_as_it_is_from_the_reload_on() {
    let place = place(&[Card::Plays]);
    place.talk_until("low", |place| place.ducking.is_on());
    let never = settings("one").map(|settings| Settings {
        duck: false,
        ..settings
    });
    place.speaker.replace(never);
    place.talk_until("full", |place| !place.ducking.is_on());
    place.talk_until("heard", |place| {
        assert!(!place.ducking.is_on());
        place.hears_something()
    });
    assert_eq!(place.opened.try_iter().count(), 1, "in the middle of a word");
    place.speaker.replace(settings("one"));
    place.talk_until("low again", |place| place.ducking.is_on());
    place.speaker.stop();
}
