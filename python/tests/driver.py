"""Drives an interpreter over the bridge as a host does, from plain Python.

ANTIPHON_TEST_PYTHON names the interpreter to test: a CPython's command line, to which `-c BOOT` is added, or, when it ends in
the word `engine`, the built-in one, which brings BOOT itself. Without it the running Python is tested.
"""

import collections
import json
import os
import pickle
import select
import shlex
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(os.path.dirname(HERE), "antiphon")
HEADER = struct.Struct("<BBHIQ")
EXECUTE, CALL, PUT, GET, RESET, BIND = 1, 2, 3, 4, 5, 6
COMPLETE, INSPECT, CHECK, INTERRUPT, WHO = 16, 17, 18, 19, 20
FORK, FORKED, EXITED, KILL = 32, 33, 34, 35
READY, RESULT, STREAM, ANSWER = 64, 65, 66, 80
DEADLINE = float(os.environ.get("ANTIPHON_TEST_DEADLINE", "30"))

Frame = collections.namedtuple("Frame", "kind flags extra id segments")


def files():
    """The package's sources, as the host embeds them."""
    found = {}
    for name in sorted(os.listdir(PACKAGE)):
        if name.endswith(".py"):
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                found["antiphon/" + name] = file.read()
    return found


def command():
    """The command line of the interpreter under test, without its mode."""
    words = shlex.split(os.environ.get("ANTIPHON_TEST_PYTHON", "")) or [sys.executable]
    if words[-1] == "engine":
        return words
    return words + ["-c", files()["antiphon/_boot.py"]]


def builtin():
    """True when the built-in interpreter is under test."""
    return command()[-1] == "engine"


def pack(kind, flags=0, extra=0, ident=0, segments=()):
    """A frame's bytes."""
    lengths = struct.pack("<%dQ" % len(segments), *map(len, segments))
    return HEADER.pack(kind, flags, len(segments), extra, ident) + lengths + b"".join(segments)


class Timeout(AssertionError):
    """Nothing came before the deadline."""


