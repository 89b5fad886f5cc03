//! What a description says of the transport that we take.

use super::{choice::Choice, error::DescriptionError, reading::Reading};

/// The viewer's end of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Transport {
    /// Of the viewer's DTLS certificate, by SHA-256.
    pub(in crate::peer) fingerprint: String,
    /// The ICE user name fragment: another one means an ICE restart.
    pub(in crate::peer) fragment: String,
    pub(super) password: String,
    pub(in crate::peer) setup: Setup,
    /// It only answers checks (RFC 8445, section 2.5).
    pub(super) is_lite: bool,
}

/// Which part the viewer takes in the DTLS handshake (RFC 8842, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) enum Setup {
    /// Whichever we leave to it.
    Either,
    /// The client's.
    Active,
    /// The server's.
    Passive,
}

impl Setup {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Either => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

impl Transport {
    /// Reads what is said of the transport of the chosen sections.
    ///
    /// # Errors
    /// It is not enough for a connection, or can't be had here.
    pub(super) fn read(reading: &Reading, choice: &Choice) -> Result<Self, DescriptionError> {
        let said = |key| reading.said(&choice.bundled, key).map(str::trim);
        let mut fingerprints = said("fingerprint").peekable();
        if fingerprints.peek().is_none() {
            return Err(DescriptionError::NoFingerprint);
        }
        // There may be several, each by another hash function (RFC 8122, section 5).
        let mut by_sha_256 = fingerprints.filter_map(|fingerprint| {
            let (function, value) = fingerprint.split_once(' ')?;
            function.eq_ignore_ascii_case("sha-256").then_some(value.trim())
        });
        let fingerprint = by_sha_256.next().ok_or(DescriptionError::OtherFingerprint)?;
        let credentials = ["ice-ufrag", "ice-pwd"].map(|key| said(key).find(|value| !value.is_empty()));
        let [Some(fragment), Some(password)] = credentials else {
            return Err(DescriptionError::NoCredentials);
        };
        let setup = match said("setup").next() {
            // Who says nothing would be active (RFC 4145, section 4), and we are passive where we may choose.
            Some("actpass") | None => Setup::Either,
            Some("active") => Setup::Active,
            Some("passive") => Setup::Passive,
            Some(other) => return Err(DescriptionError::Setup(other.to_owned())),
        };
        Ok(Self {
            fingerprint: fingerprint.to_ascii_uppercase(),
            fragment: fragment.to_owned(),
            password: password.to_owned(),
            setup,
            is_lite: reading.has("ice-lite"),
        })
    }
}
