//! Connections between Antiphon's processes: connect and accept, the hello, framing with two lanes.
//!
//! A connection is a [`Sender`] and a [`Receiver`] of typed messages. Each owns its half of one socket; the queue in
//! front of the socket lives in the sender and is bounded in bytes. This crate knows nothing of what messages mean, and
//! it never decodes a segment.

mod address;
mod connection;
mod hello;
mod packet;
mod receiver;
mod sender;
mod socket;

pub use address::Address;
pub use connection::{Connected, Incoming, Listener, Pending, connect};
pub use hello::ConnectError;
pub use receiver::{ReceiveError, Receiver};
pub use sender::{SendError, Sender};
