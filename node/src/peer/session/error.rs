use std::io;

use rtc::shared::error::Error;

use crate::peer::sdp::DescriptionError;

/// Why a viewer's offer was not taken, or its session ended, in words for the viewer.
#[derive(Debug, thiserror::Error)]
pub(in crate::peer) enum SessionError {
    #[error(transparent)]
    Description(#[from] DescriptionError),
    #[error(
        "no common video codec: this camera sends H.264 (constrained baseline, packetization-mode 1) and VP8"
    )]
    NoCommonCodec,
    #[error("the session description does not fit the session: {0}")]
    Negotiation(#[from] Error),
    #[error("no network interface has an address at which a viewer could reach this camera")]
    NoAddress,
    #[error("the network interfaces can't be read: {0}")]
    Interfaces(#[from] io::Error),
}
