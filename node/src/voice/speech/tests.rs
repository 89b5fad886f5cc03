use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    super::tone::{self, Voice},
    *,
};
use crate::media::SOUND_RATE;

struct Run {
    voice: Voice,
    speech: Speech,
    figures: Figures,
    out: Vec<f32>,
    waits: Vec<Duration>,
}

impl Run {
    fn new(codec: SoundCodec) -> Self {
        Self {
            voice: Voice::new(1, codec, 440.0, Instant::now()),
            speech: Speech::new(codec, 7).expect("memory"),
            figures: Figures::default(),
            out: Vec::new(),
            waits: Vec::new(),
        }
    }

    fn comes(&mut self, number: u32, late: Duration) {
        let mut packet = self.voice.packet(number);
        packet.arrived += late;
        self.speech.hear(packet, &self.figures);
    }

    /// Plays 10 ms, `ms` after the beginning.
    fn plays(&mut self, ms: u64) {
        let now = self.voice.start + Duration::from_millis(ms);
        let mut samples = [0.0; 480];
        self.speech
            .play(&mut samples, now, &mut self.waits, &self.figures);
        self.out.extend(samples);
    }

    /// `seconds` over a network that loses and delays what `fate` says for each packet.
    fn talk(&mut self, seconds: u32, mut fate: impl FnMut(u32) -> Option<Duration>) {
        let fates = (0..seconds * 50).filter_map(|number| Some((number, fate(number)?)));
        let mut packets: Vec<_> = fates
            .map(|(number, late)| (Duration::from_millis(20) * number + late, number, late))
            .collect();
        packets.sort_unstable();
        let mut packets = packets.into_iter().peekable();
        for ms in (0..u64::from(seconds) * 1000).step_by(10) {
            while let Some((_, number, late)) = packets.next_if(|(at, _, _)| *at <= Duration::from_millis(ms))
            {
                self.comes(number, late);
            }
            self.plays(ms);
        }
    }

    /// All but the first second is 440 Hz: in pieces of so many a second, at least `share` of the power.
    fn assert_tone(&self, pieces: usize, least: f64) {
        let second = SOUND_RATE as usize;
        let (frequency, _) = tone::dominant(&self.out[second * 2..second * 3], SOUND_RATE);
        assert!((frequency - 440.0).abs() < 2.0, "{frequency}");
        for (number, piece) in self.out[second..].chunks_exact(second / pieces).enumerate() {
            let share = tone::share(piece, 440.0, SOUND_RATE);
            assert!(share > least, "{share} in piece {number}");
        }
    }
}

#[test]
fn an_even_network_changes_nothing() {
    for codec in SoundCodec::ALL {
        let mut run = Run::new(codec);
        run.talk(5, |_| Some(Duration::ZERO));
        run.assert_tone(10, 0.9);
        assert_eq!(run.figures.concealed.get(), 0, "{codec}");
        assert_eq!((run.figures.late.get(), run.figures.damaged.get()), (0, 0));
        run.waits.sort_unstable();
        let median = run.waits[run.waits.len() / 2];
        assert!(median <= Duration::from_millis(50), "{codec}: {median:?}");
    }
}

#[test]
fn a_bad_network_is_concealed_and_the_tone_stays() {
    for codec in SoundCodec::ALL {
        let mut random = StdRng::seed_from_u64(5);
        let mut run = Run::new(codec);
        run.talk(20, |_| {
            random
                .random_bool(0.95)
                .then(|| Duration::from_millis(random.random_range(0..60)))
        });
        run.assert_tone(1, 0.5);
        let concealed = run.figures.concealed.get();
        assert!((20..120).contains(&concealed), "{codec}: {concealed} of 1000");
        assert!(run.speech.depth() <= Duration::from_millis(220));
    }
}

#[test]
fn a_burst_does_not_leave_a_delay_behind() {
    let mut run = Run::new(SoundCodec::Opus);
    // Two seconds in, everything of 180 ms comes at once.
    run.talk(12, |number| {
        (100..110)
            .contains(&number)
            .then(|| Duration::from_millis(20) * (110 - number))
            .or(Some(Duration::ZERO))
    });
    let held = run.speech.depth();
    assert!(
        held < run.speech.target() + SURPLUS + EXCESS,
        "{held:?} for {:?}",
        run.speech.target()
    );
    assert!(run.figures.skipped.get() < 12);
}

#[test]
fn the_end_of_a_speech_is_no_loss() {
    let mut run = Run::new(SoundCodec::Opus);
    for number in 0..50 {
        run.comes(number, Duration::ZERO);
        run.plays(u64::from(number) * 20);
        run.plays(u64::from(number) * 20 + 10);
    }
    for ms in (1000..1500).step_by(10) {
        run.plays(ms);
    }
    assert_eq!(run.figures.concealed.get(), 0);
    let end = &run.out[run.out.len() - 4800..];
    assert!(end.iter().all(|sample| *sample == 0.0), "and silence after it");
    // The next one is heard from its beginning on.
    run.out.clear();
    for number in 50..100 {
        run.comes(number, Duration::from_secs(3));
        run.plays(3000 + u64::from(number) * 20);
        run.plays(3000 + u64::from(number) * 20 + 10);
    }
    assert!(tone::share(&run.out[9600..], 440.0, SOUND_RATE) > 0.9);
}

#[test]
fn another_codec_or_stream_goes_on() {
    let mut run = Run::new(SoundCodec::Opus);
    run.talk(1, |_| Some(Duration::ZERO));
    run.voice = Voice::new(1, SoundCodec::Pcma, 700.0, Instant::now());
    run.out.clear();
    run.talk(1, |_| Some(Duration::ZERO));
    assert!(tone::share(&run.out[9600..], 700.0, SOUND_RATE) > 0.9);
}

#[test]
fn what_is_no_sound_is_counted() {
    let mut run = Run::new(SoundCodec::Opus);
    let mut packet = run.voice.packet(0);
    packet.payload = bytes::Bytes::new();
    run.speech.hear(packet, &run.figures);
    assert_eq!(run.figures.damaged.get(), 1);
}

#[test]
fn a_voice_is_told_from_silence_while_nothing_is_played() {
    let mut run = Run::new(SoundCodec::Pcmu);
    let mut packet = run.voice.packet(0);
    assert!(run.speech.overhear(&packet, &run.figures));
    packet.payload = vec![0xff; 160].into();
    // What the converter still had of the one before fades in the first of these.
    run.speech.overhear(&packet, &run.figures);
    assert!(!run.speech.overhear(&packet, &run.figures));
}
