//! Test support: fake peers, seeded simulation, process harness.
//!
//! Only ever a dev-dependency. [`simulation`] has what a seeded simulation of a controller's core is made of: a random
//! generator, links that keep or lose messages, and a host and a client that play their part of the protocol by the
//! book and note every breach of it by the other side. [`process`] starts real processes and ends them,
//! [`terminal`] one on a terminal of its own.

#![allow(clippy::expect_used, clippy::panic)]

pub mod process;
pub mod simulation;
pub mod terminal;
