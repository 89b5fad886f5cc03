//! What is right of an answer and of an offer, by the standards alone: nothing of the program is used here.

use std::fmt::Debug;

use super::cut::{DIRECTIONS, Media, Sdp};

pub(super) type Verdict = Result<(), String>;

/// Our descriptions are no longer than the viewer's, but for so much in each section, and in all.
const SECTION: usize = 1200;
const ALL: usize = 1200;

fn same<T: PartialEq + Debug>(what: &str, number: usize, offered: T, answered: T) -> Verdict {
    if offered == answered {
        Ok(())
    } else {
        Err(format!(
            "section {number}: {what} was {offered:?} and is {answered:?}"
        ))
    }
}

fn right(is_so: bool, what: impl FnOnce() -> String) -> Verdict {
    if is_so { Ok(()) } else { Err(what()) }
}

/// Whether this is a right answer to that offer.
pub(super) fn answers(offer_text: &str, answer_text: &str) -> Verdict {
    let (offer, answer) = (Sdp::cut(offer_text), Sdp::cut(answer_text));
    right(answer.sections.len() == offer.sections.len(), || {
        format!(
            "{} sections became {}",
            offer.sections.len(),
            answer.sections.len()
        )
    })?;
    let most = offer_text.len() + ALL + SECTION * offer.sections.len();
    right(answer_text.len() <= most, || {
        format!("{} bytes", answer_text.len())
    })?;
    right(
        answer_text.ends_with("\r\n") && !answer_text.replace("\r\n", "").contains(['\r', '\n']),
        || "its lines don't end as lines of SDP do".to_owned(),
    )?;
    for (number, (theirs, ours)) in offer.sections.iter().zip(&answer.sections).enumerate() {
        same("the kind", number, theirs.kind(), ours.kind())?;
        same("the transport", number, theirs.transport(), ours.transport())?;
        same("the mid", number, theirs.value("mid"), ours.value("mid"))?;
        right(!ours.formats().is_empty(), || {
            format!("section {number} has no format")
        })?;
        if ours.port() != "0" {
            right(offer.is_open(number), || format!("section {number} was rejected"))?;
            accepted(&offer, &answer, number)?;
        }
    }
    grouped(&offer, &answer)
}

