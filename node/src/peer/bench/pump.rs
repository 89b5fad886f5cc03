//! What a session wants done, as the engine does it.

use bytes::Bytes;

use super::{
    call::Call,
    link::Datagram,
    port::Port,
    reception::rtp,
    viewer::{OPUS, REPAIRS},
};
use crate::peer::{
    sdp,
    session::{Event, Input, Output, Session},
    transport::Path,
};

/// Of the second byte of an RTP packet: a picture ends with it.
const MARKER: u8 = 0x80;

impl Call {
    /// Does what the session wants done.
    pub(super) fn pump(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        while let Some(output) = session.poll() {
            match output {
                Output::Transmit(packet) => self.transmit(packet.path, packet.data.freeze()),
                Output::Event(Event::Answer(sdp)) => {
                    self.told.fragment = sdp::fragment(&sdp).unwrap_or_default().to_owned();
                    self.viewer.accept(sdp, self.now);
                }
                Output::Event(Event::Offer(sdp)) => self.told.offer = Some(sdp),
                Output::Event(Event::Connected) => self.told.connected = Some(self.now),
                Output::Event(Event::Silent) => self.told.silent.push(self.now),
                Output::Event(Event::Back) => self.told.back.push(self.now),
                // Whether anybody films for it, its renditions tell.
                Output::Event(Event::Paused | Event::Resumed) => {}
                Output::Event(Event::Watching) => self.told.watching = Some(self.now),
                Output::Event(Event::KeyframeWanted) => {
                    self.told.keyframes_wanted += 1;
                    let mut port = Port::default();
                    let ring = self.source.ring();
                    let begins = session.catch_up(ring.group(self.on_request), ring, self.now, &mut port);
                    self.leave(port);
                    if !begins && self.on_request {
                        self.source.request_keyframe();
                    }
                }
                Output::Event(Event::PacketsWanted) => {
                    let mut port = Port::default();
                    session.again(self.source.ring(), self.now, &mut port);
                    self.leave(port);
                }
                Output::Event(Event::Ended(ending)) => {
                    self.told.ended = Some((ending, self.now));
                    return self.close(&mut session);
                }
                Output::Event(other) => panic!("nobody asked for {other:?}"),
            }
        }
        self.session = Some(session);
    }

    /// Has a session say goodbye, after which it must have nothing more to do.
    pub(super) fn close(&mut self, session: &mut Session) {
        self.source.leave();
        session.handle(Input::Close, self.now);
        while let Some(output) = session.poll() {
            match output {
                Output::Transmit(packet) => self.transmit(packet.path, packet.data.freeze()),
                Output::Event(event) => panic!("{event:?} after the end"),
            }
        }
        assert_eq!(
            session.deadline(),
            None,
            "a closed session has nothing to wait for"
        );
    }

    pub(super) fn leave(&mut self, port: Port) {
        self.sealed += port.sealed;
        for (path, packet) in port.packets {
            self.transmit(path, packet.into());
        }
    }

    fn transmit(&mut self, path: Path, packet: Bytes) {
        let is_new = self.nonces.see(&packet);
        let is_rtp = rtp(&packet).is_some();
        self.sent += u64::from(is_rtp);
        let is_again = is_rtp && REPAIRS.contains(&(packet[1] & !MARKER));
        self.repaired += u64::from(is_again);
        self.cut += u64::from(is_new && !is_again);
        let ends_picture = packet
            .get(1)
            .is_some_and(|kind| kind & MARKER != 0 && kind & !MARKER != OPUS);
        self.given += u32::from(is_new && !is_again && ends_picture);
        if self.viewer.knows(path.peer) {
            let packet = Datagram {
                viewer: path.peer,
                data: packet,
            };
            self.to_viewer.send(packet, self.now);
        } else {
            self.told.strays.push((path, packet));
        }
    }
}
