//! End-to-end tests: the real binary, real processes, real interpreters; and rules about the repository itself.
//!
//! Each test has a folder of its own and waits for facts with a deadline. Tests of an interpreter run on CPython and,
//! with the feature `builtin-python`, on the built-in one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod architecture;
mod cluster;
mod common;
mod deaths;
mod examples;
mod hostile;
mod language;
mod python_side;
mod script;
mod terminal;
mod values;