fn accepted(offer: &Sdp<'_>, answer: &Sdp<'_>, number: usize) -> Verdict {
    let (theirs, ours) = (&offer.sections[number], &answer.sections[number]);
    let wrong = |what: &str| Err(format!("section {number}: {what}"));
    right(ours.lines().iter().any(|line| line.starts_with("c=")), || {
        format!("section {number} has no c=")
    })?;
    for key in ["ice-ufrag", "ice-pwd", "fingerprint", "setup"] {
        right(answer.said(number, key).is_some(), || {
            format!("section {number} has no {key}")
        })?;
    }
    // RFC 8842, section 5.3.
    let setups: &[&str] = match offer.said(number, "setup") {
        Some("active") => &["passive"],
        Some("passive") => &["active"],
        _ => &["active", "passive"],
    };
    if !answer
        .said(number, "setup")
        .is_some_and(|setup| setups.contains(&setup))
    {
        return wrong("the setup does not fit");
    }
    if theirs.is_data() || !theirs.is_rtp() {
        same("the format", number, theirs.formats(), ours.formats())?;
        let port = |section: &Media<'_>| {
            section
                .value("sctpmap")
                .and_then(|map| map.split(' ').next().map(str::to_owned))
        };
        return same("the mapped port", number, port(theirs), port(ours));
    }
    // RFC 3264, section 6.1.
    let legal: &[&str] = match offer.direction(number) {
        "sendonly" => &["recvonly", "inactive"],
        "recvonly" => &["sendonly", "inactive"],
        "inactive" => &["inactive"],
        _ => &DIRECTIONS,
    };
    if !legal.contains(&answer.direction(number)) {
        return wrong(&format!(
            "{} answers {}",
            answer.direction(number),
            offer.direction(number)
        ));
    }
    for format in ours.formats() {
        let is_offered = theirs.formats().contains(&format);
        let (codec, other) = (theirs.codec(format), ours.codec(format));
        if !is_offered || codec != other {
            return wrong(&format!("format {format} was {codec:?} and is {other:?}"));
        }
        let is_h264 = other.is_some_and(|(name, ..)| name == "h264");
        for key in ["packetization-mode", "profile-level-id"] {
            if is_h264 && theirs.parameter(format, key) != ours.parameter(format, key) {
                return wrong(&format!("{key} has changed"));
            }
        }
    }
    for format in ours.formats() {
        // RFC 4588, section 8.1: it is of use only beside what it repeats.
        let is_repair = ours.codec(format).is_some_and(|(name, ..)| name == "rtx");
        if is_repair && answer.direction(number) != "inactive" {
            let of = ours.parameter(format, "apt");
            if of != theirs.parameter(format, "apt") || !of.is_some_and(|of| ours.formats().contains(&of)) {
                return wrong(&format!("format {format} repeats {of:?}"));
            }
        }
    }
    let of_all: Vec<_> = theirs.values("rtcp-fb").collect();
    for feedback in ours.values("rtcp-fb") {
        let what = feedback.split_once(' ').map(|(_, what)| format!("* {what}"));
        if !of_all.contains(&feedback) && !what.is_some_and(|what| of_all.contains(&what.as_str())) {
            return wrong(&format!("rtcp-fb:{feedback} was not offered"));
        }
    }
    for key in ["rtcp-mux", "rtcp-rsize"] {
        if ours.has(key) && !theirs.has(key) {
            return wrong(&format!("{key} was not offered"));
        }
    }
    for key in ["extmap", "rid", "simulcast"] {
        let foreign = ours.values(key).find(|value| {
            // RFC 8285, section 6: what the viewer would only receive we would only send.
            let offered = value.replacen("/sendonly ", "/recvonly ", 1);
            !theirs.values(key).any(|other| other == offered)
        });
        if let Some(value) = foreign {
            return wrong(&format!("{key}:{value} was not offered"));
        }
    }
    // RFC 8285, section 5: a number means one extension, and an extension has one number in a section.
    let maps = ours.values("extmap").map(|value| {
        let (number, uri) = value.split_once(' ').unwrap_or_default();
        (number.split('/').next().unwrap_or_default(), uri)
    });
    let maps: Vec<_> = maps.collect();
    let clash = |(number, (id, uri)): (usize, &(&str, &str))| {
        maps[..number]
            .iter()
            .any(|(other_id, other)| other_id == id || other == uri)
    };
    if maps.iter().enumerate().any(clash) {
        return wrong(&format!("{maps:?} are for one and the same"));
    }
    Ok(())
}

/// RFC 9143, section 7.3.
fn grouped(offer: &Sdp<'_>, answer: &Sdp<'_>) -> Verdict {
    let groups = answer.groups();
    let open: Vec<_> = (0..answer.sections.len())
        .filter(|number| answer.sections[*number].port() != "0")
        .collect();
    right(groups.len() <= 1, || format!("{} groups", groups.len()))?;
    let group = groups.first().cloned().unwrap_or_default();
    right(
        open.iter().all(|number| group.contains(number)) || open.len() == 1,
        || format!("sections {open:?} are open, and {group:?} are bundled"),
    )?;
    right(group.iter().all(|number| open.contains(number)), || {
        format!("one of {group:?} is rejected")
    })?;
    if let Some(one) = group.first() {
        right(offer.groups().iter().any(|group| group.contains(one)), || {
            "a group that was not offered".to_owned()
        })?;
        let offered = offer.group(*one);
        right(group.iter().all(|number| offered.contains(number)), || {
            format!("{group:?} were offered as {offered:?}")
        })?;
        // Section 7.3.1: who speaks for all is the first that is not rejected. Who offers that it be one without a port is in the wrong (section 7.2).
        let has_port = |number: &usize| offer.sections[*number].port() != "0";
        let first = offered
            .iter()
            .find(|number| open.contains(number) && has_port(number));
        right(
            !offered.first().is_some_and(has_port) || Some(one) == first,
            || format!("{offered:?} became {group:?}"),
        )?;
    }
    let carries = |number: &usize| answer.sections[*number].value("candidate").is_some();
    let carrying: Vec<_> = (0..answer.sections.len()).filter(carries).collect();
    let first = group.first().or(open.first()).copied();
    right(carrying.iter().all(|number| Some(*number) == first), || {
        format!("candidates are in {carrying:?}, and {first:?} is the first")
    })
}

