//! What Antiphon's processes say to each other: ids, targets, messages, the codec and the hello.
//!
//! Pure data and pure functions: this crate opens no socket, starts no task and keeps no state. Messages are named by
//! direction ([`ClientToController`], [`ControllerToClient`], [`ControllerToHost`], [`HostToController`]). A message is
//! a small typed header, encoded by [`codec`], and opaque [`segments`](Message::segments) of user data that nobody but
//! an interpreter ever decodes.

pub mod codec;
pub mod hello;
mod ids;
pub mod limits;
mod messages;
mod status;
pub mod target;
mod values;

pub use ids::{ClientId, EngineId, HostId, RequestId, TaskId};
pub use messages::{
    ClientToController, ControllerToClient, ControllerToHost, HostToController, Lane, Message,
};
pub use status::{ClusterStatus, EngineInfo, EngineState, EngineStatus, HostInfo, HostStatus};
pub use target::{Target, TargetError};
pub use values::{
    Ask, Interruption, Loss, LossCause, Notice, OnLeave, Outcome, Refusal, StreamName, Want, Work,
};
