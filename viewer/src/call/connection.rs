//! The WebRTC connection to the node: what it can receive, and what it reports.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use bytes::BytesMut;
use pinhole_signaling::{Candidate, Description, DescriptionKind};
use rtc::{
    ice::mdns::MulticastDnsMode,
    interceptor::{NackGeneratorBuilder, Slot},
    peer_connection::configuration::media_engine::MIME_TYPE_OPUS,
    rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
};
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent},
    error::Result,
    media_stream::track_remote::TrackRemote,
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
        RTCConfigurationBuilder, RTCIceCandidateInit, RTCIceServer, RTCPeerConnectionIceEvent,
        RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder,
        configure_rtcp_reports, configure_twcc_receiver_only,
    },
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit},
};

use super::event::Path;
use crate::receive::{Codec, intake::PayloadTypes};

/// How often lost packets are asked for again. The library's own 100 ms is half of what the assembler waits.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// How often one packet is asked for before it is given up.
const NACK_TRIES: u16 = 10;
/// The library lets a controlling agent wait for better candidates than those that it learns from the peer's
/// own checks (by default a second). They are the very addresses that the node is about to send.
const PATIENCE_FOR_BETTER_PATHS: Duration = Duration::ZERO;
/// The label of the channel on which a node of ours says how its camera is (docs/control.md). Without a protocol: we are not the page.
const CONTROL: &str = "pinhole-control";
/// Events that may wait. Candidates come in a burst of a few dozen at most.
const QUEUE: usize = 256;

/// What to receive, and how to find the way.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Video codecs to offer, the preferred one first.
    pub codecs: Vec<Codec>,
    /// STUN and TURN servers, as URLs (RFC 7064, RFC 7065).
    pub ice_servers: Vec<String>,
    /// Offer this machine's loopback addresses too: the node may run right here, without any network.
    pub loopback: bool,
}

/// What a connection reports.
pub enum Report {
    /// An address of ours, for the node.
    Candidate(Candidate),
    /// The state of the path.
    Path(Path),
    /// Pictures will come on this track.
    Video(Arc<dyn TrackRemote>),
    /// Sound will come on this track.
    Audio(Arc<dyn TrackRemote>),
    /// The node says something on the control channel.
    Said(BytesMut),
}

/// A connection to one node.
pub struct Connection {
    peer: Arc<dyn PeerConnection>,
    reports: mpsc::Receiver<Report>,
    /// Until it is closed, as by a node that has nothing to say.
    control: Option<Arc<dyn DataChannel>>,
}

