//! `antiphon engine`: the built-in interpreter, in the process that hosts and shells start for it.

use crate::args::EngineArgs;
use std::process::ExitCode;

/// Runs the bridge's BOOT in the built-in interpreter, on the main thread and before there is any other.
#[cfg(feature = "builtin-python")]
pub fn run(args: EngineArgs) -> ExitCode {
    antiphon_interpreter::builtin::run(antiphon_interpreter::boot(), args.args)
}

/// This build has none.
#[cfg(not(feature = "builtin-python"))]
pub fn run(_args: EngineArgs) -> ExitCode {
    let failure = crate::error::Failure::from(antiphon_interpreter::FindError::NoBuiltin);
    failure.show();
    failure.status.into()
}
