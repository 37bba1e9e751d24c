//! The pure broker: routing, scheduling and the life of tasks, without I/O.
//!
//! [`Broker`] owns all that a cluster's controller knows: clients, hosts, engines, requests, tasks. It is a state
//! machine: [`Broker::handle`] takes what happened, [`Broker::next_action`] says what is to be done about it. It reads
//! no clock, opens no socket, draws no random number and never looks into user data; the same inputs always give the
//! same actions. Nothing a peer says makes it panic.

mod broker;
mod census;
mod clients;
mod engines;
mod hosts;
mod interrupts;
pub mod limits;
mod queries;
mod requests;
mod restarts;
mod status;
mod streams;
mod tasks;

pub use broker::{Action, Broker, Config, Input};
pub use census::{Census, EngineCensus, TaskCensus};
