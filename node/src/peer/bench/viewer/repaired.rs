//! The stream of what is sent again (RFC 4588), as a browser takes it. The core gives its packets out as those that they stand for; but what asks for missing
//! ones there sees them as of a stream of their own, and would go on asking.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    sansio::Protocol,
    shared::error::Error,
};

/// The last packet of the stream that was decrypted: its source and number.
#[derive(Clone, Debug, Default)]
pub(super) struct Repaired(Arc<Mutex<Option<(u32, u16)>>>);

impl Repaired {
    /// The one since the last call.
    pub(super) fn take(&self) -> Option<(u32, u16)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes each packet of the stream the one that it stands for, before anything else is made of it.
pub(super) struct Repair {
    picture: u8,
    repair: u8,
    /// The picture's source.
    source: Option<u32>,
    repaired: Repaired,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Repair {
    /// For these payload types, of the picture and of what is sent again.
    pub(super) fn new((picture, repair): (u8, u8), repaired: Repaired) -> Self {
        Self {
            picture,
            repair,
            source: None,
            repaired,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Repair {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &mut packet.message.packet {
            let header = &mut rtp.header;
            if header.payload_type == self.picture {
                self.source = Some(header.ssrc);
            } else if header.payload_type == self.repair {
                let mut last = self.repaired.0.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some((header.ssrc, header.sequence_number));
                if let (Some(source), Some(number)) = (self.source, rtp.payload.first_chunk()) {
                    header.ssrc = source;
                    header.payload_type = self.picture;
                    header.sequence_number = u16::from_be_bytes(*number);
                    rtp.payload = rtp.payload.slice(2..);
                }
            }
        }
        self.reads.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(packet);
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

impl Interceptor for Repair {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}
