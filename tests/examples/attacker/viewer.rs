//! A viewer that watches, through ICE, DTLS and SRTP, and sends what no viewer should, or far too often.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::BytesMut;
use pinhole_signaling::{Client, Description, DescriptionKind, Event, Message, Name, PeerId, ServerUrl};
use rtc::interceptor::Registry;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Target;

/// What it sends.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Nacks,
    Keyframes,
    Rtcp,
    Rtp,
    Stun,
    Dtls,
}

impl Kind {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nacks" => Self::Nacks,
            "keyframes" => Self::Keyframes,
            "rtcp" => Self::Rtcp,
            "rtp" => Self::Rtp,
            "stun" => Self::Stun,
            "dtls" => Self::Dtls,
            _ => return None,
        })
    }

    /// What it sends, and what comes back, in bytes.
    fn figures(self) -> [&'static str; 2] {
        match self {
            Self::Nacks => ["nacks", "nacked"],
            Self::Keyframes => ["keyframes", "keyframed"],
            Self::Rtcp => ["rtcp", "rtcped"],
            Self::Rtp => ["rtp", "rtped"],
            Self::Stun => ["stun", "stunned"],
            Self::Dtls => ["dtls", "dtlsed"],
        }
    }
}

/// How often it sends some at once.
const BURST: Duration = Duration::from_millis(10);
const DATAGRAM: usize = 2048;
/// What a packet of nonsense has.
const NONSENSE: usize = 1000;

pub async fn flood(target: Rc<Target>, kind: Kind, a_second: usize) -> anyhow::Result<()> {
    loop {
        target.count("calls", 1);
        // A viewer that was hung up on calls again.
        let Err(reason) = call(&target, kind, a_second).await else {
            continue;
        };
        write_reason(&reason)?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn write_reason(reason: &anyhow::Error) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stderr(), "call ended: {reason:#}")
}

async fn call(target: &Target, kind: Kind, a_second: usize) -> anyhow::Result<()> {
    let server: ServerUrl = format!("http://{}", target.server).parse()?;
    let (client, others) = Client::sign_in(&server, None, &Name::from("viewer")).await?;
    let node = others
        .iter()
        .find(|member| member.name.as_bytes() == target.node.as_bytes());
    let node = node.context("the node is not there")?.id;
    let (letters, mut mailbox) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    let waiting = client.clone();
    tasks.spawn_local(async move {
        while let Ok(event) = waiting.wait().await {
            if letters.send(event).await.is_err() {
                break;
            }
        }
    });
    let socket = UdpSocket::bind((own_address(target)?, 0)).await?;
    let (mut viewer, sdp) = Viewer::new(socket)?;
    let kind_of = DescriptionKind::Offer;
    client
        .send(node, &Message::Description(Description { kind: kind_of, sdp }))
        .await?;

    let mut bursts = interval(BURST);
    bursts.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let burst = (a_second as f64 * BURST.as_secs_f64()).ceil() as usize;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        viewer.advance();
        let deadline = viewer.connection.poll_timeout();
        tokio::select! {
            received = viewer.socket.recv_from(&mut buffer) => {
                let (length, from) = received?;
                target.count(kind.figures()[1], length as u64);
                viewer.receive(&buffer[..length], from);
                while let Ok((length, from)) = viewer.socket.try_recv_from(&mut buffer) {
                    target.count(kind.figures()[1], length as u64);
                    viewer.receive(&buffer[..length], from);
                }
            }
            event = mailbox.recv() => viewer.hear(event.context("the server has ended the membership")?, node)?,
            () = until(deadline) => viewer.connection.handle_timeout(Instant::now())?,
            _ = bursts.tick() => for _ in 0..burst {
                let Some(sent) = viewer.attack(kind) else { break };
                target.count(kind.figures()[0], sent as u64);
            },
        }
        if matches!(kind, Kind::Nacks) {
            target.count("watched", std::mem::take(&mut viewer.watched));
        }
    }
}

/// The address of ours from which the server is reached, where none was given.
fn own_address(target: &Target) -> anyhow::Result<IpAddr> {
    if let Some(address) = target.from.first() {
        return Ok(*address);
    }
    let probe = std::net::UdpSocket::bind("0.0.0.0:0")?;
    probe.connect(target.server)?;
    Ok(probe.local_addr()?.ip())
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

struct Viewer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    stream: Option<Stream>,
    /// Bytes of the stream, without those that came twice.
    watched: u64,
    /// A check and a packet of the handshake that it sent, which the node took for good.
    check: Option<Vec<u8>>,
    handshake: Option<Vec<u8>>,
    number: u64,
}

/// What it is sent.
#[derive(Clone, Copy)]
struct Stream {
    from: SocketAddr,
    ssrc: u32,
    newest: u16,
}

