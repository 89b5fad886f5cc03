//! What looks at packets on their way through the core.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Interceptor, StreamInfo, TaggedPacket},
    sansio::Protocol,
    shared::error::Error,
};

/// Looks at the packets of a connection, and may change them.
pub(in crate::peer) trait Tap {
    /// A packet of the viewer comes in.
    fn read(&mut self, _packet: &mut TaggedPacket) {}

    /// A packet goes out. Returns whether it is to be sent.
    fn write(&mut self, _packet: &mut TaggedPacket) -> bool {
        true
    }
}

/// A [`Tap`] as an interceptor of the core: whatever it has looked at goes on, in its order.
pub(in crate::peer) struct Tapped<T> {
    tap: T,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl<T> Tapped<T> {
    pub(in crate::peer) fn new(tap: T) -> Self {
        Self {
            tap,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }
}

impl<T: Tap> Protocol<TaggedPacket, TaggedPacket, ()> for Tapped<T> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        self.tap.read(&mut packet);
        self.reads.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if self.tap.write(&mut packet) {
            self.writes.push_back(packet);
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Error> {
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

impl<T: Tap + Send + Sync> Interceptor for Tapped<T> {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::{
        interceptor::{AttributedPacket, Packet},
        rtp,
        shared::TransportContext,
    };

    use super::*;

    /// Numbers what it sees anew, and holds every packet of silence back.
    struct Renumber(u16);

    impl Tap for Renumber {
        fn read(&mut self, packet: &mut TaggedPacket) {
            if let Packet::Rtp(packet) = &mut packet.message.packet {
                packet.header.sequence_number = self.0;
                self.0 += 1;
            }
        }

        fn write(&mut self, packet: &mut TaggedPacket) -> bool {
            self.read(packet);
            !matches!(&packet.message.packet, Packet::Rtp(packet) if packet.payload.is_empty())
        }
    }

    fn packet(payload: &'static [u8]) -> TaggedPacket {
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(rtp::Packet {
                payload: payload.into(),
                ..rtp::Packet::default()
            })),
        }
    }

    #[test]
    fn packets_go_on_in_their_order_as_they_were_changed() {
        let mut tapped = Tapped::new(Renumber(7));
        for payload in [&b"a"[..], b"", b"b"] {
            tapped.handle_read(packet(payload)).expect("it is taken");
            tapped.handle_write(packet(payload)).expect("it is taken");
        }
        let number = |packet: TaggedPacket| match packet.message.packet {
            Packet::Rtp(packet) => packet.header.sequence_number,
            _ => panic!("it was RTP"),
        };
        let read: Vec<_> = std::iter::from_fn(|| tapped.poll_read()).map(number).collect();
        let written: Vec<_> = std::iter::from_fn(|| tapped.poll_write()).map(number).collect();
        assert_eq!(read, [7, 9, 11]);
        assert_eq!(written, [8, 12], "one was held back");
        assert_eq!(tapped.poll_timeout(), None);
    }
}
