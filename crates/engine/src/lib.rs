//! The host daemon: supervises the engines of one machine.
//!
//! [`run`] connects to the controller, starts a fork server and forks the engines from it, and then does three things:
//! it hands tasks to engines (`slot`), it lives with each engine from fork to death and to its next life (`engine`),
//! and it passes on what they print, within their windows (`output`). Whatever ends it, the engines end with it.
//!
//! It decides nothing: which engine runs what is the broker's. It never waits for a busy interpreter, and it never
//! looks into user data.

mod ends;
mod engine;
mod forker;
mod host;
mod life;
mod link;
mod output;
mod slot;
#[cfg(test)]
mod tests;

pub use host::{HostConfig, HostError, run};
