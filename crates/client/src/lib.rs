//! The client library, and the shell on top of it.
//!
//! [`Client`] is a connection to a cluster: it submits requests, hands out their [`Event`]s as they come, asks and
//! interrupts. It owns nothing but the connection, and it never decodes a Python value: those stay [`Pickled`] until an
//! interpreter has them. [`shell`] turns what a person types into such requests.

mod answer;
mod client;
mod error;
mod inbox;
mod link;
mod request;
pub mod shell;

pub use answer::{Answer, Done, Event, Pickled, Raised, Reply};
pub use client::{Client, ExecuteOptions, values};
pub use error::ClientError;
pub use request::Request;
