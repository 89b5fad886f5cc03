//! What goes to the viewer and comes from it: picture, sound and voice.

use rtc::rtp_transceiver::RTCRtpSenderId;

use super::{rtp::Rtp, sections::Sections, sound::SoundSender, stream::Stream, voice::Ear};
use crate::{
    media::{Codec, SoundCodec},
    peer::sdp::{Description, Layout, Role},
};

/// The media of one session.
pub(super) struct Media {
    pub(super) stream: Stream,
    pub(super) sender: RTCRtpSenderId,
    /// Whether the picture is sent, by what was agreed last.
    pub(super) is_agreed: bool,
    /// Whether the viewer wants it at this moment.
    pub(super) is_wanted: bool,
    /// Where the viewer's offer has a place for it, and the node has a microphone.
    pub(super) sound: Option<SoundSender>,
    /// What listens to the viewer, where it may be heard.
    pub(super) ear: Option<Ear>,
}

/// One of the streams of a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Picture,
    Sound,
}

impl Media {
    /// Whether the viewer is sent pictures now.
    pub(super) fn shows(&self) -> bool {
        self.is_agreed && self.is_wanted
    }

    /// The numbers of a stream.
    pub(super) fn rtp(&mut self, which: Which) -> Option<&mut Rtp> {
        match which {
            Which::Picture => Some(&mut self.stream.rtp),
            Which::Sound => self.sound.as_mut().map(|sound| &mut sound.rtp),
        }
    }

    /// The numbers of all streams.
    pub(super) fn streams(&self) -> impl Iterator<Item = &Rtp> {
        let sound = self.sound.as_ref().map(|sound| &sound.rtp);
        [Some(&self.stream.rtp), sound].into_iter().flatten()
    }

    /// The stream of this source, as it stands in a packet, while its first packet is with the core.
    pub(super) fn proving(&mut self, source: &[u8]) -> Option<&mut Rtp> {
        let sound = self.sound.as_mut().map(|sound| &mut sound.rtp);
        let mut streams = [Some(&mut self.stream.rtp), sound].into_iter().flatten();
        streams.find(|rtp| rtp.is_proving() && rtp.ssrc().to_be_bytes() == source)
    }

    /// What goes on in the sections of the connection.
    pub(super) fn sections(&self) -> Sections {
        let sender = Some(self.sender).filter(|_| self.is_agreed);
        sections(sender, self.sound.as_ref(), self.ear.as_ref())
    }

    /// Obeys another offer of the viewer.
    pub(super) fn obey(&mut self, described: &Description) {
        if let Some(sound) = &mut self.sound {
            sound.obey(described.sound.as_ref());
        }
        if let Some(ear) = &mut self.ear {
            ear.renew(described.microphone.as_ref());
        }
    }

    /// Sends from now on with what the viewer has for it in headers: the payload type of the picture, and where the transport-wide numbers are.
    pub(super) fn renumber(&mut self, layout: &Layout) {
        if let Some(number) = layout.picture_number() {
            let extension = layout.extension(Role::Picture);
            self.stream.renumber(number, extension);
            self.stream.repair.agree(layout.repair_number(), extension);
        }
        if let Some(sound) = &mut self.sound {
            // Nothing of it is sent again, so that no packet gets another header.
            sound.rtp.extend(layout.extension(Role::Sound));
            sound.redundancy.agree(layout.redundancy_number());
        }
    }

    /// The codec of the picture.
    pub(super) fn codec(&self) -> Codec {
        self.stream.codec()
    }

    /// The codec in which the viewer hears us, while it does.
    pub(super) fn hears(&self) -> Option<SoundCodec> {
        self.sound.as_ref()?.codec()
    }

    /// Packets of sound so far.
    pub(super) fn sound_packets(&self) -> u64 {
        self.sound.as_ref().map_or(0, SoundSender::packets)
    }
}

/// What goes on in the sections where these send and hear.
pub(super) fn sections(
    video: Option<RTCRtpSenderId>,
    sound: Option<&SoundSender>,
    ear: Option<&Ear>,
) -> Sections {
    Sections {
        sending: video
            .into_iter()
            .chain(sound.and_then(SoundSender::sending))
            .collect(),
        heard: ear.and_then(Ear::section),
        has_sound: sound.is_some(),
    }
}
