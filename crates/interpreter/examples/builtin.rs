//! The built-in interpreter by itself: `builtin engine ARG…` is what `antiphon engine ARG…` is, and
//! `builtin -c SOURCE ARG…` runs SOURCE instead of the bridge's start.

use std::process::ExitCode;

use antiphon_interpreter::builtin;

/// What an engine starts with.
const BOOT: &str = include_str!("../../../python/antiphon/_boot.py");

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("engine"), Some(mode)) => builtin::run(BOOT, [mode].into_iter().chain(args).collect()),
        (Some("-c"), Some(source)) => builtin::run(&source, args.collect()),
        _ => ExitCode::from(2),
    }
}
