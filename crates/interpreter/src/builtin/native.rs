//! `_antiphon_native`: what Python code needs from the built-in interpreter and cannot have otherwise.
//!
//! - `set_interrupt_callback(callable)` and `interrupt()`: run the callable on the main thread soon, whatever it does;
//! - `set_pdeathsig()`: die with the parent; `memfd_create(name)`: what `os` lacks here.
//!
//! An interrupt takes two roads at once: the interpreter's signal channel, which it looks into between instructions, and a
//! real signal that makes a blocking system call return so that it does. What the callable does (whether it raises
//! KeyboardInterrupt) is not this module's business, nor is asking again when the callable did not run: a signal that
//! arrives just before the thread enters a system call does not break it, so whoever asks must be ready to repeat it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Signal, getpid, kill_process};
use rustpython::vm::convert::IntoPyException;
use rustpython::vm::signal::{SignalNum, UserSignalSender, set_interrupt_ex, user_signal_channel};
use rustpython::vm::{PyObjectRef, PyResult, VirtualMachine, host_env};

pub(super) use _antiphon_native::module_def;

/// Breaks blocking calls. Ignored by default and hardly used by programs, so that a stray one harms nobody and nobody's
/// handler is in the way.
const KICK: Signal = Signal::URG;
// SAFETY: it is a signal's number.
const KICK_NUMBER: SignalNum = unsafe { SignalNum::new_unchecked(KICK.as_raw()) };

/// The way into the main thread; set once, while the interpreter is built. Forks inherit it, and their own main thread
/// reads the other end.
static CHANNEL: OnceLock<UserSignalSender> = OnceLock::new();
static CALLBACK: Mutex<Option<PyObjectRef>> = Mutex::new(None);
/// Whether a call of the callback waits in the channel: it never holds more than that one.
static WAITING: AtomicBool = AtomicBool::new(false);

/// An init hook: gives the interpreter the channel's receiving end.
pub(super) fn open_channel(vm: &mut VirtualMachine) {
    let (sender, receiver) = user_signal_channel();
    if CHANNEL.set(sender).is_ok() {
        vm.set_user_signal_channel(receiver);
    }
}

/// Lets [`KICK`] break system calls, and gives the signals of a crash back their default meaning: Rust's handlers for
/// them swallow the first one that was sent rather than suffered (`os.kill(os.getpid(), signal.SIGSEGV)`), and whoever
/// reads the status wants the true cause. To be called after the interpreter was built, which resets what it finds.
pub(super) fn settle_signals() -> io::Result<()> {
    extern "C" fn do_nothing(_signal: i32) {}
    let handlers = [
        (KICK, do_nothing as *const () as usize),
        (Signal::SEGV, host_env::signal::SIG_DFL),
        (Signal::BUS, host_env::signal::SIG_DFL),
    ];
    for (signal, handler) in handlers {
        // SAFETY: the signals are valid ones; the handler has the type that signal handlers have and touches nothing.
        unsafe { host_env::signal::install_handler(signal.as_raw(), handler) }?;
    }
    Ok(())
}

/// Runs on the main thread, between two instructions.
fn call_back(vm: &VirtualMachine) -> PyResult<()> {
    // Before the callback: it raises, and an interrupt from here on is a new one.
    WAITING.store(false, Ordering::Release);
    let callback = CALLBACK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match callback {
        Some(callback) => callback.call((), vm).map(drop),
        None => Ok(()),
    }
}

/// Has the main thread look into the channel, and puts the callback there if it does not wait there already.
fn interrupt(channel: &UserSignalSender, vm: &VirtualMachine) -> PyResult<()> {
    if WAITING.swap(true, Ordering::AcqRel) {
        // A signal handler of the user's that raised may have made the interpreter forget to look.
        set_interrupt_ex(KICK_NUMBER)?;
    } else if channel.send(Box::new(call_back)).is_err() {
        return Err(vm.new_runtime_error("the main interpreter has ended"));
    }
    // To the process, not to a thread: the kernel gives such a signal to the main thread, and a process id is right after
    // a fork as well.
    kill_process(getpid(), KICK).map_err(|error| io::Error::from(error).into_pyexception(vm))
}

#[rustpython_vm::pymodule]
mod _antiphon_native {
    use std::sync::PoisonError;

    use rustpython_vm::convert::IntoPyException;
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

    use super::{CALLBACK, CHANNEL};

    /// Sets what `interrupt()` runs on the main thread, called without arguments; None for nothing.
    #[pyfunction]
    fn set_interrupt_callback(callback: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        if !vm.is_none(&callback) && !callback.is_callable() {
            return Err(vm.new_type_error("the interrupt callback must be callable or None"));
        }
        let callback = Some(callback).filter(|callback| !vm.is_none(callback));
        let before =
            std::mem::replace(&mut *CALLBACK.lock().unwrap_or_else(PoisonError::into_inner), callback);
        // Dropped outside the lock: a destructor may run Python code.
        drop(before);
        Ok(())
    }

    /// Has the main thread run the callback soon: between two instructions, or out of a blocking system call.
    /// Returns at once. To be repeated until the callback has run.
    #[pyfunction]
    fn interrupt(vm: &VirtualMachine) -> PyResult<()> {
        match CHANNEL.get() {
            Some(channel) => super::interrupt(channel, vm),
            None => Err(vm.new_runtime_error("this interpreter has no interrupt channel")),
        }
    }

    /// Has the kernel kill this process when its parent dies; True where the platform can do that. The caller must still
    /// look whether the parent died before.
    #[pyfunction]
    fn set_pdeathsig(vm: &VirtualMachine) -> PyResult<bool> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Signal, set_parent_process_death_signal};
            set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(|error| std::io::Error::from(error).into_pyexception(vm))?;
            Ok(true)
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = vm;
            Ok(false)
        }
    }

    /// A new anonymous file, close-on-exec; its descriptor.
    #[cfg(target_os = "linux")]
    #[pyfunction]
    fn memfd_create(name: rustpython_vm::builtins::PyUtf8StrRef, vm: &VirtualMachine) -> PyResult<i32> {
        use std::os::fd::IntoRawFd;

        rustix::fs::memfd_create(name.as_str(), rustix::fs::MemfdFlags::CLOEXEC)
            .map(IntoRawFd::into_raw_fd)
            .map_err(|error| std::io::Error::from(error).into_pyexception(vm))
    }
}
