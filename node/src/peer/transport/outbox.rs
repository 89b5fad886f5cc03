use std::{io, net::SocketAddr};

use tracing::debug;

use super::udp::Socket;

/// The most bytes of one batch: what a UDP datagram may be long, less the headers.
const BATCH: usize = 65_000;

/// Packets on their way out. Packets of one size to one viewer are joined into one call to the kernel, which
/// saves more than a quarter of what a viewer costs (docs/benchmarks.md).
#[derive(Default)]
pub(super) struct Outbox {
    batch: Vec<u8>,
    from: Option<SocketAddr>,
    to: Option<SocketAddr>,
    segment: usize,
    segments: usize,
    /// A packet shorter than the others ends a batch.
    complete: bool,
    lost: u64,
}

impl Outbox {
    /// Takes a packet; sends those before it when it can't join them.
    pub(super) fn push(&mut self, sockets: &[Socket], from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        self.begin(sockets, from, to, packet.len());
        self.batch.extend_from_slice(packet);
    }

    /// Room for a packet of this length, to be written there. All of it is zero. Sends those before it when it can't join them.
    pub(super) fn room(
        &mut self,
        sockets: &[Socket],
        from: SocketAddr,
        to: SocketAddr,
        length: usize,
    ) -> &mut [u8] {
        self.begin(sockets, from, to, length);
        let start = self.batch.len();
        self.batch.resize(start + length, 0);
        &mut self.batch[start..]
    }

    /// A packet of this length is next.
    fn begin(&mut self, sockets: &[Socket], from: SocketAddr, to: SocketAddr, length: usize) {
        let joins = !self.complete
            && self.to == Some(to)
            && self.from == Some(from)
            && length <= self.segment
            && self.batch.len() + length <= BATCH
            && socket_for(sockets, to).is_some_and(|socket| self.segments < socket.most_segments());
        if !joins {
            self.flush(sockets);
            (self.from, self.to, self.segment) = (Some(from), Some(to), length);
        }
        self.segments += 1;
        self.complete = length < self.segment;
    }

    /// [`Outbox::push`] from whichever address the system chooses.
    pub(super) fn push_from_anywhere(&mut self, sockets: &[Socket], to: SocketAddr, packet: &[u8]) {
        if let Some(socket) = socket_for(sockets, to) {
            self.push(sockets, socket.address(), to, packet);
        }
    }

    /// Sends what is left.
    pub(super) fn flush(&mut self, sockets: &[Socket]) {
        if let (Some(from), Some(to), false) = (self.from.take(), self.to.take(), self.batch.is_empty())
            && let Some(socket) = socket_for(sockets, to)
        {
            let segment = (self.segments > 1).then_some(self.segment);
            if let Err(error) = socket.send(from, to, &self.batch, segment) {
                self.lost += self.segments as u64;
                // A full buffer is normal on a slow network; the rest (no route, an interface that went) is
                // for the ICE timeouts to judge.
                if error.kind() != io::ErrorKind::WouldBlock {
                    debug!(%to, "a packet was not sent: {error}");
                }
            }
        }
        self.batch.clear();
        self.segments = 0;
        self.complete = false;
    }

    /// Packets that the kernel did not take, since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

fn socket_for(sockets: &[Socket], to: SocketAddr) -> Option<&Socket> {
    sockets
        .iter()
        .find(|socket| socket.address().is_ipv4() == to.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::super::udp::{self, Buffers};
    use super::*;

    /// Sends packets of these sizes and returns the sizes that arrive.
    async fn delivered(sizes: &[usize]) -> Vec<usize> {
        let (sender, receiver) = (udp::bind(0).expect("bind"), udp::bind(0).expect("bind"));
        let from = SocketAddr::from(([127, 0, 0, 1], sender[0].address().port()));
        let to = SocketAddr::from(([127, 0, 0, 1], receiver[0].address().port()));
        let mut outbox = Outbox::default();
        for (number, size) in sizes.iter().enumerate() {
            let byte = u8::try_from(number).expect("few");
            if number % 3 == 0 {
                outbox.push(&sender, from, to, &vec![byte; *size]);
            } else {
                let room = outbox.room(&sender, from, to, *size);
                assert!(room.iter().all(|byte| *byte == 0));
                room.fill(byte);
            }
        }
        outbox.flush(&sender);
        let (mut buffers, mut arrived) = (Buffers::default(), Vec::new());
        while arrived.len() < sizes.len() {
            std::future::poll_fn(|context| receiver[0].poll_readable(context)).await;
            let _ = receiver[0].receive(&mut buffers, |datagram| {
                assert_eq!((datagram.from, datagram.to), (from, to));
                assert!(
                    datagram
                        .data
                        .iter()
                        .all(|byte| usize::from(*byte) == arrived.len()),
                    "in order"
                );
                arrived.push(datagram.data.len());
            });
        }
        arrived
    }

    #[tokio::test]
    async fn packets_arrive_as_they_were_given() {
        for sizes in [
            &[1200, 1200, 1200, 300, 1200, 40, 40][..],
            &[7],
            &[1, 2, 3, 2, 1],
            &[1200; 90],
        ] {
            assert_eq!(delivered(sizes).await, sizes);
        }
    }
}
