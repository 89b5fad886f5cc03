//! From a viewer's first offer to a connection that answers it.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use super::{
    candidate,
    channel::Channel,
    error::SessionError,
    handshake::Handshake,
    hello::Hello,
    inflow::Inflow,
    link::Link,
    media::{Media, sections},
    negotiation::{Negotiation, State},
    numbering::Numbering,
    outgoing::Outgoing,
    pace::Pace,
    probe::Probe,
    remotes::Remotes,
    rungs::Rungs,
    settling::Settling,
    setup,
    silence::Silence,
    sound::SoundSender,
    spread::Spread,
    stream::Stream,
    voice::Ear,
    watch::Watch,
};
use crate::{
    media::TalkBack,
    peer::{
        report::Stage,
        rtcp::{Anchor, Feedback, Inbox, Reader, Reports, ResendLimit},
        sdp::{Agreed, Coding, Description, Layout, Offer, Video},
    },
    voice::Talker,
};

/// What a viewer may have besides the picture.
#[derive(Clone, Debug, Default)]
pub(in crate::peer) struct Terms {
    /// The microphone's sound.
    pub(in crate::peer) sound: bool,
    /// Who may be heard.
    pub(in crate::peer) talk_back: TalkBack,
    /// Whether there is a loudspeaker.
    pub(in crate::peer) loudspeaker: bool,
    /// What the viewer is called there.
    pub(in crate::peer) talker: Talker,
}

impl Terms {
    fn ear(&self, described: &Description, now: Instant) -> Option<Ear> {
        let (role, microphone) = described.microphone.as_ref()?;
        let is_heard = self.loudspeaker && microphone.is_allowed(self.talk_back);
        is_heard.then(|| Ear::new(*role, microphone.clone(), self.talker, now))
    }
}

/// What becomes of an offer that is taken.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) negotiation: Negotiation,
    /// In SDP.
    pub(super) answer: String,
}

/// Takes an offer, and answers it with these addresses of ours, the best first.
///
/// # Errors
/// The offer has no codec of ours, or the core refuses it.
pub(super) fn open(
    viewer: String,
    mut offer: Offer,
    addresses: &[SocketAddr],
    terms: &Terms,
    anchor: Anchor,
    now: Instant,
) -> Result<Opened, SessionError> {
    let described = &offer.described;
    if addresses.is_empty() {
        return Err(SessionError::NoAddress);
    }
    let (coding, state) = match &described.video {
        Video::Wanted(codings) => (
            codings.first().cloned().ok_or(SessionError::NoCommonCodec)?,
            State::Settled,
        ),
        // Every WebRTC endpoint has VP8 (RFC 7742, section 5).
        Video::Absent => (offered_by_us(described.free_payload_type), State::OwesOffer),
    };
    let codec = coding.codec().ok_or(SessionError::NoCommonCodec)?;
    let ear = terms.ear(described, now);
    let stream = Stream::new(codec, coding.payload_type);
    let sound = described.sound.as_ref().filter(|_| terms.sound);
    let mut sound = sound.map(SoundSender::new);
    let (inbox, outgoing) = (Inbox::default(), Outgoing::default());
    let reader = Reader::new(inbox.clone(), stream.rtp.ssrc());
    let audio = sound.as_ref().map_or(&described.audio[..], SoundSender::codings);
    let agreed = Agreed {
        picture: coding.clone(),
        audio: audio.to_vec(),
        doubles: ear.is_none(),
    };
    let viewer_setup = described.setup;
    // A picture may be paused from the beginning.
    let is_agreed = described.shows || state == State::OwesOffer;
    let mut connection = setup::connection(
        &agreed,
        viewer_setup,
        ear.is_some(),
        reader,
        outgoing.provider()?,
        now,
    )?;
    let mut layout = Layout::new(agreed, stream.repair.rtp.ssrc());
    connection.set_remote_description(now, offer.given(&mut layout)?)?;
    for (before, address) in (0..).zip(addresses) {
        connection.add_local_candidate(candidate::host(*address, before)?)?;
    }
    let mut remotes = Remotes::new(addresses);
    remotes.add(&mut connection, &offer.candidates());
    // Before the track of an owed offer is there, so that it is not in this answer.
    let mut sender = None;
    if state == State::Settled {
        sender = Some(connection.add_track(stream.track(&coding))?);
    }
    if let Some(sound) = &mut sound {
        sound.join(&mut connection)?;
    }
    let sending = sender.filter(|_| is_agreed);
    let answer = sections(sending, sound.as_ref(), ear.as_ref()).answer(&mut connection, &mut layout, now)?;
    let sender = match sender {
        Some(sender) => sender,
        None => connection.add_track(stream.track(&coding))?,
    };
    let mut link = Link {
        viewer,
        connection,
        handshake: Handshake::default(),
        media: Media {
            stream,
            sender,
            is_agreed,
            is_wanted: true,
            sound,
            ear,
        },
        outgoing,
        numbering: Numbering::new(now),
        rungs: Rungs::default(),
        probe: Probe::default(),
        spread: Spread::default(),
        channel: Channel::default(),
        watch: Watch::default(),
        inbox,
        feedback: Feedback::default(),
        reports: Reports::new(anchor),
        resend_limit: ResendLimit::default(),
        missing: Vec::new(),
        stage: Stage::Connecting,
        catching: None,
        begun: None,
        settling: Settling::new(layout.has_messages()),
        hello: Hello::default(),
        pace: Pace::new(now),
        inflow: Inflow::default(),
        silence: Silence::default(),
        events: VecDeque::new(),
    };
    link.media.renumber(&layout);
    let negotiation = Negotiation {
        state,
        fingerprint: offer.described.fingerprint,
        fragment: offer.described.fragment,
        setup: viewer_setup,
        layout,
        remotes,
        told_reflexive: false,
    };
    Ok(Opened {
        link,
        negotiation,
        answer,
    })
}

/// VP8 as we offer it where the viewer's offer had no place for video.
fn offered_by_us(payload_type: u8) -> Coding {
    Coding {
        name: "VP8".into(),
        payload_type,
        clock_rate: 90_000,
        channels: 0,
        format: String::new(),
    }
}
