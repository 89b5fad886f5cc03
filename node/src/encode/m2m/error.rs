use std::io;

use crate::encode::{ConvertError, LayoutError};

/// Why a hardware encoder did not encode.
#[derive(Debug, thiserror::Error)]
pub enum M2mError {
    /// A call of its driver failed.
    #[error("the encoder {device} fails to {action}")]
    Device {
        /// Its driver and node.
        device: String,
        /// What was tried.
        action: &'static str,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// It has no use for such pictures.
    #[error("the encoder {device} cannot encode this: {reason}")]
    Unsupported {
        /// Its driver and node.
        device: String,
        /// What is in the way.
        reason: String,
    },
    /// It has taken a picture and does not go on.
    #[error("the encoder {device} has been silent for {seconds:.1} s")]
    Silent {
        /// Its driver and node.
        device: String,
        /// For how long.
        seconds: f64,
    },
    /// The driver flags a picture as failed.
    #[error("the encoder {device} has failed at a picture")]
    Failed {
        /// Its driver and node.
        device: String,
    },
    /// A frame that it was not made for; it must be made anew.
    #[error("the encoder {device} was made for other frames")]
    FormatChanged {
        /// Its driver and node.
        device: String,
    },
    /// The frame's bytes do not hold the picture that its format promises.
    #[error("the encoder {device} got a frame with a wrong layout")]
    Layout {
        /// Its driver and node.
        device: String,
        /// What is wrong with it.
        #[source]
        source: LayoutError,
    },
    /// What it made can't be understood.
    #[error("the encoder {device} makes a stream that is damaged")]
    Stream {
        /// Its driver and node.
        device: String,
        /// What is wrong with it.
        #[source]
        source: ConvertError,
    },
}
