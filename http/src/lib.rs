//! What both daemons need of HTTP: listening, bounds on whoever connects, the gates that a request has to pass, and
//! answers that arrive. The only place that knows the HTTP library.
//!
//! ```text
//! Listener -> door -> connection -> gates -> Site::answer
//!               |          |          |
//!               '----------+----------'--> Site::refuse
//! ```
//!
//! A connection carries one request. Whatever a client does is bounded in number, bytes and time ([`Limits`]), and what it is refused
//! it is told in words.

mod answer;
mod arrival;
mod connection;
mod door;
mod first_line;
mod gates;
mod limits;
mod listen;
mod places;
mod request;
mod serve;
mod site;
mod socket;
mod source;

pub use answer::{Answer, Receipt};
pub use gates::{
    Access, AllowedOrigin, Caller, Gates, HostName, HostNameError, OriginError, Refusal, TrustedProxy,
    TrustedProxyError,
};
pub use hyper::{HeaderMap, Method, StatusCode, Uri, header};
pub use limits::Limits;
pub use listen::{ListenError, Listener, Words, try_listen};
pub use pinhole_signaling::Token;
pub use request::{Body, BodyError, Request};
pub use site::{Settings, Site};
pub use source::Source;
