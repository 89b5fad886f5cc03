//! The signaling wire, once, for both ends.
//!
//! Pinhole speaks the protocol of WebRTC's `examples/peerconnection` programs: short HTTP/1.0 requests, one per
//! TCP connection, and a long poll (`/wait`) that delivers one event each. This crate holds the words of that
//! protocol ([`PeerId`], [`Name`], [`Member`], [`Message`]), what both ends must agree on ([`http`]), and the
//! client that the node and the viewer use ([`Client`]). The server's side is in `pinhole-server`.
//!
//! Invariant: nothing here trusts its input. Every size is bounded and every parser answers with an error that
//! says what was wrong.

pub mod client;
pub mod http;
pub mod message;
pub mod name;
pub mod peer;
pub mod roster;
pub mod secret;
pub mod token;
mod url;

pub use client::{Client, ClientError, Event};
pub use message::{Candidate, Description, DescriptionKind, Envelope, Message, MessageError, Refusal};
pub use name::Name;
pub use peer::{PeerId, PeerIdError};
pub use roster::{EntryError, Member};
pub use secret::{CallTag, MemberKey, SecretError};
pub use token::{Token, TokenError, TokenFileError};
pub use url::{ServerUrl, ServerUrlError};