/// Whether an offer of ours goes on from where the last answer of ours was (RFC 3264, section 8; RFC 9429, section 5.2.2).
pub(super) fn continues(before_text: &str, offer_text: &str) -> Verdict {
    let (before, offer) = (Sdp::cut(before_text), Sdp::cut(offer_text));
    right(offer.sections.len() == before.sections.len() + 1, || {
        format!(
            "{} sections became {}",
            before.sections.len(),
            offer.sections.len()
        )
    })?;
    for (number, (old, new)) in before.sections.iter().zip(&offer.sections).enumerate() {
        same("the kind", number, old.kind(), new.kind())?;
        same("the transport", number, old.transport(), new.transport())?;
        same("whether it is open", number, old.port() != "0", new.port() != "0")?;
        if let Some(mid) = old.value("mid") {
            same("the mid", number, mid, new.value("mid").unwrap_or_default())?;
        }
    }
    let mids: Vec<_> = offer
        .sections
        .iter()
        .filter_map(|section| section.value("mid"))
        .collect();
    right(
        mids.iter()
            .enumerate()
            .all(|(number, mid)| !mids[..number].contains(mid)),
        || format!("{mids:?}"),
    )?;
    let group = offer.groups().first().cloned().unwrap_or_default();
    let open: Vec<_> = (0..offer.sections.len())
        .filter(|number| offer.is_open(*number))
        .collect();
    right(
        open.iter().all(|number| group.contains(number)) && group.len() == open.len(),
        || format!("{open:?} are open, and {group:?} are bundled"),
    )
}

/// Whether our picture goes in one of the sections of an answer.
pub(super) fn shows(answer_text: &str) -> bool {
    let answer = Sdp::cut(answer_text);
    let mut sections = answer.sections.iter();
    sections.any(|section| {
        section.kind() == "video"
            && section.port() != "0"
            && matches!(section.direction(), Some("sendonly" | "sendrecv"))
    })
}

/// What a viewer may answer to an offer of ours: all of it, and nothing sent.
pub(super) fn answer_to(offer_text: &str) -> String {
    let offer = Sdp::cut(offer_text);
    let mut lines: Vec<String> = offer.whole.iter().map(|line| (*line).to_owned()).collect();
    for section in &offer.sections {
        for line in section.lines() {
            let skip = ["a=ssrc", "a=msid", "a=candidate", "a=ice-"]
                .iter()
                .any(|key| line.starts_with(key));
            if !skip {
                lines.push(match *line {
                    "a=sendonly" | "a=sendrecv" => "a=recvonly".to_owned(),
                    "a=recvonly" => "a=inactive".to_owned(),
                    "a=setup:actpass" => "a=setup:active".to_owned(),
                    line => line.to_owned(),
                });
            }
        }
        if section.port() != "0" {
            lines.extend([
                "a=ice-ufrag:u0x0".to_owned(),
                "a=ice-pwd:u0x0asd88fgpdd777uzjYhagZg12".to_owned(),
            ]);
        }
    }
    lines.join("\r\n") + "\r\n"
}
