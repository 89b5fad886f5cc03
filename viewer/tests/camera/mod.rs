//! A small camera node for tests: answers calls with a moving picture that carries the pattern's clock.
//!
//! It draws the clock by the format's description, not with the viewer's own code.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use openh264::{encoder, formats::YUVBuffer};
use pinhole_signaling::{
    Candidate, Client, ClientError, Description, DescriptionKind, Event, Message, Name, PeerId, Refusal,
    ServerUrl,
};
use rtc::{
    ice::mdns::MulticastDnsMode,
    media::Sample,
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::{sync::mpsc, task::JoinSet, time};
use webrtc::{
    data_channel::DataChannel,
    media_stream::track_local::{TrackLocal, static_sample::TrackLocalStaticSample},
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
        RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription, Registry,
        SettingEngineBuilder, register_default_interceptors,
    },
};

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 192;
const FRAME: Duration = Duration::from_millis(33);
const SSRC: u32 = 0x50_49_4E_48;

/// What the camera does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers with H.264 that carries the clock.
    H264,
    /// Answers with VP8, recorded beforehand.
    Vp8,
    /// Sends that many pictures of H.264, hangs up and goes.
    Leaves(u32),
    /// Refuses with a reason, then hangs up.
    Refuses,
    /// Does not answer the offer but makes its own.
    Offers,
    /// Never answers.
    Silent,
    /// Sends H.264, and says on the control channel that this is a slate, then that it is the picture again.
    Slate,
}

impl Manner {
    fn codec(self) -> (&'static str, u8) {
        match self {
            Manner::Vp8 => ("video/VP8", 96),
            _ => ("video/H264", 102),
        }
    }
}

/// Signs in as `name` and serves one call after the other until it is dropped.
pub async fn run(server: ServerUrl, name: &str, manner: Manner, ready: mpsc::Sender<()>) {
    let (client, _) = Client::sign_in(&server, None, &Name::from(name))
        .await
        .expect("sign in");
    ready.send(()).await.expect("the test waits");
    let mut call: Option<Call> = None;
    let mut listening = true;
    loop {
        tokio::select! {
            event = client.wait(), if listening => match event {
                // The server is gone; the call is not.
                Err(_) => listening = false,
                Ok(Event::Presence(_)) => {}
                Ok(Event::Message { from, body }) => {
                    let message = Message::parse(&body).expect("a message of the viewer");
                    heard(&client, from, message, manner, &mut call).await;
                }
            },
            done = sending(&mut call) => if done {
                let peer = call.take().expect("a call").peer;
                client.send(peer, &Message::Bye).await.expect("hang up");
                client.sign_out().await.expect("sign out");
                return;
            },
        }
    }
}

