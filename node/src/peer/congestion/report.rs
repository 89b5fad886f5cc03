//! Transport-wide feedback, read (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).

use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};

use super::history;

/// One packet that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Arrival {
    /// The last bits of its transport-wide number.
    pub(in crate::peer) number: u16,
    /// When, in microseconds after the report's reference time; `None` where the viewer does not say.
    pub(in crate::peer) after: Option<i64>,
}

/// What one feedback packet says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::peer) struct Report {
    /// The last bits of the number of the first packet that it is about.
    pub(in crate::peer) first: u16,
    /// How many packets it is about.
    pub(in crate::peer) count: u16,
    /// In units of 64 ms on the viewer's clock, in 24 bits.
    pub(in crate::peer) reference: u32,
    /// Those of them that have arrived, in the order of their numbers.
    pub(in crate::peer) arrivals: Vec<Arrival>,
}

impl Report {
    /// Of what the core has read. What is above the number of packets that are remembered is left out, so this is bounded whatever stands there.
    pub(in crate::peer) fn of(packet: &TransportLayerCc) -> Self {
        let count = packet.packet_status_count.min(history::KEPT as u16);
        let mut deltas = packet.recv_deltas.iter();
        let mut after = 0;
        let mut arrivals = Vec::with_capacity(packet.recv_deltas.len().min(count.into()));
        let symbols = packet.packet_chunks.iter().flat_map(symbols);
        for (place, symbol) in (0..count).zip(symbols) {
            let number = packet.base_sequence_number.wrapping_add(place);
            let arrival = match symbol {
                SymbolTypeTcc::PacketNotReceived => continue,
                SymbolTypeTcc::PacketReceivedWithoutDelta => None,
                SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                    // The core reads as many as there are symbols.
                    let Some(delta) = deltas.next() else { break };
                    // 250 us each, of 16 bits at most.
                    after += delta.delta;
                    Some(after)
                }
            };
            arrivals.push(Arrival {
                number,
                after: arrival,
            });
        }
        Self {
            first: packet.base_sequence_number,
            count,
            reference: packet.reference_time & 0xff_ffff,
            arrivals,
        }
    }
}

/// What a chunk says of one packet after the other.
fn symbols(chunk: &PacketStatusChunk) -> impl Iterator<Item = SymbolTypeTcc> {
    let (run, list) = match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            ((run.packet_status_symbol, usize::from(run.run_length)), &[][..])
        }
        PacketStatusChunk::StatusVectorChunk(vector) => {
            ((SymbolTypeTcc::PacketNotReceived, 0), &vector.symbol_list[..])
        }
    };
    std::iter::repeat_n(run.0, run.1).chain(list.iter().copied())
}
