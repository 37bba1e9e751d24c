//! The host against a fake controller in memory, with real Python engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod controller;
mod crossing;
mod deaths;
mod flow;
mod joined;
mod work;