async fn heard(client: &Client, from: PeerId, message: Message, manner: Manner, call: &mut Option<Call>) {
    match message {
        Message::Description(description) if description.kind == DescriptionKind::Offer => match manner {
            Manner::Silent => {}
            Manner::Refuses => {
                let refusal = Refusal {
                    code: "busy".to_owned(),
                    reason: "enough viewers".to_owned(),
                };
                client
                    .send(from, &Message::Refusal(refusal))
                    .await
                    .expect("refuse");
                match client.send(from, &Message::Bye).await {
                    // A viewer that has read the refusal may have left already.
                    Ok(()) | Err(ClientError::PeerGone { .. }) => {}
                    Err(error) => panic!("hang up: {error}"),
                }
            }
            Manner::Offers => {
                let new = Call::new(client, from, manner).await;
                let offer = new.connection.create_offer(None).await.expect("an offer");
                new.connection
                    .set_local_description(offer.clone())
                    .await
                    .expect("our own offer");
                describe(client, from, DescriptionKind::Offer, offer.sdp).await;
                *call = Some(new);
            }
            _ => {
                let new = Call::new(client, from, manner).await;
                let offer = RTCSessionDescription::offer(description.sdp).expect("an offer");
                new.connection
                    .set_remote_description(offer)
                    .await
                    .expect("a fitting offer");
                let answer = new.connection.create_answer(None).await.expect("an answer");
                new.connection
                    .set_local_description(answer.clone())
                    .await
                    .expect("our own answer");
                describe(client, from, DescriptionKind::Answer, answer.sdp).await;
                *call = Some(new);
            }
        },
        Message::Description(description) => {
            let answer = RTCSessionDescription::answer(description.sdp).expect("an answer");
            let call = call.as_ref().expect("a call");
            call.connection
                .set_remote_description(answer)
                .await
                .expect("a fitting answer");
        }
        Message::Candidate(candidate) => {
            let init = RTCIceCandidateInit {
                candidate: candidate.candidate,
                sdp_mid: Some(candidate.sdp_mid),
                sdp_mline_index: Some(candidate.sdp_mline_index),
                ..Default::default()
            };
            if let Some(call) = call {
                // Those of an offer that was withdrawn do not matter.
                let _ = call.connection.add_ice_candidate(init).await;
            }
        }
        Message::Bye => *call = None,
        Message::Refusal(refusal) => panic!("a viewer refused: {refusal:?}"),
    }
}

async fn describe(client: &Client, to: PeerId, kind: DescriptionKind, sdp: String) {
    client
        .send(to, &Message::Description(Description { kind, sdp }))
        .await
        .expect("send a description");
}

/// Sends the next picture when it is due; whether it was the last one.
async fn sending(call: &mut Option<Call>) -> bool {
    match call {
        Some(call) => call.send_next().await,
        None => std::future::pending().await,
    }
}

struct Call {
    peer: PeerId,
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticSample>,
    connected: mpsc::Receiver<()>,
    is_connected: bool,
    pace: time::Interval,
    manner: Manner,
    sent: u32,
    encoder: encoder::Encoder,
    vp8: Vec<Bytes>,
}

impl Call {
    async fn new(client: &Client, peer: PeerId, manner: Manner) -> Self {
        let (mime, payload_type) = manner.codec();
        let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
        let codec = RTCRtpCodec {
            mime_type: mime.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: if payload_type == 102 {
                h264.to_owned()
            } else {
                String::new()
            },
            rtcp_feedback: Vec::new(),
        };
        let mut engine = MediaEngine::default();
        let parameters = RTCRtpCodecParameters {
            rtp_codec: codec.clone(),
            payload_type,
        };
        engine
            .register_codec(parameters, RtpCodecKind::Video)
            .expect("a codec");
        let registry = register_default_interceptors(Registry::new(), &mut engine).expect("interceptors");
        let (connected_in, connected) = mpsc::channel(1);
        let setting = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let handler = Handler {
            client: client.clone(),
            peer,
            connected: connected_in,
            manner,
            talks: Mutex::default(),
        };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(setting)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build()
            .await
            .expect("a connection");
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(SSRC),
                ..Default::default()
            },
            codec,
            ..Default::default()
        };
        let name = |what: &str| format!("test-{what}");
        let track = MediaStreamTrack::new(
            name("stream"),
            name("track"),
            name("label"),
            RtpCodecKind::Video,
            vec![coding],
        );
        let track = Arc::new(TrackLocalStaticSample::new(Instant::now(), track).expect("a track"));
        connection
            .add_track(Arc::clone(&track) as Arc<dyn TrackLocal>)
            .await
            .expect("a sender");
        Self {
            peer,
            connection: Arc::new(connection),
            track,
            connected,
            is_connected: false,
            pace: time::interval(FRAME),
            manner,
            sent: 0,
            encoder: encoder::Encoder::new().expect("an encoder"),
            vp8: ivf_frames(include_bytes!("../data/vp8.ivf")),
        }
    }

    async fn send_next(&mut self) -> bool {
        if !self.is_connected {
            self.connected.recv().await.expect("the connection lives");
            self.is_connected = true;
        }
        self.pace.tick().await;
        let data = match self.manner {
            Manner::Vp8 => self.vp8[self.sent as usize % self.vp8.len()].clone(),
            _ => self.encode(),
        };
        self.sent += 1;
        let sample = Sample {
            data,
            timestamp: Instant::now(),
            duration: FRAME,
            packet_timestamp: 0,
            prev_dropped_packets: 0,
            prev_padding_packets: 0,
        };
        let (_, payload_type) = self.manner.codec();
        self.track
            .write_sample(SSRC, payload_type, &sample, &[])
            .await
            .expect("send");
        matches!(self.manner, Manner::Leaves(count) if self.sent >= count)
    }

    fn encode(&mut self) -> Bytes {
        if self.sent.is_multiple_of(15) {
            self.encoder.force_intra_frame();
        }
        let picture = draw(self.sent as usize);
        let picture = YUVBuffer::from_vec(picture, WIDTH, HEIGHT);
        self.encoder.encode(&picture).expect("encode").to_vec().into()
    }
}