def await_end(process):
    """See a process end by itself; it is killed if it does not, which is still a failure."""
    try:
        process.wait(DEADLINE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class Wire:
    """One socket with frames on it."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE)

    def exactly(self, size):
        """This many bytes, or None at the end of the stream."""
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            try:
                got = self.sock.recv_into(view[at:])
            except socket.timeout:
                raise Timeout("nothing within %s s" % DEADLINE) from None
            if not got:
                return None
            at += got
        return bytes(data)

    def receive(self):
        """The next frame, or None at the end of the stream."""
        head = self.exactly(16)
        if head is None:
            return None
        kind, flags, count, extra, ident = HEADER.unpack(head)
        lengths = struct.unpack("<%dQ" % count, self.exactly(8 * count))
        return Frame(kind, flags, extra, ident, [self.exactly(n) for n in lengths])

    def send(self, *parts, **named):
        """Send one frame."""
        self.sock.sendall(pack(*parts, **named))


def boot_bytes(config):
    """What an interpreter reads first."""
    data = json.dumps({"files": files(), "config": config}).encode()
    return struct.pack("<Q", len(data)) + data


class Result:
    """What one request answered."""

    def __init__(self, frame, stdout, stderr):
        self.id, self.flags, self.extra, self.segments = frame.id, frame.flags, frame.extra, frame.segments
        self.stdout, self.stderr = stdout, stderr
        self.error = bool(frame.flags & 1)
        text = [bytes(s) for s in frame.segments]
        self.repr = None
        if self.error:
            self.type, self.message, self.trace = (part.decode("utf-8") for part in text[:3])
            self.facts = json.loads(text[3])
        elif frame.flags & 2:
            self.repr = text[0].decode("utf-8")

    @property
    def value(self):
        """The value, unpickled here."""
        return pickle.loads(self.segments[1], buffers=self.segments[2:])


class Interpreter:
    """A single interpreter and its two sockets."""

    def __init__(self, config=None, **popen):
        main, theirs_main = socket.socketpair()
        side, theirs_side = socket.socketpair()
        fds = (theirs_main.fileno(), theirs_side.fileno())
        popen.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            command() + ["single", *map(str, fds)], pass_fds=fds, start_new_session=True, **popen
        )
        theirs_main.close()
        theirs_side.close()
        self.attach(main, side)
        main.sendall(boot_bytes({"engine_id": 3, "n_engines": 4, "role": "engine", **(config or {})}))
        self.ready = self.expect_ready()

    def attach(self, main, side):
        """Speak over these sockets."""
        self.main, self.side = Wire(main), Wire(side)
        self.next = 0
        self.streams = []

    def expect_ready(self):
        """The READY frame's content."""
        frame = self.main.receive()
        if frame is None:
            raise AssertionError("the interpreter did not start")
        assert frame.kind == READY, frame
        return json.loads(frame.segments[0])

    def send(self, kind, segments=(), flags=0, extra=0, ident=None):
        """Send a request; returns its id."""
        if ident is None:
            self.next += 1
            ident = self.next
        self.main.send(kind, flags, extra, ident, [s.encode("utf-8") if isinstance(s, str) else bytes(s) for s in segments])
        return ident

    def result(self):
        """The next RESULT with the output before it."""
        out = {1: [], 2: []}
        while True:
            frame = self.main.receive()
            if frame is None:
                raise AssertionError("the interpreter ended")
            if frame.kind == STREAM:
                assert len(frame.segments[0]) <= 65536
                out[frame.flags].append(frame.segments[0])
                self.streams.append(frame)
                continue
            assert frame.kind == RESULT, frame
            return Result(frame, *(b"".join(out[n]).decode("utf-8") for n in (1, 2)))

    def run(self, source, flags=1, extra=0, name=None):
        """Execute a statement."""
        ident = self.send(EXECUTE, [source, name or "<all:%d>" % (self.next + 1)], flags, extra)
        result = self.result()
        assert result.id == ident, (result.id, ident)
        return result

    def request(self, kind, segments=(), flags=0):
        """Any other request, answered."""
        ident = self.send(kind, segments, flags)
        result = self.result()
        assert result.id == ident
        return result

    def ask(self, kind, **question):
        """A question on the side channel: (flags, answer)."""
        self.next += 1
        self.side.send(kind, 0, 0, self.next, [json.dumps(question).encode()])
        frame = self.side.receive()
        assert frame.kind == ANSWER and frame.id == self.next
        if frame.flags & 1:
            return 1, frame.segments[0].decode()
        return 0, json.loads(frame.segments[0])

    def interrupt(self, ident):
        """Interrupt a task."""
        self.side.send(INTERRUPT, 0, 0, ident)

    def next_stream(self):
        """The next line of output, in however many frames it comes (the built-in `print` writes piece by piece)."""
        text = ""
        while not text.endswith("\n"):
            frame = self.main.receive()
            assert frame.kind == STREAM, frame
            text += frame.segments[0].decode()
        return text

    def close(self):
        """Hang up, and see the process end by itself."""
        self.main.sock.close()
        self.side.sock.close()
        try:
            await_end(self.process)
        finally:
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe:
                    pipe.close()


class ForkServer:
    """A fork server and its socket."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            command() + ["fork-server", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.wire = Wire(ours)
        ours.sendall(boot_bytes({}))
        frame = self.wire.receive()
        assert frame is not None and frame.kind == READY, frame
        self.ready = json.loads(frame.segments[0])

    def request_fork(self, ident, config):
        """Ask for an engine; returns (main socket, side socket, read end of its outputs)."""
        main, theirs_main = socket.socketpair()
        side, theirs_side = socket.socketpair()
        reader, writer = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY)
        fds = [theirs_main.fileno(), theirs_side.fileno(), null, writer, writer]
        data = pack(FORK, 0, 0, ident, [json.dumps(config).encode()])
        socket.send_fds(self.wire.sock, [data[:1]], fds)
        self.wire.sock.sendall(data[1:])
        for fd in (null, writer):
            os.close(fd)
        theirs_main.close()
        theirs_side.close()
        return main, side, reader

    def close(self):
        """Hang up, and see the server end."""
        self.wire.sock.close()
        await_end(self.process)


class Forked(Interpreter):
    """An engine that a fork server made."""

    def __init__(self, server, ident, config=None):
        main, side, self.pipe = server.request_fork(ident, config or {"engine_id": ident, "n_engines": 4})
        self.attach(main, side)
        self.server = server

    def close(self):
        """Hang up."""
        self.main.sock.close()
        self.side.sock.close()
        os.close(self.pipe)


def until(condition, what):
    """Wait for a fact with a deadline; the short pauses only bound the cost of looking."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise Timeout("not within %s s: %s" % (DEADLINE, what))
        select.select([], [], [], 0.002)
