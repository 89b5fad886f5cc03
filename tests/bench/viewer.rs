//! One viewer without a screen: it signs in, calls the node and takes what comes, decrypted and counted but not decoded.
//! It is driven without IO by `rtc`, so that a hundred of them are cheap.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::BytesMut;
use pinhole_signaling::{
    Candidate, Client, Description, DescriptionKind, Event, Member, Message, Name, PeerId, ServerUrl,
};
use rtc::{
    interceptor::{NackGeneratorBuilder, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot},
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{media_engine::MediaEngine, setting_engine::SettingEngineBuilder},
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        sdp::RTCSessionDescription,
        state::RTCPeerConnectionState,
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit},
    },
    rtp::Header,
    rtp_transceiver::{
        RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
        rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
    },
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};
use tokio::{net::UdpSocket, sync::mpsc, task::JoinSet};

use crate::{
    NODE,
    talk::{OPUS, Recording, Voice, opus},
};

/// What a viewer does besides watching.
#[derive(Clone)]
pub enum Part {
    /// Nothing.
    Watches,
    /// It hears the microphone.
    Listens,
    /// It says this, all the time.
    Talks(Recording),
}

/// What came in so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// RTP packets of the picture.
    pub packets: AtomicU64,
    /// Their payload, in bytes.
    pub bytes: AtomicU64,
    /// Ends of frames (marker bits).
    pub frames: AtomicU64,
    /// Packets missing by their sequence numbers; those that come late after all count back.
    pub lost: AtomicU64,
    /// RTP packets of sound.
    pub sound: AtomicU64,
    /// Their payload, in bytes.
    pub sound_bytes: AtomicU64,
    /// Those that are missing.
    pub sound_lost: AtomicU64,
    /// From the offer to the first packet of the picture, in microseconds; 0 until then.
    pub fed_after: AtomicU64,
}

/// Events from the server that may wait: a hundred others come while this one calls.
const MAIL: usize = 1024;
const DATAGRAM: usize = 2048;

/// Watches the node until the server or the node ends it, which is an error.
pub async fn watch(server: ServerUrl, number: usize, part: Part, counts: &Counts) -> anyhow::Result<()> {
    let name = Name::from(format!("viewer {number}").as_str());
    let (client, others) = Client::sign_in(&server, None, &name).await?;
    let (letters, mut mailbox) = mpsc::channel(MAIL);
    let mut tasks = JoinSet::new();
    let waiting = client.clone();
    tasks.spawn(async move {
        while let Ok(event) = waiting.wait().await {
            if letters.send(event).await.is_err() {
                break;
            }
        }
    });
    let node = node_among(&others)?;

    let socket = UdpSocket::bind((own_address(&server)?, 0)).await?;
    let (mut call, offer) = Call::offer(socket, number, part)?;
    let offered = Instant::now();
    let offer = Description {
        kind: DescriptionKind::Offer,
        sdp: offer,
    };
    client.send(node, &Message::Description(offer)).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        call.advance(counts, offered)?;
        let deadline = call.deadline();
        tokio::select! {
            received = call.socket.recv_from(&mut buffer) => {
                let (length, from) = received?;
                call.receive(&buffer[..length], from);
                // What came at once is worked off at once.
                while let Ok((length, from)) = call.socket.try_recv_from(&mut buffer) {
                    call.receive(&buffer[..length], from);
                }
            }
            event = mailbox.recv() => {
                let event = event.context("the server has ended the membership")?;
                if let Event::Message { from, body } = event && from == node {
                    call.hear(Message::parse(&body)?)?;
                }
            }
            () = until(deadline) => call.connection.handle_timeout(Instant::now())?,
        }
    }
}

fn node_among(members: &[Member]) -> anyhow::Result<PeerId> {
    let node = members
        .iter()
        .find(|member| member.name.as_bytes() == NODE.as_bytes());
    Ok(node.with_context(|| format!("{NODE} is not on the server"))?.id)
}

