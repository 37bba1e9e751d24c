//! Standard output and standard error, where a closed pipe is an end and not a panic.

use crate::error::{Failure, Outcome, Status};
use std::io::{self, IsTerminal, Write};

/// Writes all of it to standard output.
pub fn write(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::from)?;
    Ok(Status::Well)
}

/// Writes one line to standard output.
pub fn line(text: &str) -> Outcome {
    write(format!("{text}\n").as_bytes())
}

/// Writes to standard error. If even that is closed, nobody is left to tell.
pub fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Whether standard output takes colours.
pub fn has_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}
