//! What is said of media beside it (RFC 3550): read and written on its way through the core, as interceptors.

mod clock;
mod feedback;
mod resend_limit;
mod tap;

pub(super) use clock::{Anchor, CaptureClock, StreamClock, VIDEO_CLOCK};
pub(super) use feedback::{Feedback, FeedbackReader};
pub(super) use resend_limit::ResendLimit;
pub(super) use tap::Tapped;
