"""A warmed interpreter that forks engines. It runs no user code and has one thread.

Owns its socket to the host and the table of living engines. Each child becomes an engine by `_bridge.serve`. At the end of
the socket every engine's process group is killed and reaped.
"""

import _signal
import gc
import json
import os
import select
import socket
import sys

from antiphon import _bridge, _frames

FDS = 5  # main, side, stdin, stdout, stderr
PR_SET_PDEATHSIG = 1


def serve(fd):
    """Serve fork requests on this socket. Does not return."""
    os.set_inheritable(fd, False)
    Server(fd).run()


def warm():
    """Load whatever an engine needs, so that engines share it, and keep the collector off it."""
    import linecache
    import signal  # noqa: F401
    import traceback  # noqa: F401

    from antiphon import _check, _errors, _execute, _functions, _inspect, _queries, _side, _streams  # noqa: F401

    json.dumps(_bridge.facts())
    _execute.future_mask()
    _streams.Bytes(None)
    source = "x = 1 / 0\n"
    linecache.cache["<warm>"] = (len(source), None, [source], "<warm>")
    try:
        exec(compile(source, "<warm>", "exec"), {})
    except ZeroDivisionError as error:
        _errors.describe(error)  # what traceback imports only to mark a line is worth more than a megabyte an engine
    del linecache.cache["<warm>"]
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def death_signal():
    """A function that has the kernel kill this process when its parent dies, or None where there is no such thing."""
    try:
        import _antiphon_native

        return _antiphon_native.set_pdeathsig
    except ImportError:
        pass
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except Exception:
        return None
    return lambda: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


class Server:
    """The socket to the host, and the engines."""

    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)
        self.buffer = bytearray()
        self.fds = []
        self.engines = {}  # pid: id
        self.death_signal = death_signal()
        self.pid = os.getpid()

    def run(self):
        """Serve until the host is gone, then take every engine down."""
        warm()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.own = [reader, writer]
        _signal.set_wakeup_fd(writer)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        self.send(_frames.READY, 0, 0, _bridge.facts())
        try:
            while True:
                ready = select.select([self.sock, reader], [], [])[0]
                if reader in ready:
                    drain(reader)
                    self.reap()
                if self.sock in ready and not self.receive():
                    break
        except (OSError, _frames.ProtocolError):
            pass
        self.end()

    def send(self, kind, flags, ident, what):
        """Send one frame with a JSON segment, or a message."""
        data = (what if isinstance(what, str) else json.dumps(what)).encode("utf-8", "backslashreplace")
        self.sock.sendall(_frames._pack_1(kind, flags, 1, 0, ident, len(data)) + data)

    def receive(self):
        """Take what the socket has and do it. False at its end."""
        data, fds, _, _ = socket.recv_fds(self.sock, 1 << 16, 64)
        self.fds += fds
        if not data:
            return False
        self.buffer += data
        while True:
            frame = self.frame()
            if frame is None:
                return True
            self.do(*frame)

    def frame(self):
        """The next whole frame in the buffer as (kind, extra, id, JSON), or None."""
        if len(self.buffer) < 16:
            return None
        kind, _, count, extra, ident = _frames._unpack(self.buffer, 0)
        if count > 1:
            raise _frames.ProtocolError("a frame of %d segments for the fork server" % count)
        size = 16
        if count:
            if len(self.buffer) < 24:
                return None
            length = int.from_bytes(self.buffer[16:24], "little")
            if length > 1 << 24:
                raise _frames.ProtocolError("a frame of %d bytes for the fork server" % length)
            size = 24 + length
            if len(self.buffer) < size:
                return None
        body = json.loads(self.buffer[24:size]) if size > 24 else {}
        del self.buffer[:size]
        return kind, extra, ident, body

    def do(self, kind, extra, ident, body):
        """Carry out one frame."""
        if kind == _frames.FORK:
            fds, self.fds = self.fds[:FDS], self.fds[FDS:]
            try:
                if len(fds) != FDS:
                    raise OSError("expected %d descriptors, got %d" % (FDS, len(fds)))
                pid = self.fork(fds, body)
            except OSError as error:
                self.send(_frames.FORKED, 1, ident, "cannot fork: %s" % error)
            else:
                self.engines[pid] = ident
                self.send(_frames.FORKED, 0, ident, {"pid": pid})
            finally:
                for fd in fds:
                    os.close(fd)
        elif kind == _frames.KILL:
            for pid, engine in self.engines.items():
                if engine == ident:
                    kill_group(pid, extra)

    def fork(self, fds, config):
        """Fork one engine; in the child this does not return."""
        pid = os.fork()
        if pid:
            return pid
        try:
            self.become(fds, config)
        except BaseException as error:
            os.write(2, ("antiphon: an engine did not start: %r\n" % (error,)).encode())
        finally:
            os._exit(70)

    def become(self, fds, config):
        """In the child: turn into an engine."""
        os.setsid()
        if self.death_signal is not None:
            self.death_signal()
        if os.getppid() != self.pid:
            os._exit(0)  # the server died before the kernel knew to tell us
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        self.sock.close()
        for fd in self.own + self.fds:
            os.close(fd)
        for target, fd in enumerate(fds[2:]):
            os.dup2(fd, target)
            os.close(fd)
        _bridge.serve(fds[0], fds[1], config)

    def reap(self):
        """Report every engine that has ended."""
        while self.engines:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            ident = self.engines.pop(pid, None)
            if ident is not None:
                try:
                    os.killpg(pid, 9)  # what the engine left behind
                except OSError:
                    pass
                self.send(_frames.EXITED, 0, ident, {"pid": pid, "status": status})

    def end(self):
        """The host is gone: kill every engine's group, reap, exit."""
        for pid in self.engines:
            kill_group(pid, 9)
        for pid in list(self.engines):
            try:
                os.waitpid(pid, 0)
            except OSError:
                pass
        os._exit(0)


def kill_group(pid, number):
    """Signal an engine's process group; the engine alone if it does not lead one yet."""
    try:
        os.killpg(pid, number)
    except OSError:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def drain(fd):
    """Empty the wake-up pipe."""
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass
