//! Where a session's packets leave.

use crate::peer::{
    session::{Out, Transmit},
    transport::Path,
};

/// Packets that have left, in their order.
#[derive(Default)]
pub(super) struct Port {
    pub(super) packets: Vec<(Path, Vec<u8>)>,
    pub(super) sealed: u64,
}

impl Out for Port {
    fn room(&mut self, path: Path, length: usize) -> Option<&mut [u8]> {
        self.sealed += 1;
        self.packets.push((path, vec![0; length]));
        self.packets.last_mut().map(|(_, packet)| packet.as_mut_slice())
    }

    fn packet(&mut self, packet: Transmit) {
        self.packets.push((packet.path, packet.data.to_vec()));
    }
}
