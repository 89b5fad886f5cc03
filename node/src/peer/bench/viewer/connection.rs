//! The viewer's end of the core, set up as browsers set up theirs.

use std::time::{Duration, Instant};

use rtc::{
    dtls::extension::extension_use_srtp::SrtpProtectionProfile,
    interceptor::{NackGeneratorBuilder, ReceiverReportBuilder, Registry, Slot, TwccReceiverBuilder},
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{media_engine::MediaEngine, setting_engine::SettingEngineBuilder},
    },
    rtp_transceiver::rtp_sender::{
        RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
    },
};

use super::repaired::{Repair, Repaired};
use crate::media::Codec;

/// ICE as browsers do it: a check every 50 ms, a path that is tried for five seconds, and patience with one that was good before
/// (RFC 7675: consent lasts 30 s).
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
const CHECKS: u16 = 100;
const DISCONNECTED: Duration = Duration::from_secs(5);
const FAILED: Duration = Duration::from_secs(25);
const KEEPALIVE: Duration = Duration::from_secs(2);
/// The replay window of libsrtp as browsers set it, in packets. The core's own of 64 throws late retransmissions away.
const REPLAY_WINDOW: usize = 1024;
/// The header extension by whose numbers it reports what has arrived.
const NUMBERS: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The payload type of sound.
pub(in crate::peer::bench) const OPUS: u8 = 111;

/// The payload types of what is sent again, whatever the codec.
pub(in crate::peer::bench) const REPAIRS: [u8; 2] = [97, 103];

/// How a viewer asks for lost packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer::bench) struct Asking {
    pub(in crate::peer::bench) interval: Duration,
    /// How often for each packet.
    pub(in crate::peer::bench) tries: u16,
}

impl Default for Asking {
    /// As the core does it by default, but not for ever.
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(100),
            tries: 10,
        }
    }
}

/// What a viewer can decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer::bench) enum Ciphers {
    Any,
    /// AES-GCM with the longer key (RFC 7714, section 12).
    Aes256,
    /// What libwebrtc asks for first, and programs from before AES-GCM know besides [`Ciphers::ShortTag`] (RFC 5764, section 4.1.2).
    CounterMode,
    /// The only one of the core's that we don't seal by.
    ShortTag,
}

impl Ciphers {
    pub(in crate::peer::bench) const ALL: [Self; 4] =
        [Self::Any, Self::Aes256, Self::CounterMode, Self::ShortTag];

    /// Whether the session seals by it, and not the core.
    pub(in crate::peer::bench) fn is_ours(self) -> bool {
        self != Self::ShortTag
    }
}

/// A connection that knows one codec of pictures, and one of sound; and a stream for what is sent again, where somebody wants to know what came in that.
pub(super) fn connection(
    codec: Codec,
    asking: Asking,
    ciphers: Ciphers,
    repaired: Option<&Repaired>,
    now: Instant,
) -> RTCPeerConnection {
    let mut media = MediaEngine::default();
    media
        .register_codec(video(codec), RtpCodecKind::Video)
        .expect("a codec");
    if repaired.is_some() {
        media
            .register_codec(repairs(codec), RtpCodecKind::Video)
            .expect("a codec");
    }
    media
        .register_codec(opus(), RtpCodecKind::Audio)
        .expect("a codec");
    for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
        let numbers = RTCRtpHeaderExtensionCapability { uri: NUMBERS.into() };
        media
            .register_header_extension(numbers, kind, None)
            .expect("an extension");
    }
    let nack = NackGeneratorBuilder::new()
        .with_interval(asking.interval)
        .with_max_nacks_per_packet(asking.tries)
        .build();
    let repair = Repair::new(repeated(codec), repaired.cloned().unwrap_or_default());
    let interceptors = Registry::new()
        // Before whoever asks for what is missing.
        .with(Slot::from(6500), repair)
        .with(Slot::NackGenerator, nack)
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build());
    let settings = SettingEngineBuilder::new()
        .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        // They are gathered anew: the viewer may be elsewhere.
        .with_discard_local_candidates_during_ice_restart(true);
    let only = match ciphers {
        Ciphers::Any => None,
        Ciphers::Aes256 => Some(SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm),
        Ciphers::CounterMode => Some(SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80),
        Ciphers::ShortTag => Some(SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32),
    };
    let settings = match only {
        Some(profile) => settings.with_srtp_protection_profiles(vec![profile]),
        None => settings,
    };
    RTCPeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(interceptors)
        .with_setting_engine(settings.build())
        .build(now)
        .expect("a connection")
}

/// The payload types of a codec, and of what is sent again of it.
fn repeated(codec: Codec) -> (u8, u8) {
    match codec {
        Codec::H264 => (102, 103),
        Codec::Vp8 => (96, 97),
    }
}

fn repairs(codec: Codec) -> RTCRtpCodecParameters {
    let (of, payload_type) = repeated(codec);
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "video/rtx".into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format!("apt={of}"),
            rtcp_feedback: Vec::new(),
        },
        payload_type,
    }
}

fn video(codec: Codec) -> RTCRtpCodecParameters {
    let (payload_type, _) = repeated(codec);
    let (name, format) = match codec {
        Codec::H264 => (
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
        Codec::Vp8 => ("VP8", ""),
    };
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.into(),
        parameter: parameter.into(),
    };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: format!("video/{name}"),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format.into(),
            rtcp_feedback: vec![
                feedback("nack", ""),
                feedback("nack", "pli"),
                feedback("ccm", "fir"),
                feedback("transport-cc", ""),
            ],
        },
        payload_type,
    }
}

fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "audio/opus".into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
            rtcp_feedback: vec![RTCPFeedback {
                typ: "transport-cc".into(),
                parameter: String::new(),
            }],
        },
        payload_type: OPUS,
    }
}
