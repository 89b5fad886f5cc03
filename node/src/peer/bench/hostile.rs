//! What anybody may send to the node's port while a call is connecting or in progress, and what the viewer itself may send that no honest
//! program would. None of it may end the call, hold up its picture, or make us send more to somebody than a few checks.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use rtc::{
    peer_connection::message::RTCMessage, rtcp::raw_packet::RawPacket, rtp::Packet,
    shared::marshal::Unmarshal,
};

use super::{
    call::Call,
    setting::Setting,
    viewer::{NODE, VIEWER},
};
use crate::peer::{
    id::SessionId,
    report::Stage,
    session::Input,
    transport::{Checks, Demux, Path, Protocol},
};

/// Steps of an input.
const MOST: usize = 64;
/// Time that passes in an input, beyond which the viewer may be taken for gone.
const LONGEST: Duration = Duration::from_millis(500);
/// From as many addresses a session may be checked, and as many checks go to one that does not answer.
const MOST_ADDRESSES: usize = 32;
const MOST_CHECKS: usize = 16;
/// STUN's header (RFC 8489, section 5).
const BINDING_REQUEST: [u8; 2] = [0, 1];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: [u8; 2] = [0, 6];

const SESSION: SessionId = SessionId(1);

/// One thing that happens, written as its kind, the length of what follows in 16 bits, and that.
struct Step<'a> {
    /// In its three lowest bits. The others are who.
    kind: u8,
    data: &'a [u8],
}

impl<'a> Step<'a> {
    /// The first of these bytes, and the rest.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let [kind, high, low, rest @ ..] = bytes else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (data, rest) = rest.split_at(length.min(rest.len()));
        Some((Self { kind: *kind, data }, rest))
    }

    fn sender(&self) -> SocketAddr {
        match self.kind >> 3 {
            0 => VIEWER.into(),
            stranger => SocketAddr::from(([203, 0, 113, stranger], 40_000)),
        }
    }
}

/// A call, and what happens to it: the first byte says whether the viewer is connected, and whether by what its own program sends.
pub fn demux(bytes: &[u8]) -> bool {
    let Some((mode, mut rest)) = bytes.split_first() else {
        return false;
    };
    let mut call = Call::new(Setting::default());
    let is_connected = mode & 1 == 1;
    if is_connected {
        call.connect();
    }
    let mut port = Port::new(&call);
    let mut steps = 0;
    while let Some((step, behind)) = Step::read(rest).filter(|_| steps < MOST) {
        port.step(&mut call, &step);
        port.look(&mut call);
        rest = behind;
        steps += 1;
    }
    if is_connected {
        assert_eq!(
            (call.ending(), call.stage()),
            (None, Some(Stage::Watching)),
            "it goes on"
        );
        let shown = call.viewer.screen().shown();
        let shows_more = |call: &Call| call.viewer.screen().shown() > shown;
        assert!(
            call.run_until(Duration::from_secs(2), shows_more),
            "the picture goes on"
        );
    } else {
        // A handshake may be spoilt by whoever can read the viewer's address, but not more than that.
        call.run(Duration::from_millis(200));
    }
    port.look(&mut call);
    steps > 0
}

/// What stands in front of the session.
struct Port {
    demux: Demux,
    checks: Checks,
    fragment: String,
    /// Packets that came from somebody, and those that may leave to him.
    strangers: BTreeMap<SocketAddr, (usize, usize)>,
    passed: Duration,
}

impl Port {
    fn new(call: &Call) -> Self {
        let mut demux = Demux::default();
        demux.register(call.told.fragment.clone(), SESSION);
        demux.register("another".to_owned(), SessionId(2));
        Self {
            demux,
            checks: Checks::default(),
            fragment: call.told.fragment.clone(),
            strangers: BTreeMap::new(),
            passed: Duration::ZERO,
        }
    }

    fn step(&mut self, call: &mut Call, step: &Step<'_>) {
        match step.kind & 7 {
            0 | 1 => self.arrive(call, step.sender(), step.data),
            2 => {
                let check = check(&self.fragment, step.data);
                self.arrive(call, step.sender(), &check);
            }
            3 => {
                // Another one is nothing that the viewer's core could send.
                let mut packet = step.data.to_vec();
                if let Some(first) = packet.first_mut() {
                    *first = 0x80 | *first & 0x1f;
                }
                packet.resize(packet.len().max(4).next_multiple_of(4), 0);
                let packet = RawPacket(packet.into());
                let report = RTCMessage::RtcpPacket(String::new(), vec![Box::new(packet)]);
                call.viewer.try_to_send(report, call.now);
                call.carry();
            }
            4 => {
                if let Ok(packet) = Packet::unmarshal(&mut Bytes::copy_from_slice(step.data)) {
                    let voice = RTCMessage::RtpPacket(String::new(), packet);
                    call.viewer.try_to_send(voice, call.now);
                    call.carry();
                }
            }
            5 => {
                let milliseconds = step.data.first().copied().unwrap_or(1);
                let wait = Duration::from_millis(milliseconds.into()).min(LONGEST - self.passed);
                self.passed += wait;
                call.run(wait);
            }
            6 => {
                if let Ok(line) = std::str::from_utf8(step.data) {
                    call.handle(Input::Candidate(line));
                }
            }
            _ => {
                // The answer to a check that nobody made.
                let mut answer = check(&self.fragment, step.data);
                answer[..2].copy_from_slice(&[1, 1]);
                self.arrive(call, step.sender(), &answer);
            }
        }
    }

    /// As the engine does with what comes to its socket.
    fn arrive(&mut self, call: &mut Call, from: SocketAddr, data: &[u8]) {
        let path = path(from);
        self.strangers.entry(from).or_default().0 += 1;
        if self.demux.find(path, data) == Some(SESSION) {
            self.checks.see(from, data, call.now);
            call.handle(Input::Packet { path, data });
        }
    }

    /// What the session sent to others than its viewer is few, whoever asked for it.
    fn look(&mut self, call: &mut Call) {
        for (path, packet) in call.told.strays.drain(..) {
            if self.checks.may_leave(SESSION, path, &packet, call.now) {
                self.strangers.entry(path.peer).or_default().1 += 1;
            }
        }
        let mut known = 0;
        for (stranger, (came, went)) in &self.strangers {
            assert!(*went <= MOST_CHECKS + 2 * came, "{went} to {stranger} for {came}");
            // What is no check is known by its address.
            known += usize::from(self.demux.find(path(*stranger), &[0x80]) == Some(SESSION));
        }
        assert!(known <= MOST_ADDRESSES);
    }
}

fn path(peer: SocketAddr) -> Path {
    Path {
        local: NODE.into(),
        peer,
        protocol: Protocol::Udp,
    }
}

/// A check for this fragment (RFC 8445, section 7.2.2), with `rest` as further attributes.
fn check(fragment: &str, rest: &[u8]) -> Vec<u8> {
    let user = format!("{fragment}:theirs");
    let (id, rest) = rest.split_at(rest.len().min(12));
    let padded = user.len().next_multiple_of(4);
    let length = u16::try_from(4 + padded + rest.len()).unwrap_or(u16::MAX);
    let user_length = u16::try_from(user.len()).unwrap_or(u16::MAX);
    let mut packet = [&BINDING_REQUEST[..], &length.to_be_bytes(), &MAGIC_COOKIE, id].concat();
    packet.resize(20, 0);
    packet.extend(USERNAME);
    packet.extend(user_length.to_be_bytes());
    packet.extend(user.bytes());
    packet.resize(24 + padded, 0);
    packet.extend_from_slice(rest);
    packet
}
