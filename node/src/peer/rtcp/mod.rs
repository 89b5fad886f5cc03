//! What is said of media beside it (RFC 3550): written by us, and read on its way through the core.

mod clock;
mod feedback;
mod reader;
mod resend_limit;
mod sender;

pub(super) use clock::{Anchor, StreamClock, VIDEO_CLOCK};
pub(super) use feedback::Feedback;
pub(super) use reader::{Inbox, Reader};
pub(super) use resend_limit::ResendLimit;
pub(super) use sender::{Reports, Sent};
