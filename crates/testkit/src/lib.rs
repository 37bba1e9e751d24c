//! Test support: fake peers, seeded simulation, process harness.

#![allow(clippy::expect_used, clippy::panic)]

pub mod process;
