//! The built-in interpreter by itself: `builtin ARG…` is `antiphon engine ARG…`, and `builtin -c SOURCE ARG…` runs SOURCE instead of the bridge.

use std::process::ExitCode;

/// What an engine starts with.
const BOOT: &str = include_str!("../../../python/antiphon/_boot.py");

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "-c") && args.len() >= 2 {
        let source = args.remove(1);
        args.remove(0);
        return antiphon_interpreter::builtin::run(&source, args);
    }
    antiphon_interpreter::builtin::run(BOOT, args)
}
