//! Tables: input → exact actions, one scenario a test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod farm;
mod hosts;
mod interrupts;
mod limits;
mod losses;
mod queries;
mod restarts;
mod says;
mod status;
mod streams;
mod submit;
