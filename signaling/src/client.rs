//! The client of the node and the viewer: a member of one server.
//!
//! It works with our server and with the unmodified stock one: one HTTP/1.0 request per TCP connection, header
//! names in the stock's case, the answer's end known by `Content-Length` (the stock server leaves connections open).

mod answer;
mod exchange;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use crate::http;
use crate::message::Message;
use crate::name::Name;
use crate::peer::PeerId;
use crate::roster::{self, Member};
use crate::token::Token;
use crate::url::ServerUrl;
use answer::Answer;
use exchange::Request;

/// How long a connection may take, over all addresses of the server.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take (except that of `/wait`, which comes when there is an event).
const ANSWER: Duration = Duration::from_secs(10);

/// A member of a server, made by [`Client::sign_in`]. Cheap to clone; all clones are the same member.
#[derive(Debug, Clone)]
pub struct Client {
    membership: Arc<Membership>,
}

#[derive(Debug)]
struct Membership {
    server: ServerUrl,
    token: Option<Token>,
    id: PeerId,
    /// Of ours, on the connection on which the server answered last.
    local_address: Mutex<Option<IpAddr>>,
}

/// What [`Client::wait`] brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member came or went.
    Presence(Member),
    /// Another member (or this one itself) sent a message; [`Message::parse`] reads the body.
    Message {
        /// Who sent it.
        from: PeerId,
        /// The body, verbatim.
        body: Bytes,
    },
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server did not take the connection, did not answer in time, or the connection broke.
    #[error("the signaling server at {address} can't be reached: {source}")]
    Unreachable {
        /// `host:port`, or the resolved address where it got that far.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server does not know this member (any more): sign in again.
    #[error("the signaling server has forgotten us; sign in again")]
    Forgotten,
    /// The server shuts down; after its return, sign in again.
    #[error("the signaling server is shutting down; sign in again when it is back")]
    Closing,
    /// The peer that a message was for has most likely gone. It can also mean that this member itself is
    /// forgotten, which the next [`Client::wait`] then says.
    #[error("peer {to} has most likely gone")]
    PeerGone {
        /// The peer.
        to: PeerId,
    },
    /// The server wants an access token, and there was none to show.
    #[error("the signaling server wants an access token")]
    TokenWanted,
    /// The server does not take the access token that was shown.
    #[error("the signaling server does not take this access token")]
    TokenRefused,
    /// The server answered with another status than success.
    #[error("the signaling server refused the request with status {status} ({reason})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The start of what the answer says, for people.
        reason: String,
    },
    /// The answer is not one of a signaling server.
    #[error("the answer is not that of a signaling server: {what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// The answer, or the message to send, is longer than the protocol allows.
    #[error("{what} is too long: at most {limit} bytes are allowed")]
    TooLong {
        /// Which part.
        what: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
}

impl ClientError {
    /// Whether it is about the access token, such that trying again helps only after a person has put one right, here or
    /// on the server.
    pub fn is_about_token(&self) -> bool {
        matches!(self, ClientError::TokenWanted | ClientError::TokenRefused)
    }

    /// Whether this membership is at its end, such that only a new [`Client::sign_in`] helps.
    pub fn ends_membership(&self) -> bool {
        matches!(self, ClientError::Forgotten | ClientError::Closing)
    }
}

impl Client {
    /// Becomes a member of a server; gives the other members that are there, too.
    ///
    /// The token is shown to the server with this request and all later ones; a server that wants none, such as the
    /// stock one, passes over it.
    ///
    /// An empty name lets the server choose (`peer_<id>`). Entries of others that can't be read are left out, with
    /// a warning in the log.
    pub async fn sign_in(
        server: &ServerUrl,
        token: Option<&Token>,
        name: &Name,
    ) -> Result<(Client, Vec<Member>), ClientError> {
        let target = format!("{}?{}", http::SIGN_IN, name.to_query());
        let request = Request {
            server,
            token,
            target,
            body: None,
            patience: Some(ANSWER),
            limit: http::MAX_ROSTER,
        };
        let answer = request.exchange().await?;
        let answer = success(answer, token.is_some())?;
        let id = answer
            .pragma
            .ok_or_else(|| malformed("the sign-in has no Pragma header with an id"))?;
        let mut others = Vec::new();
        for entry in roster::parse(&answer.body) {
            match entry {
                Ok(member) if member.id == id => {}
                Ok(member) => others.push(member),
                Err(error) => tracing::warn!(%server, %error, "passed over an entry of the roster"),
            }
        }
        Ok((
            Client {
                membership: Arc::new(Membership {
                    server: server.clone(),
                    token: token.cloned(),
                    id,
                    local_address: Mutex::new(answer.local_address),
                }),
            },
            others,
        ))
    }