impl Viewer {
    fn new(socket: UdpSocket) -> anyhow::Result<(Self, String)> {
        let now = Instant::now();
        let local = socket.local_addr()?;
        let mut media = MediaEngine::default();
        media.register_codec(h264(), RtpCodecKind::Video)?;
        // Nothing that asks or reports by itself.
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(Registry::new())
            .build(now)?;
        let only = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..RTCRtpTransceiverInit::default()
        };
        connection.add_transceiver_from_kind(RtpCodecKind::Video, Some(only))?;
        connection.add_local_candidate(RTCIceCandidateInit {
            candidate: format!(
                "candidate:1 1 udp 2130706431 {} {} typ host",
                local.ip(),
                local.port()
            ),
            ..RTCIceCandidateInit::default()
        })?;
        let offer = connection.create_offer(None)?;
        connection.set_local_description(now, offer)?;
        let offer = connection.local_description().context("an offer was set")?.sdp;
        let viewer = Self {
            connection,
            socket,
            local,
            stream: None,
            watched: 0,
            check: None,
            handshake: None,
            number: 0,
        };
        Ok((viewer, offer))
    }

    fn hear(&mut self, event: Event, node: PeerId) -> anyhow::Result<()> {
        let Event::Message { from, body } = event else {
            return Ok(());
        };
        if from != node {
            return Ok(());
        }
        match Message::parse(&body)? {
            Message::Description(Description {
                kind: DescriptionKind::Answer,
                sdp,
            }) => {
                let answer = RTCSessionDescription::answer(sdp)?;
                self.connection.set_remote_description(Instant::now(), answer)?;
            }
            Message::Candidate(candidate) => self.connection.add_remote_candidate(RTCIceCandidateInit {
                candidate: candidate.candidate,
                ..RTCIceCandidateInit::default()
            })?,
            Message::Refusal(refusal) => bail!("refused: {}", refusal.reason),
            Message::Bye => bail!("hung up"),
            Message::Description(_) => {}
        }
        Ok(())
    }

    fn receive(&mut self, data: &[u8], from: SocketAddr) {
        // RFC 7983: RTP and RTCP begin so; of the latter the second byte is from 192 to 223.
        if data.len() > 12 && data[0] >> 6 == 2 && !(192..224).contains(&data[1]) {
            self.stream = Some(Stream {
                from,
                ssrc: u32::from_be_bytes([data[8], data[9], data[10], data[11]]),
                newest: u16::from_be_bytes([data[2], data[3]]),
            });
        }
        let message = TaggedBytesMut {
            now: Instant::now(),
            transport: TransportContext {
                local_addr: self.local,
                peer_addr: from,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: BytesMut::from(data),
        };
        // What comes twice is an error to the core.
        let _ = self.connection.handle_read(message);
    }

    fn advance(&mut self) {
        while self.connection.poll_event().is_some() {}
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.watched += packet.payload.len() as u64;
            }
        }
        self.send();
    }

    /// Sends what the core has to be sent; how many bytes.
    fn send(&mut self) -> usize {
        let mut sent = 0;
        while let Some(out) = self.connection.poll_write() {
            match out.message.first() {
                Some(0..4) => self.check = Some(out.message.to_vec()),
                Some(20..64) => self.handshake = Some(out.message.to_vec()),
                _ => {}
            }
            sent += out.message.len();
            // Without room in the kernel it is lost, as it might be on the way.
            let _ = self.socket.try_send_to(&out.message, out.transport.peer_addr);
        }
        sent
    }

    /// Sends one more packet; how many bytes. `None` until there is a stream, and while the kernel has no room.
    fn attack(&mut self, kind: Kind) -> Option<usize> {
        let Stream {
            from,
            ssrc: media_ssrc,
            newest,
        } = self.stream?;
        let sender_ssrc = 1;
        let feedback: Box<dyn rtc::rtcp::Packet> = match kind {
            Kind::Nacks => {
                let pair = NackPair {
                    packet_id: newest.wrapping_sub(16),
                    lost_packets: u16::MAX,
                };
                Box::new(TransportLayerNack {
                    sender_ssrc,
                    media_ssrc,
                    nacks: vec![pair; 250],
                })
            }
            Kind::Keyframes => Box::new(PictureLossIndication {
                sender_ssrc,
                media_ssrc,
            }),
            Kind::Rtcp | Kind::Rtp | Kind::Stun | Kind::Dtls => {
                let packet = self.nonsense(kind);
                return self.socket.try_send_to(&packet, from).ok();
            }
        };
        let message = RTCMessage::RtcpPacket(String::new(), vec![feedback]);
        self.connection
            .handle_write(TaggedRTCMessage {
                now: Instant::now(),
                message,
            })
            .ok()?;
        Some(self.send())
    }

    /// Every other time what was good once, where there was such.
    fn nonsense(&mut self, kind: Kind) -> Vec<u8> {
        self.number += 1;
        let (good, beginning): (Option<&Vec<u8>>, &[u8]) = match kind {
            // A binding request, of a length that is right.
            Kind::Stun => (self.check.as_ref(), &[0, 1, 0x03, 0xd4, 0x21, 0x12, 0xa4, 0x42]),
            // A record of the handshake.
            Kind::Dtls => (
                self.handshake.as_ref(),
                &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0x03, 0xdb],
            ),
            Kind::Rtcp => (None, &[0x81, 201, 0, 249]),
            _ => (None, &[0x80, 102]),
        };
        if let Some(good) = good.filter(|_| self.number.is_multiple_of(2)) {
            return good.clone();
        }
        let mut packet = vec![0x55; NONSENSE];
        packet[..beginning.len()].copy_from_slice(beginning);
        // Each is another.
        packet[NONSENSE - 8..].copy_from_slice(&self.number.to_be_bytes());
        packet
    }
}

fn h264() -> RTCRtpCodecParameters {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.into(),
        parameter: parameter.into(),
    };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "video/H264".into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".into(),
            rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli")],
        },
        payload_type: 102,
    }
}