impl Connection {
    /// Makes a connection that wants to receive video and audio; it does nothing before an offer.
    ///
    /// # Errors
    /// Where no UDP socket can be opened.
    pub async fn new(settings: &Settings) -> Result<Self> {
        let (sender, reports) = mpsc::channel(QUEUE);
        let (engine, registry) = media(&settings.codecs)?;
        let server = |url: &String| RTCIceServer {
            urls: vec![url.clone()],
            ..Default::default()
        };
        let servers = settings.ice_servers.iter().map(server).collect();
        let setting = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_prflx_acceptance_min_wait(Some(PATIENCE_FOR_BETTER_PATHS))
            .with_srflx_acceptance_min_wait(Some(PATIENCE_FOR_BETTER_PATHS));
        let peer = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().with_ice_servers(servers).build())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(setting.build())
            .with_handler(Arc::new(Reporter(sender)))
            .with_udp_addrs(addresses(settings.loopback))
            .build()
            .await?;
        Ok(Self {
            peer: Arc::new(peer),
            reports,
            control: None,
        })
    }

    /// The next report.
    pub async fn report(&mut self) -> Report {
        loop {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some(report) => return report,
                    // The connection's own task ended; what there was to report has been.
                    None => std::future::pending().await,
                },
                event = heard(self.control.as_deref()) => match event {
                    Some(DataChannelEvent::OnMessage(message)) => return Report::Said(message.data),
                    Some(_) => {}
                    None => self.control = None,
                },
            }
        }
    }

    /// Makes an offer to receive one video and one audio track, and what the node says of its camera.
    ///
    /// # Errors
    /// Those of the library.
    pub async fn offer(&mut self) -> Result<Description> {
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            let direction = RTCRtpTransceiverDirection::Recvonly;
            let init = RTCRtpTransceiverInit {
                direction,
                ..Default::default()
            };
            self.peer.add_transceiver_from_kind(kind, Some(init)).await?;
        }
        self.control = Some(self.peer.create_data_channel(CONTROL, None).await?);
        let offer = self.peer.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        self.peer.set_local_description(offer).await?;
        Ok(Description {
            kind: DescriptionKind::Offer,
            sdp,
        })
    }

    /// Answers the node's offer.
    ///
    /// # Errors
    /// Where the offer can't be used.
    pub async fn answer(&self, offer: String) -> Result<Description> {
        self.peer
            .set_remote_description(RTCSessionDescription::offer(offer)?)
            .await?;
        let answer = self.peer.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.peer.set_local_description(answer).await?;
        Ok(Description {
            kind: DescriptionKind::Answer,
            sdp,
        })
    }

    /// Takes the node's answer.
    ///
    /// # Errors
    /// Where it can't be used.
    pub async fn accept(&self, answer: Description) -> Result<()> {
        let description = match answer.kind {
            DescriptionKind::Pranswer => RTCSessionDescription::pranswer(answer.sdp),
            _ => RTCSessionDescription::answer(answer.sdp),
        };
        self.peer.set_remote_description(description?).await
    }

    /// Takes an address of the node.
    ///
    /// # Errors
    /// Where it can't be used; others may do.
    pub async fn add(&self, candidate: Candidate) -> Result<()> {
        let init = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: Some(candidate.sdp_mid),
            sdp_mline_index: Some(candidate.sdp_mline_index),
            ..Default::default()
        };
        self.peer.add_ice_candidate(init).await
    }

    /// Which payload types the node sends which codec with.
    pub async fn payload_types(&self) -> PayloadTypes {
        // A sender uses the numbers of the receiver's description (RFC 3264, section 5.1).
        let description = self.peer.local_description().await;
        description
            .map(|description| payload_types(&description.sdp))
            .unwrap_or_default()
    }

    /// Tells the node by DTLS, and ends.
    pub async fn close(self) {
        if let Err(error) = self.peer.close().await {
            tracing::debug!(%error, "the connection did not close cleanly");
        }
    }
}

/// What happens on a channel next; `None`: it is closed.
async fn heard(channel: Option<&dyn DataChannel>) -> Option<DataChannelEvent> {
    match channel {
        Some(channel) => channel.poll().await,
        None => std::future::pending().await,
    }
}

/// The codecs and the RTP machinery.
fn media(codecs: &[Codec]) -> Result<(MediaEngine, Registry)> {
    let mut engine = MediaEngine::default();
    for (codec, kind) in codecs.iter().map(|&codec| video(codec)).chain([opus()]) {
        engine.register_codec(codec, kind)?;
    }
    for parameter in ["", "pli"] {
        let feedback = RTCPFeedback {
            typ: "nack".to_owned(),
            parameter: parameter.to_owned(),
        };
        engine.register_feedback(feedback, RtpCodecKind::Video);
    }
    let nack = NackGeneratorBuilder::new()
        .with_interval(NACK_INTERVAL)
        .with_max_nacks_per_packet(NACK_TRIES)
        .build();
    let registry = Registry::new().with(Slot::NackGenerator, nack);
    let registry = configure_twcc_receiver_only(registry, &mut engine)?;
    Ok((engine, configure_rtcp_reports(registry)))
}