struct Handler {
    client: Client,
    peer: PeerId,
    connected: mpsc::Sender<()>,
    manner: Manner,
    talks: Mutex<JoinSet<()>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let init = event.candidate.to_json().expect("a candidate");
        let candidate = Candidate {
            sdp_mid: "0".to_owned(),
            sdp_mline_index: 0,
            candidate: init.candidate,
        };
        // The viewer may have hung up meanwhile.
        let _ = self.client.send(self.peer, &Message::Candidate(candidate)).await;
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        if self.manner != Manner::Slate {
            return;
        }
        // The connection waits for this function, and the messages for the connection.
        self.talks.lock().expect("no panic").spawn(async move {
            for message in [
                r#"{"type":"state","privacy":false,"picture_fault":"/dev/video0 was unplugged"}"#,
                r#"{"type":"event","what":"picture","reason":"/dev/video0 was unplugged"}"#,
                r#"{"type":"event","what":"picture","reason":""}"#,
                r#"{"type":"event","what":"privacy","on":true}"#,
            ] {
                channel.send_text(message).await.expect("send a message");
            }
            // As long as somebody holds it.
            while channel.poll().await.is_some() {}
        });
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.connected.try_send(());
        }
    }
}

/// A picture (I420) with a moving bar and, in the top left corner, the clock.
fn draw(number: usize) -> Vec<u8> {
    let mut samples = vec![128u8; WIDTH * HEIGHT * 3 / 2];
    for (index, sample) in samples[..WIDTH * HEIGHT].iter_mut().enumerate() {
        let x = index % WIDTH;
        *sample = if (x + number * 4) % WIDTH < 32 { 200 } else { 60 };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let time = (since.as_micros() / 100) as u64 & 0xFFFF_FFFF_FFFF;
    let mut crc = 0xFFFFu16;
    for bit in (0..48).rev() {
        let feedback = (crc >> 15) ^ ((time >> bit) & 1) as u16;
        crc = (crc << 1) ^ if feedback == 1 { 0x1021 } else { 0 };
    }
    let bits = (time << 16) | u64::from(crc);
    let block = WIDTH / 32;
    for y in 0..2 * block {
        for x in 0..WIDTH {
            let bit = 63 - (y / block * 32 + x / block);
            samples[y * WIDTH + x] = if (bits >> bit) & 1 == 1 { 235 } else { 16 };
        }
    }
    samples
}

/// The frames in an IVF file: a head of 32 bytes, and 12 bytes before each frame, the first 4 its length.
pub fn ivf_frames(file: &[u8]) -> Vec<Bytes> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, body)) = rest.split_at_checked(12) {
        let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
        frames.push(Bytes::copy_from_slice(&body[..length]));
        rest = &body[length..];
    }
    frames
}