    /// The id that the server gave.
    pub fn id(&self) -> PeerId {
        self.membership.id
    }

    /// The server.
    pub fn server(&self) -> &ServerUrl {
        &self.membership.server
    }

    /// Our address on the connection on which the last event came: the server reaches us there, so others may as well.
    pub fn local_address(&self) -> Option<IpAddr> {
        self.membership
            .local_address
            .lock()
            .ok()
            .and_then(|address| *address)
    }

    /// The access token that is shown to it.
    pub fn token(&self) -> Option<&Token> {
        self.membership.token.as_ref()
    }

    /// Waits for the next event, however long it takes.
    ///
    /// Call it again at once: a server drops a member that does not wait for over 30 s, and only one wait may be
    /// open. A network that dies silently is noticed by TCP keepalive within about a minute. If the future is dropped, an
    /// event that is under way at that moment may be lost.
    pub async fn wait(&self) -> Result<Event, ClientError> {
        let request = Request {
            patience: None,
            ..self.request(http::WAIT, String::new(), None)
        };
        let answer = request.exchange().await?;
        // Nobody panics while it is locked.
        if let Ok(mut address) = self.membership.local_address.lock() {
            *address = answer.local_address;
        }
        let answer = match answer {
            // Our server says so with a status, the stock one with a 200 that has no Pragma.
            Answer { status: 503, .. }
            | Answer {
                status: 200,
                pragma: None,
                ..
            } => return Err(ClientError::Closing),
            answer => self.known(answer)?,
        };
        match answer.pragma {
            None => Err(malformed("the event has no Pragma header")),
            Some(id) if id == self.id() => {
                let member = Member::parse(&answer.body).map_err(|error| malformed(error.to_string()))?;
                Ok(Event::Presence(member))
            }
            Some(from) => Ok(Event::Message {
                from,
                body: answer.body,
            }),
        }
    }

    /// Sends a message to a member, this one itself included, and returns when the server has taken it.
    ///
    /// To keep the order of messages, send one after the other.
    pub async fn send(&self, to: PeerId, message: &Message) -> Result<(), ClientError> {
        let body = message.to_body();
        if body.len() > http::MAX_MESSAGE {
            return Err(ClientError::TooLong {
                what: "the message to send",
                limit: http::MAX_MESSAGE,
            });
        }
        let answer = self
            .request(http::MESSAGE, format!("&{}={to}", http::TO), Some(body))
            .exchange()
            .await?;
        if answer.status == 500 {
            return Err(ClientError::PeerGone { to });
        }
        self.success(answer).map(drop)
    }

    /// Leaves the server.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        let request = self.request(http::SIGN_OUT, String::new(), None);
        self.known(request.exchange().await?).map(drop)
    }

    fn request(&self, path: &str, more: String, body: Option<Bytes>) -> Request<'_> {
        Request {
            server: self.server(),
            token: self.token(),
            target: format!("{path}?{}={}{more}", http::PEER_ID, self.id()),
            body,
            patience: Some(ANSWER),
            limit: http::MAX_MESSAGE,
        }
    }

    /// An answer to a member's request: 500 is how servers say that they don't know the member.
    fn known(&self, answer: Answer) -> Result<Answer, ClientError> {
        if answer.status == 500 {
            Err(ClientError::Forgotten)
        } else {
            self.success(answer)
        }
    }

    fn success(&self, answer: Answer) -> Result<Answer, ClientError> {
        success(answer, self.token().is_some())
    }
}

fn success(answer: Answer, with_token: bool) -> Result<Answer, ClientError> {
    match answer.status {
        200 => return Ok(answer),
        401 if with_token => return Err(ClientError::TokenRefused),
        401 => return Err(ClientError::TokenWanted),
        _ => {}
    }
    let said: String = String::from_utf8_lossy(&answer.body)
        .trim()
        .chars()
        .take(240)
        .collect();
    let reason = if said.is_empty() { answer.reason } else { said };
    Err(ClientError::Refused {
        status: answer.status,
        reason,
    })
}

fn malformed(what: impl Into<String>) -> ClientError {
    ClientError::Malformed { what: what.into() }
}
