//! One viewer without a screen: it signs in, calls the node and takes what comes, decrypted and counted but not decoded.
//! It is driven without IO by `rtc`, so that a hundred of them are cheap.

use std::net::{IpAddr, SocketAddr};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::BytesMut;
use pinhole_signaling::{
    Candidate, Client, Description, DescriptionKind, Event, Member, Message, Name, PeerId, ServerUrl,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use rtc::{
    dtls::extension::extension_use_srtp::SrtpProtectionProfile,
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
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    NODE,
    arrival::{Buffers, Socket},
    latency::Heard,
    reports::{Reader, Reports},
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

/// What a viewer can decrypt, in the order in which it lists it for the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ciphers {
    /// AES-GCM first.
    Gcm,
    /// As libwebrtc, and with it Chromium, does it: AES-GCM after counter mode, because its packets are six bytes longer.
    Libwebrtc,
    /// As programs from before AES-GCM (RFC 5764, section 4.1.2).
    CounterMode,
}

impl Ciphers {
    const ALL: [Self; 3] = [Self::Gcm, Self::Libwebrtc, Self::CounterMode];

    /// By the word that a command line has for it.
    pub fn named(word: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.into_iter().find(|known| known.word() == word);
        found.with_context(|| format!("no viewer has the ciphers {word:?}"))
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Gcm => "gcm",
            Self::Libwebrtc => "libwebrtc",
            Self::CounterMode => "counter-mode",
        }
    }

    fn profiles(self) -> Vec<SrtpProtectionProfile> {
        use SrtpProtectionProfile as Profile;
        let counter_mode = Profile::Srtp_Aes128_Cm_Hmac_Sha1_80;
        let (long, short) = (Profile::Srtp_Aead_Aes_256_Gcm, Profile::Srtp_Aead_Aes_128_Gcm);
        match self {
            Self::Gcm => vec![short, long, counter_mode],
            Self::Libwebrtc => vec![counter_mode, long, short],
            Self::CounterMode => vec![counter_mode],
        }
    }
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
    /// So many packets of media of a million get lost on their way to it.
    pub loses: AtomicU32,
    /// What latencies are measured by, while somebody wants to know.
    pub heard: Mutex<Option<Heard>>,
}

/// Events from the server that may wait: a hundred others come while this one calls.
const MAIL: usize = 1024;
/// The payload type of pictures in offers.
const H264: u8 = 102;
const MILLION: u32 = 1_000_000;

/// Watches the node until the server or the node ends it, which is an error.
pub async fn watch(
    server: ServerUrl,
    number: usize,
    part: Part,
    ciphers: Ciphers,
    counts: &Counts,
) -> anyhow::Result<()> {
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

    let socket = Socket::bind(own_address(&server)?).await?;
    let (mut call, offer) = Call::offer(socket, number, part, ciphers)?;
    let offered = Instant::now();
    let offer = Description {
        kind: DescriptionKind::Offer,
        sdp: offer,
    };
    client.send(node, &Message::Description(offer)).await?;
    let mut buffers = Buffers::default();
    loop {
        call.advance(counts, offered)?;
        let deadline = call.deadline();
        tokio::select! {
            readable = call.socket.readable() => {
                readable?;
                call.receive(&mut buffers, counts)?;
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
    socket: Socket,
    local: SocketAddr,
    reports: Reports,
    /// The source of pictures, once it is known.
    source: Option<u32>,
    sequence: Option<Sequence>,
    sound: Option<Sequence>,
    voice: Option<Voice>,
    /// By which it loses packets: others than anybody else.
    chance: SmallRng,
}

impl Call {
    fn offer(socket: Socket, number: usize, part: Part, ciphers: Ciphers) -> anyhow::Result<(Self, String)> {
        let now = Instant::now();
        let local = socket.address()?;
        let mut media = MediaEngine::default();
        media.register_codec(h264(), RtpCodecKind::Video)?;
        if !matches!(part, Part::Watches) {
            media.register_codec(opus(), RtpCodecKind::Audio)?;
        }
        // As a browser: it asks for what is lost, and reports.
        let reports = Reports::default();
        let mut interceptors = Registry::new()
            .with(Slot::from(14_000), Reader::new(reports.clone()))
            .with(Slot::NackGenerator, NackGeneratorBuilder::new().build())
            .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build());
        if matches!(part, Part::Talks(_)) {
            interceptors = interceptors.with(Slot::SenderReport, SenderReportBuilder::new().build());
        }
        let settings = SettingEngineBuilder::new()
            // The addresses that the node's own checks come from are those that its answer names.
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            .with_srtp_protection_profiles(ciphers.profiles())
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
            reports,
            source: None,
            sequence: None,
            sound: None,
            voice,
            chance: SmallRng::seed_from_u64(number as u64),
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

    /// Takes what is there.
    fn receive(&mut self, buffers: &mut Buffers, counts: &Counts) -> anyhow::Result<()> {
        let Self {
            connection,
            socket,
            local,
            chance,
            ..
        } = self;
        let loses = counts.loses.load(Ordering::Relaxed);
        let mut heard = counts.heard.lock().unwrap_or_else(PoisonError::into_inner);
        socket.receive(buffers, |datagram| {
            if loses > 0 && is_media(datagram.data) && chance.random_ratio(loses.min(MILLION), MILLION) {
                return;
            }
            if let Some(heard) = heard.as_mut() {
                heard.packet(datagram.data, H264, datagram.arrived);
            }
            let message = TaggedBytesMut {
                now: Instant::now(),
                transport: TransportContext {
                    local_addr: *local,
                    peer_addr: datagram.from,
                    transport_protocol: TransportProtocol::UDP,
                    ecn: None,
                },
                message: BytesMut::from(datagram.data),
            };
            // A packet that does not belong to the call shows as one that is missing.
            let _ = connection.handle_read(message);
        })?;
        Ok(())
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
        self.note(counts);
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

    /// Notes what the node reports of the clock of its pictures.
    fn note(&self, counts: &Counts) {
        let reports = self.reports.take();
        let mut heard = counts.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heard) = heard.as_mut() else { return };
        let of_picture = reports.iter().filter(|report| Some(report.ssrc) == self.source);
        of_picture.for_each(|report| heard.report(report));
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
        self.source = Some(header.ssrc);
        if add(&counts.packets, 1) == 0 {
            let micros = u64::try_from(offered.elapsed().as_micros()).unwrap_or(u64::MAX);
            counts.fed_after.store(micros, Ordering::Relaxed);
        }
        add(&counts.bytes, payload as u64);
        add(&counts.frames, u64::from(header.marker));
        counts.lost.store(lost, Ordering::Relaxed);
    }
}

/// Whether a datagram is RTP, and neither a report (RFC 5761) nor anything else (RFC 7983).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && !(192..224).contains(second))
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
        payload_type: H264,
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