/// The address of ours from which the server is reached.
fn own_address(server: &ServerUrl) -> anyhow::Result<IpAddr> {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0")?;
    let text = server.to_string();
    probe.connect(text.trim_start_matches("http://").trim_end_matches('/'))?;
    Ok(probe.local_addr()?.ip())
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

struct Call {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    sequence: Option<Sequence>,
    sound: Option<Sequence>,
    voice: Option<Voice>,
}

impl Call {
    fn offer(socket: UdpSocket, number: usize, part: Part) -> anyhow::Result<(Self, String)> {
        let now = Instant::now();
        let local = socket.local_addr()?;
        let mut media = MediaEngine::default();
        media.register_codec(h264(), RtpCodecKind::Video)?;
        if !matches!(part, Part::Watches) {
            media.register_codec(opus(), RtpCodecKind::Audio)?;
        }
        // As a browser: it asks for what is lost, and reports.
        let mut interceptors = Registry::new()
            .with(Slot::NackGenerator, NackGeneratorBuilder::new().build())
            .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build());
        if matches!(part, Part::Talks(_)) {
            interceptors = interceptors.with(Slot::SenderReport, SenderReportBuilder::new().build());
        }
        let settings = SettingEngineBuilder::new()
            // The addresses that the node's own checks come from are those that its answer names.
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            .build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(interceptors)
            .with_setting_engine(settings)
            .build(now)?;
        let only = |direction| {
            Some(RTCRtpTransceiverInit {
                direction,
                ..RTCRtpTransceiverInit::default()
            })
        };
        let receive = RTCRtpTransceiverDirection::Recvonly;
        connection.add_transceiver_from_kind(RtpCodecKind::Video, only(receive))?;
        let voice = match part {
            Part::Watches => None,
            Part::Listens => {
                connection.add_transceiver_from_kind(RtpCodecKind::Audio, only(receive))?;
                None
            }
            Part::Talks(recording) => {
                let voice = Voice::new(recording, number);
                let send = RTCRtpTransceiverDirection::Sendonly;
                connection.add_transceiver_from_track(voice.track(), only(send))?;
                Some(voice)
            }
        };
        connection.add_local_candidate(host_candidate(local)?)?;
        let offer = connection.create_offer(None)?;
        connection.set_local_description(now, offer)?;
        let offer = connection.local_description().context("an offer was set")?.sdp;
        let call = Self {
            connection,
            socket,
            local,
            sequence: None,
            sound: None,
            voice,
        };
        Ok((call, offer))
    }

    fn hear(&mut self, message: Message) -> anyhow::Result<()> {
        match message {
            Message::Description(Description {
                kind: DescriptionKind::Answer,
                sdp,
            }) => {
                let answer = RTCSessionDescription::answer(sdp)?;
                self.connection.set_remote_description(Instant::now(), answer)?;
            }
            Message::Candidate(Candidate { candidate, .. }) => {
                let candidate = RTCIceCandidateInit {
                    candidate,
                    ..RTCIceCandidateInit::default()
                };
                self.connection.add_remote_candidate(candidate)?;
            }
            Message::Refusal(refusal) => bail!("the node refuses: {}", refusal.reason),
            Message::Bye => bail!("the node hung up"),
            Message::Description(other) => bail!("the node sent {other:?}"),
        }
        Ok(())
    }

    fn receive(&mut self, data: &[u8], from: SocketAddr) {
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
        // A packet that does not belong to the call shows as one that is missing.
        let _ = self.connection.handle_read(message);
    }

    /// When it has something to do, if nothing comes.
    fn deadline(&mut self) -> Option<Instant> {
        let due = self.voice.as_ref().and_then(Voice::due);
        self.connection.poll_timeout().into_iter().chain(due).min()
    }

    /// Counts what was received, and sends what is to be sent.
    fn advance(&mut self, counts: &Counts, offered: Instant) -> anyhow::Result<()> {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(RTCPeerConnectionState::Connected) =
                event
                && let Some(voice) = &mut self.voice
            {
                voice.start(Instant::now());
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.count(&packet.header, packet.payload.len(), counts, offered);
            }
        }
        self.talk()?;
        while let Some(out) = self.connection.poll_write() {
            // Without room in the kernel it is lost, as it might be on the way.
            let _ = self.socket.try_send_to(&out.message, out.transport.peer_addr);
        }
        Ok(())
    }

    /// Says what is due.
    fn talk(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let Some(voice) = &mut self.voice else {
            return Ok(());
        };
        while let Some(packet) = voice.next(now) {
            self.connection.handle_write(TaggedRTCMessage {
                now,
                message: RTCMessage::RtpPacket(String::new(), packet),
            })?;
        }
        Ok(())
    }

    fn count(&mut self, header: &Header, payload: usize, counts: &Counts, offered: Instant) {
        let add = |counter: &AtomicU64, number: u64| counter.fetch_add(number, Ordering::Relaxed);
        let sequence = if header.payload_type == OPUS {
            &mut self.sound
        } else {
            &mut self.sequence
        };
        let sequence = sequence.get_or_insert(Sequence::starting_at(header.sequence_number));
        let lost = sequence.take(header.sequence_number);
        if header.payload_type == OPUS {
            add(&counts.sound, 1);
            add(&counts.sound_bytes, payload as u64);
            counts.sound_lost.store(lost, Ordering::Relaxed);
            return;
        }
        if add(&counts.packets, 1) == 0 {
            let micros = u64::try_from(offered.elapsed().as_micros()).unwrap_or(u64::MAX);
            counts.fed_after.store(micros, Ordering::Relaxed);
        }
        add(&counts.bytes, payload as u64);
        add(&counts.frames, u64::from(header.marker));
        counts.lost.store(lost, Ordering::Relaxed);
    }
}

/// How many packets should have come (RFC 3550, appendix A.3).
struct Sequence {
    newest: u16,
    expected: u64,
    received: u64,
}

impl Sequence {
    fn starting_at(first: u16) -> Self {
        Self {
            newest: first,
            expected: 1,
            received: 0,
        }
    }

    /// Takes a packet's number; how many are missing so far.
    fn take(&mut self, number: u16) -> u64 {
        self.received += 1;
        let ahead = number.wrapping_sub(self.newest);
        // The other half of the circle lies behind.
        if ahead < 1 << 15 {
            self.newest = number;
            self.expected += u64::from(ahead);
        }
        self.expected.saturating_sub(self.received)
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

fn host_candidate(address: SocketAddr) -> anyhow::Result<RTCIceCandidateInit> {
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..CandidateConfig::default()
        },
        ..CandidateHostConfig::default()
    };
    Ok(RTCIceCandidate::from(&candidate.new_candidate_host()?).to_json()?)
}
