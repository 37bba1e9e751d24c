//! The built-in interpreter: RustPython inside this executable, for machines without a Python and for whoever asks for it.
//!
//! [`run`] does what `python -c BOOT ARG…` does, in this process and on its main thread, and adds one native module,
//! `_antiphon_native`, with the few things Python code cannot do for itself here (see [`native`]).
//! It knows nothing of the bridge: frames, engines and the fork server are Python code that BOOT brings in.
//!
//! **Why the main thread.** An engine is a fork of a warmed interpreter, and after a fork only the forking thread exists.
//! On the main thread that is no special case: `sys.exit` unwinds to `main` and its status is the process's, signals of the
//! user's own (`signal.alarm`) arrive where Python runs its handlers, and the thread's death is the process's, which is what
//! PR_SET_PDEATHSIG watches in the forked ones.

mod native;
mod stack;

use std::process::ExitCode;

use rustpython::vm::common::rc::PyRc;
use rustpython::vm::{Interpreter, PyResult, Settings, VirtualMachine, host_env};
use rustpython::{InterpreterBuilder, InterpreterBuilderExt};

/// The status of a process whose interpreter could not be made ready; `EX_SOFTWARE` of sysexits.
const CANNOT_START: u32 = 70;

/// The hooks of `sys`, and where it keeps their originals.
const HOOKS: [(&str, &str); 4] = [
    ("displayhook", "__displayhook__"),
    ("excepthook", "__excepthook__"),
    ("unraisablehook", "__unraisablehook__"),
    ("breakpointhook", "__breakpointhook__"),
];

/// Runs `boot_source` as `__main__` with `sys.argv` being `-c` and then `args`, until it ends, and gives the status to exit with.
///
/// Call it from the process's main thread, before any other thread is started, and at most once: it takes over the
/// process's signal handlers, and the forks that Python code makes expect to be alone.
pub fn run(boot_source: &str, args: Vec<String>) -> ExitCode {
    let interpreter = stack::measured_within_bounds(|| build(args));
    // Only now: while it is built, the interpreter tries every signal and leaves its own flags behind.
    let status = match native::settle_signals() {
        Ok(()) => interpreter.run(|vm| run_boot(vm, boot_source)),
        Err(error) => {
            tracing::error!(%error, "cannot set the signal handlers of the built-in interpreter");
            CANNOT_START
        }
    };
    host_env::os::exit_code(status)
}

fn build(args: Vec<String>) -> Interpreter {
    let builder = InterpreterBuilder::new().settings(settings(args)).init_stdlib();
    let native = native::module_def(&builder.ctx);
    builder
        .add_native_module(native)
        .init_hook(native::open_channel)
        .init_hook(forget_executable)
        .init_hook(stack::give_threads_enough)
        .build()
}

fn settings(args: Vec<String>) -> Settings {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut settings = Settings::default();
    // Text is UTF-8 in every locale, as Python decides for itself from 3.15 on and does in the C locale before; the
    // interpreter never asks for the environment's locale, so that files would be ASCII otherwise.
    settings.utf8_mode = 1;
    settings.argv = std::iter::once("-c".to_owned()).chain(args).collect();
    settings.write_bytecode = !is_set("PYTHONDONTWRITEBYTECODE");
    settings.user_site_directory = !is_set("PYTHONNOUSERSITE");
    if let Some(paths) = std::env::var_os("PYTHONPATH").filter(|paths| !paths.is_empty()) {
        settings
            .path_list
            .extend(std::env::split_paths(&paths).filter_map(|path| path.to_str().map(str::to_owned)));
    }
    settings
}

/// Leaves `sys.executable` empty, as Python does when it does not know its own: this executable is Antiphon, and user
/// code that starts `[sys.executable, "-c", …]` should be told that there is no such program rather than start a cluster.
fn forget_executable(vm: &mut VirtualMachine) {
    if let Some(state) = PyRc::get_mut(&mut vm.state) {
        state.config.paths.executable.clear();
        state.config.paths.base_executable.clear();
    }
}

/// Makes `sys.displayhook is sys.__displayhook__` and its like true, as in any Python. The interpreter makes two objects of
/// each, and whoever asks whether a hook was replaced would take every one for replaced.
fn unify_hooks(vm: &VirtualMachine) -> PyResult<()> {
    for (name, original) in HOOKS {
        let hook = vm.sys_module.get_attr(original, vm)?;
        vm.sys_module.set_attr(name, hook, vm)?;
    }
    Ok(())
}

/// What `python -c` does, in its order: `warnings` and `site`, then the working directory on `sys.path`, then the source.
fn run_boot(vm: &VirtualMachine, boot_source: &str) -> PyResult<()> {
    unify_hooks(vm)?;
    let scope = vm.new_scope_with_main()?;
    vm.import("warnings", 0)?;
    vm.import("site", 0)?;
    vm.insert_sys_path(vm.ctx.new_str("").into())?;
    vm.run_string(scope, boot_source, "<string>").map(drop)
}
