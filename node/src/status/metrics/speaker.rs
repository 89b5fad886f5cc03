use std::fmt;

use super::page::{Page, SECONDS};
use crate::status::speaker::{Speaker, SpeakerState, Talker};

/// What the loudspeaker and those who talk on it tell.
pub(super) fn write(speaker: &Speaker, page: &mut Page<'_>) -> fmt::Result {
    let states = SpeakerState::ALL.map(|(word, state)| (word, state == speaker.state));
    page.state("pinhole_speaker_state", "1 for what the loudspeaker is.", &states)?;
    for (name, help, value) in [
        (
            "pinhole_speaker_faults",
            "How often the loudspeaker was lost, or another reason for that found.",
            speaker.faults,
        ),
        (
            "pinhole_speaker_xruns",
            "How often the loudspeaker had nothing to play while somebody talked.",
            speaker.xruns,
        ),
        (
            "pinhole_voice_packets",
            "Packets of voices that came.",
            speaker.packets,
        ),
        (
            "pinhole_voice_concealed_packets",
            "Packets in whose place something was made up.",
            speaker.concealed,
        ),
    ] {
        page.counter(name, help, value)?;
    }
    let dropped = [
        ("refused", speaker.refused),
        ("late", speaker.late),
        ("damaged", speaker.damaged),
        ("skipped", speaker.skipped),
    ];
    let rows = dropped.map(|(reason, count)| (vec![("reason", reason)], count as f64));
    let help = "Packets of voices that were not played, by the reason.";
    page.counters("pinhole_voice_dropped_packets", None, help, rows)?;
    let help = "From the arrival of a packet until it is heard.";
    page.histograms(
        "pinhole_voice_mouth_to_ear",
        help,
        [(vec![], &speaker.mouth_to_ear)],
    )?;
    let help = "The median of that over the last some hundred packets.";
    let rows = speaker.mouth_to_ear_seconds.map(|median| (vec![], median));
    page.gauges("pinhole_voice_mouth_to_ear_median", SECONDS, help, rows)?;
    talkers(&speaker.talkers, page)
}

fn talkers(talkers: &[Talker], page: &mut Page<'_>) -> fmt::Result {
    let numbers: Vec<String> = talkers.iter().map(|talker| talker.session.to_string()).collect();
    let each = |value: fn(&Talker) -> f64| {
        let row = move |(number, talker)| (vec![("session", String::as_str(number))], value(talker));
        numbers.iter().zip(talkers).map(row)
    };
    for (name, unit, help, value) in FIGURES {
        page.gauges(name, unit, help, each(value))?;
    }
    Ok(())
}

/// Name, unit, meaning and value.
type Figure = (
    &'static str,
    Option<&'static str>,
    &'static str,
    fn(&Talker) -> f64,
);

const FIGURES: [Figure; 3] = [
    (
        "pinhole_talker_level",
        Some("ratio"),
        "How loud a viewer talks, as the root mean square, 0 to 1.",
        |talker| 10.0_f64.powf(f64::from(talker.level_dbfs) / 20.0),
    ),
    (
        "pinhole_talker_jitter_buffer",
        SECONDS,
        "Sound of a viewer that waits.",
        |talker| talker.jitter_buffer_seconds,
    ),
    (
        "pinhole_talker_jitter_buffer_target",
        SECONDS,
        "How much is meant to, as uneven as the network is.",
        |talker| talker.jitter_buffer_target_seconds,
    ),
];
