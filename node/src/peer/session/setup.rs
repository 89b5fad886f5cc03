use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rtc::{
    crypto::RTCCryptoProvider,
    ice::mdns::MulticastDnsMode,
    interceptor::{ReceiverReportBuilder, Registry, Slot},
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{
            media_engine::MediaEngine,
            setting_engine::{SctpMaxMessageSize, SettingEngineBuilder},
        },
        transport::RTCDtlsRole,
    },
    rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
    shared::error::Error,
};

use super::{
    channel::{LONGEST, UNREAD},
    pace,
};
use crate::peer::{
    rtcp::Reader,
    sdp::{Agreed, Coding, Setup},
};

/// Of a viewer that fell silent the session decides itself what is to be done (`silence`). The core gives it up after the sum of both, later than that.
const SILENT: Duration = Duration::from_secs(3);
const GONE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(1);
/// Each pair of addresses is checked once more than this until it answers, at the [`Pace`](super::pace::Pace).
const CHECKS: u16 = 11;

/// A connection that knows these codings and nothing else. Each has a certificate of its own (the core makes
/// it), so that none can expire in a node that runs for years. `hears` tells whether anything is to come in.
pub(super) fn connection(
    agreed: &Agreed,
    viewer: Setup,
    hears: bool,
    reader: Reader,
    ciphers: Arc<dyn RTCCryptoProvider>,
    now: Instant,
) -> Result<RTCPeerConnection, Error> {
    let mut media = MediaEngine::default();
    media.register_codec(parameters(&agreed.picture, "video"), RtpCodecKind::Video)?;
    for coding in &agreed.audio {
        media.register_codec(parameters(coding, "audio"), RtpCodecKind::Audio)?;
    }
    // Application-ward of what the core says itself.
    let mut interceptors = Registry::new().with(Slot::from(14_000), reader);
    if hears {
        // By these the viewer's program learns how much is lost, and protects its voice accordingly.
        interceptors = interceptors.with(Slot::ReceiverReport, ReceiverReportBuilder::new().build());
    }
    let settings = SettingEngineBuilder::new()
        .with_crypto_provider(ciphers)
        .with_ice_timeouts(Some(SILENT), Some(GONE), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(pace::FIRST), Some(CHECKS))
        // Names are not looked up: see `Unfit::Name`.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(LONGEST))
        .with_sctp_max_receive_buffer_size(UNREAD)
        .with_answering_dtls_role(role(viewer))
        .build();
    RTCPeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(interceptors)
        .with_setting_engine(settings)
        .build(now)
}

/// Our part in the DTLS handshake: the one that waits, so that a ClientHello that gets lost is the viewer's to repeat.
fn role(viewer: Setup) -> RTCDtlsRole {
    match viewer {
        Setup::Either | Setup::Active => RTCDtlsRole::Server,
        Setup::Passive => RTCDtlsRole::Client,
    }
}

/// How the core wants a coding described.
pub(super) fn parameters(coding: &Coding, kind: &str) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: codec(coding, kind),
        payload_type: coding.payload_type,
    }
}

pub(super) fn codec(coding: &Coding, kind: &str) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.into(),
        parameter: parameter.into(),
    };
    RTCRtpCodec {
        mime_type: format!("{kind}/{}", coding.name),
        clock_rate: coding.clock_rate,
        channels: coding.channels,
        sdp_fmtp_line: coding.format.clone(),
        rtcp_feedback: if kind == "video" {
            vec![
                feedback("nack", ""),
                feedback("nack", "pli"),
                feedback("ccm", "fir"),
            ]
        } else {
            vec![]
        },
    }
}
