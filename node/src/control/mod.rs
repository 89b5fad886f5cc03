//! What a viewer, a button or a program on this machine may do to the node's body: lights, switches, servos, the camera's
//! controls. docs/control.md tells the protocol.
//!
//! [`Room`] thinks, without IO; [`Control`] is its thread, which owns the pins; [`gpio`] drives them; [`bridge`] lets
//! programs on this machine take part. Viewers' messages come from outside of this room, through [`Handle`].
//!
//! Invariants: whatever happens to a viewer, the network or this process, an output that somebody has to answer for is safe
//! within [`HEARTBEAT`], or when the process has been started anew; nobody who sends can make this room wait or grow.

mod account;
pub mod bridge;
pub mod gpio;
mod inbox;
mod protocol;
mod record;
mod rights;
mod room;
mod snapshot;
mod thread;

pub use account::{Account, Body};
pub use inbox::{Behind, Full, Handle, Outlet};
pub use protocol::{CameraControl, Code, LONGEST, Refusal};
pub use record::{Record, Remains};
pub use rights::Origin;
pub use room::{CameraNumber, ClientId, HEARTBEAT, Mood, Order, Part, Room, Surroundings};
pub use snapshot::{Jpeg, LARGEST};
pub use thread::{Control, Eyes, Manner, Settings, make_safe, try_pins};
