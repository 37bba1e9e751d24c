//! How deep native recursion may go.
//!
//! Calls between Python functions use no native stack here, so Python's own recursion limit bounds them. What does use it
//! (operators, sort keys, `repr` of nested lists) the interpreter checks against the stack's bounds, which it measures
//! once a thread. Its compiler only counts: a thousand levels, Python's usual limit, took 6 to 8 MiB. This module sees
//! to it that there is that much, and something sensible to measure.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustpython::vm::VirtualMachine;

/// The main thread has at least this: a thousand levels of compilation below a thousand nested native calls, twice over.
/// Children inherit the limit, which they hardly notice; memory is used as it is touched.
const SMALLEST: u64 = 32 << 20;

/// Other threads have this, unless user code asks for something else (`threading.stack_size`).
const THREAD: usize = 16 << 20;

/// A stack without limit would let runaway recursion eat all memory before it is noticed; this is noticed in milliseconds.
const LARGEST_MEASURED: u64 = 64 << 20;

/// Runs `build` while the main thread's stack limit lies between the two bounds. A limit that was larger is put back
/// afterwards, since children inherit it and their owner may have wanted it.
pub(super) fn measured_within_bounds<T>(build: impl FnOnce() -> T) -> T {
    let given = getrlimit(Resource::Stack);
    let limit = |current| Rlimit { current: Some(current), maximum: given.maximum };
    match given.current {
        Some(current) if current < SMALLEST => {
            let reachable = given.maximum.map_or(SMALLEST, |maximum| maximum.min(SMALLEST));
            // The kernel grows the main thread's stack on demand, up to the limit of the moment.
            let _ = setrlimit(Resource::Stack, limit(reachable));
            build()
        }
        Some(current) if current <= LARGEST_MEASURED => build(),
        _ => {
            let lowered = setrlimit(Resource::Stack, limit(LARGEST_MEASURED));
            let built = build();
            if lowered.is_ok() {
                let _ = setrlimit(Resource::Stack, given);
            }
            built
        }
    }
}

/// An init hook: gives threads the stack that the compiler needs; the interpreter's own choice is 2 MiB.
pub(super) fn give_threads_enough(vm: &mut VirtualMachine) {
    vm.state.stacksize.store(THREAD);
}
