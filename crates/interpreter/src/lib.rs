//! A Python interpreter as Rust sees it: found, started, spoken to over the bridge.
//!
//! [`find()`] says which Python; [`Interpreter`] is one of them as a child of this process (the shell's local one);
//! [`ForkServer`] starts many quickly (a host's engines). Both speak the bridge of ARCHITECTURE.md: [`frame`] is its
//! format, [`bridge`] its meaning. This crate knows nothing of controllers, targets or requests, and it never decodes a
//! user's value.

#[cfg(feature = "builtin-python")]
pub mod builtin;

pub mod bridge;
mod config;
pub mod find;
mod fork_server;
pub mod frame;
mod pipe;
mod process;
mod single;
mod socket;
mod source;
mod text;

pub use bridge::{Bridge, BridgeError};
pub use config::{InterpreterConfig, InterpreterRole};
pub use find::{FindError, Python, PythonChoice, find};
pub use fork_server::{ForkError, ForkServer, ForkedEngine};
pub use process::{Exit, StartError};
pub use single::Interpreter;
pub use source::{boot, payload};
pub use text::Utf8Tail;
