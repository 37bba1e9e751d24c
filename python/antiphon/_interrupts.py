"""Which task runs, and how an interrupt reaches that task and no other.

The side thread calls `request`; the signal handler runs in the main thread, looks again, and only then raises
KeyboardInterrupt. It never raises inside a module that says `ANTIPHON_GUARDED`: there a frame or a buffer could be torn.
Such an interrupt stays wanted, and the side thread signals again shortly after (`again`), so none is lost and the path of a
statement pays nothing for it. Where Python itself would drop the exception, in finalisers and weak references' callbacks, it
is raised later (`_dropped`, `DROPPING`). `signal.signal` and `signal.getsignal` are replaced for SIGINT alone: user code may install a
handler of its own, which is then called for interrupts of its own statements only.
"""

import _signal
import _thread
import os
import sys
import time

try:
    import _antiphon_native as _native
except ImportError:
    _native = None

ANTIPHON_GUARDED = True

AGAIN = (0.002, 0.004, 0.01, 0.02, 0.05)  # seconds between two signals for one interrupt; the last one repeats
# The standard library's weak reference callbacks, by module: RustPython drops what is raised in one without a word.
DROPPING = {
    "importlib._bootstrap": ("cb", "remove"),
    "_frozen_importlib": ("cb", "remove"),
    "weakref": ("remove",),
    "_weakrefset": ("_remove",),
}
FOREIGN_AFTER = 0.5  # a SIGINT this soon after one of ours is taken for ours, come late


class State:
    """What the main thread does, as the side thread may read it. Single stores only: no lock is needed."""

    running = 0  # the task that runs, 0 for none
    last = 0  # the last task that began
    busy = False  # ids may be 0, so that running alone does not tell
    wanted = None  # the task somebody wants interrupted
    forked = False  # this is a child that user code forked: it does not speak on the bridge


state = State()
_main = None
_sent_at = -1e9
_user = None  # the handler user code installed for SIGINT, if any
_raised = None  # the id of the KeyboardInterrupt raised last
wake_side = None  # wakes the side thread, which sets this


def begin(task):
    """The main thread starts a task."""
    state.last = task
    state.running = task
    state.busy = True


def end():
    """The main thread is done with its task: from here on no interrupt is raised."""
    state.busy = False


def request(task):
    """Side thread: interrupt `task` if it runs, or as it begins if it has not begun yet."""
    if (state.busy and state.running == task) or task > state.last:
        state.wanted = task
        again()


def again():
    """Side thread: signal for the wanted task if it runs. True while it is still wanted."""
    wanted = state.wanted
    if wanted is None:
        return False
    if state.busy and state.running == wanted:
        _wake()
        return True
    if state.last >= wanted:
        state.wanted = None
        return False
    return True


def pending():
    """True in the main thread if its task is wanted interrupted; for long loops of guarded modules."""
    return state.wanted is not None and state.busy and state.wanted == state.running and _thread.get_ident() == _main


def deliver():
    """Raise the interrupt that `pending` told of."""
    state.wanted = None
    raise KeyboardInterrupt


def _wake():
    """Make the main thread run the handler soon, also when it is blocked in a system call."""
    global _sent_at
    _sent_at = time.monotonic()
    if _native is not None:
        _native.interrupt()
    else:
        _signal.pthread_kill(_main, _signal.SIGINT)
    _sent_at = time.monotonic()


def _handle(signum=None, frame=None):
    """The handler, in the main thread."""
    if state.forked:
        return _act(signum, frame)
    if not state.busy:
        return None
    if frame is None:
        frame = sys._getframe(1)
    space = frame.f_globals
    if "ANTIPHON_GUARDED" in space or frame.f_code.co_name in DROPPING.get(space.get("__name__"), ()):
        return None
    if state.wanted is None:
        # Somebody else's SIGINT (kill, raise_signal), unless it is a late one of ours.
        if time.monotonic() - _sent_at < FOREIGN_AFTER:
            return None
    elif state.wanted == state.running:
        state.wanted = None
    else:
        return None
    return _act(signum, frame)


def _act(signum, frame):
    """Do what SIGINT does for user code: its own handler, or KeyboardInterrupt."""
    global _raised
    if _user is None or _user in (_signal.SIG_DFL, _signal.default_int_handler):
        error = KeyboardInterrupt()
        _raised = id(error)
        raise error
    if callable(_user):
        return _user(_signal.SIGINT if signum is None else signum, frame)
    return None


def _dropped(what, show=sys.unraisablehook):
    """sys.unraisablehook: an interrupt that Python dropped is wanted again; the rest is shown as ever."""
    if id(what.exc_value) != _raised or state.forked or not state.busy:
        return show(what)
    state.wanted = state.running
    if wake_side is not None:
        wake_side()
    return None


def install():
    """Take over SIGINT. Called in the main thread, once per interpreter."""
    global _main
    import signal

    _main = _thread.get_ident()
    real_signal, real_getsignal = signal.signal, signal.getsignal

    def set_handler(signalnum, handler):
        """signal.signal, with SIGINT's handler kept by Antiphon."""
        global _user
        if signalnum != _signal.SIGINT or state.forked:
            return real_signal(signalnum, handler)
        if _thread.get_ident() != _main:
            raise ValueError("signal only works in main thread of the main interpreter")
        if not callable(handler) and handler not in (_signal.SIG_DFL, _signal.SIG_IGN):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        before = get_handler(signalnum)
        _user = handler
        return before

    def get_handler(signalnum):
        """signal.getsignal, with the user's view of SIGINT."""
        if signalnum != _signal.SIGINT or state.forked:
            return real_getsignal(signalnum)
        return signal.default_int_handler if _user is None else _user

    set_handler.__name__ = set_handler.__qualname__ = "signal"
    get_handler.__name__ = get_handler.__qualname__ = "getsignal"
    signal.signal, signal.getsignal = set_handler, get_handler
    if _native is not None:
        _native.set_interrupt_callback(_handle)
    _signal.signal(_signal.SIGINT, _handle)
    sys.unraisablehook = _dropped


def reinstall():
    """Between two tasks: put the handler back if user code went round `signal.signal`."""
    if _signal.getsignal(_signal.SIGINT) is not _handle:
        _signal.signal(_signal.SIGINT, _handle)


def forked():
    """In a child that user code forked: SIGINT means what it means to any Python program."""
    state.forked = True
    state.wanted = None


def pid():
    """The process id, asked anew."""
    return os.getpid()
