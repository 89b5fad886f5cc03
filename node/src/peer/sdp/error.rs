use super::bounds::TooMuch;

/// Why a description can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::peer) enum DescriptionError {
    #[error("the session description can't be read: {0}")]
    Syntax(String),
    #[error("the session description has no DTLS fingerprint")]
    NoFingerprint,
    #[error("the session description has no DTLS fingerprint by SHA-256 (RFC 8827, section 6.5)")]
    OtherFingerprint,
    #[error("the session description has no ICE credentials (a=ice-ufrag, a=ice-pwd)")]
    NoCredentials,
    #[error("the session description has a=setup:{0}, which begins no connection")]
    Setup(String),
    #[error("the session description changes who is client of DTLS, which takes another connection")]
    OtherRole,
    #[error("the session description has no media section")]
    Empty,
    #[error(
        "the session description has no section for video, audio or data channels over DTLS that is not rejected"
    )]
    Useless,
    #[error("the session description has no a=rtcp-mux: RTP and RTCP share one port here (RFC 5761)")]
    NoMux,
    #[error("the session description has two sections with a=mid:{0}")]
    SameMid(String),
    #[error("the session description has no section with the codec in which the picture is sent already")]
    OtherCodec,
    #[error("the answer has other sections than the offer (RFC 3264, section 6)")]
    Unlike,
    #[error("the answer does not bundle its sections: there is one transport here for all of them")]
    Unbundled,
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}
