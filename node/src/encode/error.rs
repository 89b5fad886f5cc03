use crate::{
    encode::{LayoutError, m2m::M2mError},
    media::{Codec, VideoFormat},
};

/// Why a picture was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A picture can't become a file.
    #[error("no JPEG: {0}")]
    Jpeg(String),
    /// The codec has no encoder for such frames.
    #[error("{codec} cannot encode {format}: {reason}; choose another `size` or `fps` for the camera")]
    Unsupported {
        /// The codec.
        codec: Codec,
        /// The format that was asked for.
        format: VideoFormat,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A frame of another format than the encoder was made for; the encoder must be made anew.
    #[error("the {codec} encoder was made for {expected} and got a frame of {actual}")]
    FormatChanged {
        /// The codec.
        codec: Codec,
        /// What the encoder was made for.
        expected: VideoFormat,
        /// What the frame is.
        actual: VideoFormat,
    },
    /// The frame's bytes do not hold the picture that its format promises.
    #[error("the {codec} encoder got a frame with a wrong layout")]
    Layout {
        /// The codec.
        codec: Codec,
        /// What is wrong with it.
        #[source]
        source: LayoutError,
    },
    /// The codec's library reported an error.
    #[error("the {codec} encoder failed to {action}: {reason}")]
    Library {
        /// The codec.
        codec: Codec,
        /// What was tried.
        action: &'static str,
        /// The library's words or error number.
        reason: String,
    },
    /// An encoder in hardware failed.
    #[error(transparent)]
    Hardware(#[from] M2mError),
    /// Nothing is there that may encode.
    #[error(
        "there is no hardware encoder for {format} in {codec}, and `encoders` in [video] has nothing else; add \"software\""
    )]
    NoEncoder {
        /// The codec.
        codec: Codec,
        /// What is to be encoded.
        format: VideoFormat,
    },
    /// An encoder of sound failed.
    #[error("the {encoder} encoder failed: {reason}")]
    Sound {
        /// Its name.
        encoder: &'static str,
        /// The library's words.
        reason: &'static str,
    },
}
