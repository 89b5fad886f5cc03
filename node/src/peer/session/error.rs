use std::io;

use rtc::{crypto::CryptoError, shared::error::Error};
use rustix::io::Errno;

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
    #[error("there are no ciphers: {0}")]
    Ciphers(#[from] CryptoError),
    #[error("no network interface has an address at which a viewer could reach this camera")]
    NoAddress,
    #[error("the network interfaces can't be read: {0}{advice}", advice = advice(.0))]
    Interfaces(#[from] io::Error),
}

/// What to do about it, where a person can do something.
fn advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "; the node needs more file descriptors (`LimitNOFILE=` in its unit)",
        Some(Errno::NFILE) => "; this machine has no file descriptors left (`fs.file-max`)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_file_descriptors_are_told_as_such() {
        let said = |errno: Errno| SessionError::from(io::Error::from(errno)).to_string();
        assert!(
            said(Errno::MFILE).ends_with("LimitNOFILE=` in its unit)"),
            "{}",
            said(Errno::MFILE)
        );
        assert!(said(Errno::NFILE).contains("fs.file-max"));
        assert!(said(Errno::PERM).starts_with("the network interfaces can't be read"));
        assert!(!said(Errno::PERM).contains(';'));
    }
}
