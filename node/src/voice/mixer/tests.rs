use super::{
    super::tone::{self, Voice},
    *,
};
use crate::media::{SOUND_RATE, SoundCodec};

struct Room {
    start: Instant,
    mixer: Mixer,
    out: Vec<f32>,
}

impl Room {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            mixer: Mixer::new(Arc::default()),
            out: Vec::new(),
        }
    }

    fn talk(&mut self, voices: &[Voice], seconds: u32) {
        for number in 0..seconds * 50 {
            for voice in voices {
                let packet = voice.packet(number);
                let now = packet.arrived;
                self.mixer.hear(packet, now);
            }
            for half in 0..2 {
                let now = self.start + Duration::from_millis(20) * number + Duration::from_millis(10) * half;
                let mut mixed = [0.0; 480];
                self.mixer.mix(&mut mixed, now);
                self.out.extend(mixed);
            }
        }
    }
}

#[test]
fn two_talkers_are_both_in_it() {
    let mut room = Room::new();
    let voices = [
        Voice::new(1, SoundCodec::Opus, 440.0, room.start),
        Voice::new(2, SoundCodec::Pcmu, 600.0, room.start),
    ];
    room.talk(&voices, 3);
    let last = &room.out[room.out.len() - SOUND_RATE as usize..];
    for frequency in [440.0, 600.0] {
        let share = tone::share(last, frequency, SOUND_RATE);
        assert!(share > 0.3, "{frequency}: {share}");
    }
    let end = room.start + Duration::from_secs(3);
    assert!(room.mixer.is_audible(end));
    assert_eq!(room.mixer.report(end).len(), 2);
    assert!(!room.mixer.is_audible(end + BETWEEN_WORDS * 2));
}

#[test]
fn many_at_once_are_lowered_and_not_cut_off() {
    let mut room = Room::new();
    let voices: Vec<_> = (0..4)
        .map(|number| {
            Voice::new(
                number,
                SoundCodec::Pcma,
                300.0 + 150.0 * number as f64,
                room.start,
            )
        })
        .collect();
    room.talk(&voices, 3);
    let last = &room.out[room.out.len() - SOUND_RATE as usize..];
    let peak = last.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    assert!((0.5..=1.0).contains(&peak), "{peak}");
    let clipped = last.iter().filter(|sample| sample.abs() >= 1.0).count();
    assert!(clipped < last.len() / 200, "{clipped}");
    let shares = (0..4).map(|number| tone::share(last, 300.0 + 150.0 * f64::from(number), SOUND_RATE));
    assert!(shares.sum::<f64>() > 0.8, "what is in it are the tones");
}

#[test]
fn no_more_talk_than_there_are_places_and_the_silent_give_theirs_up() {
    let mut room = Room::new();
    let silence = |talker, at: Duration| {
        let mut packet = Voice::new(talker, SoundCodec::Pcmu, 440.0, room.start).packet(0);
        packet.payload = vec![0xff; 160].into();
        packet.arrived = room.start + at;
        packet
    };
    for talker in 0..MOST_TALKERS as u64 {
        room.mixer.hear(silence(talker, Duration::ZERO), room.start);
    }
    room.mixer.hear(silence(99, Duration::ZERO), room.start);
    assert_eq!(room.mixer.figures.refused.get(), 1);
    let later = YIELDS + Duration::from_secs(1);
    room.mixer.hear(silence(99, later), room.start + later);
    assert_eq!(room.mixer.figures.refused.get(), 1);
    let report = room.mixer.report(room.start + later);
    assert_eq!(report.len(), MOST_TALKERS);
    assert!(report.iter().any(|seat| seat.talker == Talker(99)));
    room.mixer.tidy(room.start + FORGOTTEN);
    assert_eq!(room.mixer.report(room.start).len(), 1, "who left is forgotten");
}
