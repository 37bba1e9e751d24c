"""The main loop of an interpreter: a frame in, a statement run, its result out.

Runs in the main thread and owns the main channel's receiving end; `_execute` does the work, `_side` answers questions
meanwhile. An interrupt is never raised in here. Whatever user code does, each request gets exactly one RESULT, and the loop
ends only with the connection.
"""

import json
import os
import sys

import antiphon
from antiphon import _frames, _interrupts, _streams

ANTIPHON_GUARDED = True

ERROR = 1


def serve(main_fd, side_fd, config):
    """Be an interpreter on these two descriptors. Does not return."""
    for fd in (main_fd, side_fd):
        os.set_inheritable(fd, False)
    lead_group()
    Bridge(main_fd, side_fd, config).run()


def lead_group():
    """Lead a process group of one's own, so that the end takes along whatever the user's code has started."""
    try:
        if os.getpgrp() != os.getpid():
            os.setsid()
    except OSError:
        pass


def end():
    """The host is gone: end this interpreter and everything in its process group."""
    if os.getpgrp() == os.getpid():
        try:
            os.killpg(0, 9)
        except OSError:
            pass
    os._exit(0)


class Bridge:
    """One interpreter: its channels, its namespace, its streams."""

    def __init__(self, main_fd, side_fd, config):
        from antiphon import _execute, _side

        antiphon._configure(config)
        if config.get("cwd"):
            try:
                os.chdir(config["cwd"])
            except OSError as error:
                sys.stderr.write("antiphon: cannot enter %s: %s\n" % (config["cwd"], error))
        sys.argv = list(config.get("argv") or [""])
        self.main = _frames.Channel(main_fd)
        self.streams = _streams.Streams(self.main)
        self.namespace = space = _execute.Namespace()
        self.forked = False
        self.handlers = {
            _frames.EXECUTE: space.execute,
            _frames.CALL: space.call,
            _frames.PUT: space.put,
            _frames.GET: space.get,
            _frames.RESET: space.reset,
            _frames.BIND: space.bind,
        }
        _interrupts.install()
        self.side = _side.Side(_frames.Channel(side_fd), self.streams.outbox, space, end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)
        self.side.start()
        self.main.send(_frames.READY, 0, 0, 0, (json.dumps(facts()).encode(),))

    def run(self):
        """Serve until the connection ends."""
        receive = self.main.receive
        while True:
            try:
                frame = receive()
            except (OSError, _frames.ProtocolError):
                frame = None
            if frame is None:
                end()
            try:
                answer = self._answer(*frame)
            except BaseException as error:
                # Only user code that reaches into other threads' frames can lead here.
                _interrupts.end()
                answer = last_resort(error)
            self._settle(frame[3], answer)
            frame = answer = None

    def _answer(self, kind, flags, extra, task, segments):
        """Run one request; what its RESULT carries as (flags, extra, segments)."""
        _interrupts.begin(task)
        try:
            self.streams.prepare()
            answer = self.handlers[kind](flags, extra, segments)
        except BaseException as error:
            answer = self._failure(error, kind)
        _interrupts.end()
        if self.forked:
            self._leave(answer)
        return answer

    def _settle(self, task, answer):
        """Send what was printed, then the RESULT."""
        try:
            if self.streams.outbox.size:
                self.streams.settle()
            out, extra, segments = answer
            self.main.send(_frames.RESULT, out, extra, task, segments)
        except OSError:
            end()
        except Exception as error:
            self.main.send(_frames.RESULT, ERROR, 0, task, last_resort(error)[2])
        _interrupts.reinstall()

    def _failure(self, error, kind):
        """What a RESULT says about this exception."""
        _interrupts.state.busy = False  # the first error imports these modules: not to be left half done
        from antiphon import _errors

        _interrupts.state.busy = True
        if kind not in self.handlers:
            error = _frames.ProtocolError("unknown request %d" % kind)
        try:
            name, message, text, facts = _errors.describe(error)
        except BaseException as second:
            _interrupts.end()
            name, message, text, facts = _errors.bare(second if isinstance(second, KeyboardInterrupt) else error)
        _interrupts.end()  # what is left to do runs no user code, and an interrupt in it could only spoil the answer
        if facts["exit"] == 0:
            return 0, 0, (b"",)
        keep_last(error)
        encode = _streams.encode
        return ERROR, 0, (encode(name), encode(message), encode(text), json.dumps(facts).encode())

    def _before_fork(self):
        if not _interrupts.state.forked:
            self.streams.outbox.flush()

    def _after_fork(self):
        """In a child that user code forked: let go of the bridge."""
        if self.forked:
            return
        self.forked = True
        _interrupts.forked()
        self.streams.outbox.forked()
        self.main.close()
        self.side.channel.close()

    def _leave(self, answer):
        """A forked child fell out of its statement: it ends here, as a script's child would at the script's end."""
        status = 0
        if answer[0] & ERROR:
            status = 1
            try:
                facts = json.loads(answer[2][3])
                if facts["exit"] is not None:
                    status = facts["exit"] & 0xFF
                _streams.write_all(2, bytes(answer[2][2]))
            except Exception:
                pass
        try:
            self.streams.outbox.flush()
        finally:
            os._exit(status)


def keep_last(error):
    """sys.last_value and its kin, as the interactive interpreter sets them (pdb.pm() uses them)."""
    from antiphon import _errors

    trace = _errors.own_part(error.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback, sys.last_exc = type(error), error, trace, error


def last_resort(error):
    """An error RESULT that needs nothing from user code."""
    from antiphon import _errors

    name, message, text, facts = _errors.bare(error)
    return ERROR, 0, (name.encode(), message.encode(), text.encode(), json.dumps(facts).encode())


def facts():
    """What READY says about this interpreter."""
    implementation = {"cpython": "CPython", "rustpython": "RustPython", "pypy": "PyPy"}
    name = sys.implementation.name
    return {
        "implementation": implementation.get(name, name),
        "version": "%d.%d.%d" % sys.version_info[:3],
        "executable": sys.executable,
        "pid": os.getpid(),
        "packages": packages(),
    }


INTERESTING = frozenset(("numpy", "pandas", "scipy", "cloudpickle", "joblib", "torch"))
_packages = None


def packages():
    """Versions of the packages that matter to who sends values, from folder names: nothing is imported."""
    global _packages
    if _packages is None:
        found = {}
        for folder in sys.path:
            try:
                entries = os.listdir(folder) if folder else ()
            except OSError:
                continue
            for entry in entries:
                if not entry.endswith((".dist-info", ".egg-info")):
                    continue
                parts = entry.rpartition(".")[0].split("-")
                if len(parts) > 1 and parts[0].lower() in INTERESTING:
                    found.setdefault(parts[0].lower(), parts[1])
        _packages = found
    return _packages
