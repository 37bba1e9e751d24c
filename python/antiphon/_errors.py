"""What a failed statement says: type, message and traceback, as Python would print them, without Antiphon's own frames.

Formatting runs user code (`__str__` of an exception), so an interrupt may be raised here; the caller has a last resort
(`bare`) that runs none.
"""

import io
import sys

OURS = "<antiphon>/"
MAX_LINES = 1200  # a longer traceback keeps its first and its last lines
HEAD_LINES, TAIL_LINES = 400, 600


def describe(error):
    """(type name, message, traceback text, facts) of an exception a statement ended with."""
    name = type(error).__name__
    facts = {"interrupted": isinstance(error, KeyboardInterrupt), "exit": None}
    if isinstance(error, SystemExit):
        return describe_exit(error, name, facts)
    message = text_of(error)
    return name, message, report(error), facts


def describe_exit(error, name, facts):
    """`sys.exit(…)`: the status as a shell would see it, and the message if the code was one."""
    code = error.code
    if code is None:
        facts["exit"] = 0
        return name, "", "", facts
    if isinstance(code, int):
        facts["exit"] = int(code)
        return name, str(int(code)), "SystemExit: %d\n" % code, facts
    facts["exit"] = 1
    message = text_of(code)
    return name, message, message + "\n", facts


def text_of(thing):
    """str() of anything, whatever its `__str__` does."""
    try:
        return str(thing)
    except Exception:
        return "<exception str() failed>"


def report(error):
    """The traceback's text: from user code's own sys.excepthook if there is one that writes something, else Python's."""
    hook = getattr(sys, "excepthook", None)
    if hook is not sys.__excepthook__ and callable(hook):
        text = hooked(hook, error)
        if text:
            return shorten(text)
    return shorten(plain(error))


def hooked(hook, error):
    """What user code's excepthook writes to stderr for this exception; empty if it fails."""
    caught, before = io.StringIO(), sys.stderr
    sys.stderr = caught
    try:
        hook(type(error), error, own_part(error.__traceback__))
    except Exception:
        return ""
    finally:
        sys.stderr = before
    return caught.getvalue()


def own_part(trace):
    """The traceback from the first frame on that is not Antiphon's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    return trace


def plain(error):
    """The traceback as Python prints it."""
    import traceback

    trace = own_part(error.__traceback__)
    whole = traceback.TracebackException(type(error), error, trace)
    seen = set()
    strip(whole, seen)
    if not whole.stack and len(seen) == 1 and not getattr(whole, "exceptions", None):
        return "".join(whole.format_exception_only())
    return "".join(whole.format())


def strip(report, seen):
    """Take Antiphon's frames out of a TracebackException and of all that it is chained to."""
    todo = [report]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if one.stack:
            one.stack[:] = [frame for frame in one.stack if not frame.filename.startswith(OURS)]
        todo += [one.__cause__, one.__context__]
        todo += getattr(one, "exceptions", None) or []


def shorten(text):
    """A traceback of thousands of lines, without its middle."""
    if text.count("\n") <= MAX_LINES:
        return text
    lines = text.splitlines(True)
    left_out = len(lines) - HEAD_LINES - TAIL_LINES
    return "".join(lines[:HEAD_LINES] + ["  [%d lines left out]\n" % left_out] + lines[-TAIL_LINES:])


def bare(error):
    """The last resort: nothing that could run user code."""
    try:
        name = type.__getattribute__(type(error), "__name__")
    except BaseException:
        name = "Exception"
    interrupted = isinstance(error, KeyboardInterrupt)
    return name, "", name + ": <its traceback could not be written>\n", {"interrupted": interrupted, "exit": None}