fn video(codec: Codec) -> (RTCRtpCodecParameters, RtpCodecKind) {
    let (payload_type, format) = match codec {
        // Constrained baseline, level 3.1 (the node may go above it), several packets to a NAL unit.
        Codec::H264 => (
            102,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
        Codec::Vp8 => (96, ""),
    };
    let rtp_codec = RTCRtpCodec {
        mime_type: codec.mime().to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: format.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    (
        RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        },
        RtpCodecKind::Video,
    )
}

fn opus() -> (RTCRtpCodecParameters, RtpCodecKind) {
    let rtp_codec = RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    (
        RTCRtpCodecParameters {
            rtp_codec,
            payload_type: 111,
        },
        RtpCodecKind::Audio,
    )
}

/// The addresses to listen on. The library turns a wildcard into all addresses of the machine that are
/// neither loopback nor link-local.
fn addresses(loopback: bool) -> Vec<String> {
    let wanted = ["0.0.0.0:0", "[::]:0"]
        .into_iter()
        .chain(["127.0.0.1:0"].into_iter().filter(|_| loopback));
    // A kernel without IPv6 must not cost the call.
    wanted
        .filter(|address| UdpSocket::bind(address).is_ok())
        .map(str::to_owned)
        .collect()
}

/// The payload types of our codecs in a description (`a=rtpmap`, RFC 8866, section 6.6).
fn payload_types(sdp: &str) -> PayloadTypes {
    sdp.lines()
        .filter_map(|line| {
            let (number, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            let name = encoding.split('/').next()?;
            Some((number.parse().ok()?, Codec::from_mime(&format!("video/{name}"))?))
        })
        .collect()
}

/// Turns the library's callbacks into reports. They run on the connection's own task, which must not wait.
struct Reporter(mpsc::Sender<Report>);

impl Reporter {
    fn report(&self, report: Report) {
        if self.0.try_send(report).is_err() {
            tracing::debug!("a report of the connection was dropped: nobody reads, or too many wait");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Reporter {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            // An unspecified address is nobody's.
            Ok(init) if !init.candidate.contains(" 0.0.0.0 ") && !init.candidate.contains(" :: ") => {
                let sdp_mid = init
                    .sdp_mid
                    .filter(|mid| !mid.is_empty())
                    .unwrap_or_else(|| "0".to_owned());
                let sdp_mline_index = init.sdp_mline_index.unwrap_or(0);
                self.report(Report::Candidate(Candidate {
                    sdp_mid,
                    sdp_mline_index,
                    candidate: init.candidate,
                }));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "an address that cannot be written"),
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.report(Report::Path(Path::Up)),
            RTCPeerConnectionState::Disconnected => self.report(Report::Path(Path::Interrupted)),
            RTCPeerConnectionState::Failed => self.report(Report::Path(Path::Failed)),
            other => tracing::debug!(state = %other, "connection"),
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        match track.kind().await {
            RtpCodecKind::Video => self.report(Report::Video(track)),
            RtpCodecKind::Audio => self.report(Report::Audio(track)),
            other => tracing::debug!(kind = %other, "passed over a track"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_types_are_read_from_a_description() {
        let sdp = "m=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\nm=video 9 X 96 102 103 104\r\n\
                   a=rtpmap:96 VP8/90000\r\na=rtpmap:102 h264/90000\r\na=rtpmap:103 rtx/90000\r\na=rtpmap:x y\r\n";
        assert_eq!(
            payload_types(sdp),
            PayloadTypes::from([(96, Codec::Vp8), (102, Codec::H264)])
        );
    }

    #[tokio::test]
    async fn an_offer_wants_one_video_and_one_audio_track_only_to_receive() {
        let settings = Settings {
            codecs: vec![Codec::H264, Codec::Vp8],
            ice_servers: Vec::new(),
            loopback: true,
        };
        let mut connection = Connection::new(&settings).await.expect("a connection");
        let sdp = connection.offer().await.expect("an offer").sdp;
        let count = |part: &str| sdp.lines().filter(|line| line.starts_with(part)).count();
        assert_eq!(
            (count("m=audio"), count("m=video"), count("a=recvonly")),
            (1, 1, 2),
            "{sdp}"
        );
        assert!(
            sdp.contains("packetization-mode=1") && sdp.contains("profile-level-id=42e01f"),
            "{sdp}"
        );
        let video = sdp
            .lines()
            .find(|line| line.starts_with("m=video"))
            .expect("a video line");
        assert!(video.ends_with("102 96"), "H.264 first: {video}");
        assert_eq!(
            payload_types(&sdp),
            PayloadTypes::from([(96, Codec::Vp8), (102, Codec::H264)])
        );
        assert!(sdp.contains("nack pli"), "{sdp}");
        assert_eq!(count("m=application"), 1, "{sdp}");
        connection.close().await;
    }
}
