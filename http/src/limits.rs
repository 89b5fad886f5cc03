use std::time::Duration;

/// What keeps clients within bounds. Each daemon has its own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at a time.
    pub connections: usize,
    /// The most of them that one client may have. Those that come through a trusted proxy are counted once it is known for
    /// whom.
    pub connections_each: usize,
    /// How many connections above that are told so and waited for at a time. Those beyond are told without waiting
    /// for whether they hear it.
    pub turned_away: usize,
    /// The most bytes of a request's head.
    pub head_bytes: usize,
    /// The most bytes of its target, which is a part of the head.
    pub target_bytes: usize,
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// How long the head may take to come.
    pub head: Duration,
    /// How long the body may take after that.
    pub body: Duration,
    /// A connection on which this long nothing can be written is dead, or its client doesn't read.
    pub stall: Duration,
    /// After this long without an acknowledgement an answer that somebody wants to know the arrival of ([`crate::Receipt`]) has not
    /// arrived: its client is gone.
    pub arrival: Duration,
    /// The same where something waits for that ([`crate::Receipt::is_awaited`]).
    pub arrival_awaited: Duration,
    /// How long all of a connection may take; `None` where answers may take as long as they like.
    pub whole: Option<Duration>,
    /// After an answer, how long and how many bytes of what the client still sends are read. If a socket is closed with
    /// something unread, the system sends a reset, which can overtake the answer and make the client lose it (RFC 9112, 9.6).
    pub linger: Duration,
    /// See [`Limits::linger`].
    pub linger_bytes: u64,
    /// How long the last answers may take when the server stops.
    pub grace: Duration,
}
