"""sys.stdout, sys.stderr and sys.stdin of an interpreter under the bridge.

One outbox collects the text of both output streams in the order it was written and sends it as STREAM frames: when 8 KiB are
together, at the end of a statement, and from the side thread within 50 ms. Owns what was written and not yet sent. A child
that user code forks never sends: its text goes to the descriptors 1 and 2. An interrupt is never raised inside this module,
but between two frames of a long text and at the end of a write.
"""

import _thread
import codecs
import io
import os
import sys

from antiphon import _frames, _interrupts

ANTIPHON_GUARDED = True

COALESCE = 8192  # characters: large enough to make prints cheap, small enough to be seen as live
FRAME = 65536  # bytes of text in one STREAM frame, by the protocol
STDOUT, STDERR = 1, 2


class Outbox:
    """The text on its way to the host."""

    def __init__(self, channel):
        self.channel = channel
        self.size = 0  # characters not sent yet; nothing is pending when 0
        self.asleep = False  # the side thread sleeps without a deadline and must be woken
        self.wake = None
        self._which = STDOUT
        self._parts = []
        self._lock = _thread.allocate_lock()

    def write(self, which, text):
        """Take text for stream `which`; send what is together if that is enough."""
        if not text:
            return
        with self._lock:
            if which != self._which:
                if self.size:
                    self._send()
                self._which = which
            self._parts.append(text)
            self.size += len(text)
            if self.size >= COALESCE:
                self._send()
        if self.asleep and self.size:
            self.asleep = False
            self.wake()
        if _interrupts.state.wanted is not None and _interrupts.pending():
            _interrupts.deliver()  # a statement that does nothing but print is in here nearly all the time

    def flush(self):
        """Send everything that is pending."""
        if self.size:
            with self._lock:
                self._send()

    def flush_softly(self):
        """The side thread's flush: leaves it for the next time if another thread is at it."""
        if self.size and self._lock.acquire(False):
            try:
                self._send()
            finally:
                self._lock.release()

    def forked(self):
        """In a forked child: forget the parent's pending text and the state of its locks."""
        self._parts, self.size = [], 0
        self._lock = _thread.allocate_lock()

    def _send(self):
        """Send the pending text. The lock is held."""
        parts, which = self._parts, self._which
        self._parts, self.size = [], 0
        text = parts[0] if len(parts) == 1 else "".join(parts)
        if not text:
            return
        data = encode(text)
        if _interrupts.state.forked:
            write_all(which, data)
            return
        task = _interrupts.state.last
        if len(data) <= FRAME:
            self.channel.send(_frames.STREAM, which, 0, task, (data,))
            return
        view = memoryview(data)
        at = 0
        while at < len(view):
            end = min(at + FRAME, len(view))
            while end < len(view) and view[end] & 0xC0 == 0x80:
                end -= 1
            self.channel.send(_frames.STREAM, which, 0, task, (view[at:end],))
            at = end
            if _interrupts.pending():
                _interrupts.deliver()


def encode(text):
    """UTF-8 of any str; lone surrogates are written as escapes, so that the bytes are always valid."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def write_all(fd, data):
    """Write to a plain descriptor; what cannot be written is dropped."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        pass


class Output(io.TextIOBase):
    """A text stream whose text goes to the outbox. Closing it lasts until the next statement."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    def __init__(self, outbox, which, name):
        self._outbox = outbox
        self._which = which
        self._closed = False
        self.name = name
        self.buffer = Bytes(self)

    def write(self, text):
        """Write text; returns the number of characters."""
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        if type(text) is not str:
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not " + type(text).__name__)
            text = str.__str__(text)
        if self.buffer._partial:
            self.buffer.finish()
        self._outbox.write(self._which, text)
        if _interrupts.state.wanted is not None and _interrupts.pending():
            # A loop that only prints is nearly always in here when it is signalled: it would never be hit.
            _interrupts.deliver()
        return len(text)

    def writelines(self, lines):
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self):
        """Hand everything written so far to the host."""
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        self._outbox.flush()

    def close(self):
        """Refuse writes until the next statement. The connection is not touched."""
        if not self._closed:
            self._outbox.flush()
            self._closed = True

    def detach(self):
        """Not possible: the stream has no file under it."""
        raise io.UnsupportedOperation("detach")

    def reconfigure(self, **options):
        """Accepted and ignored: encoding and buffering are fixed."""

    @property
    def closed(self):
        """True after close(), until the next statement."""
        return self._closed

    def reopen(self):
        """A new statement begins."""
        self._closed = False

    def fileno(self):
        """1 or 2: the pipe that subprocesses and C code write to."""
        return self._which

    def isatty(self):
        """False: the host decides how text is shown."""
        return False

    def readable(self):
        """False."""
        return False

    def writable(self):
        """True."""
        return True

    def seekable(self):
        """False."""
        return False

    def __repr__(self):
        return "<antiphon stream %r encoding='utf-8'>" % self.name

    def __del__(self):
        pass  # io's finaliser would close it

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle %r" % self)


class Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes that join the same text, decoded as UTF-8."""

    def __init__(self, stream):
        self.raw = self
        self._stream = stream
        self._partial = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    name = property(lambda self: self._stream.name)
    mode = "wb"

    def write(self, data):
        """Write bytes; returns their number."""
        if self._stream._closed:
            raise ValueError("write to closed file")
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        with memoryview(data) as view:
            data = view.tobytes()
        text = self._decoder.decode(data)
        self._partial = bool(self._decoder.getstate()[0])
        self._stream._outbox.write(self._stream._which, text)
        return len(data)

    def finish(self):
        """Text follows: what is left of a character is written as it is."""
        text = self._decoder.decode(b"", True)
        self._decoder.reset()
        self._partial = False
        self._stream._outbox.write(self._stream._which, text)

    def flush(self):
        """Hand everything written so far to the host."""
        self._stream._outbox.flush()

    def close(self):
        """Close the text stream it belongs to."""
        self._stream.close()

    @property
    def closed(self):
        """True if the text stream is closed."""
        return self._stream._closed

    def fileno(self):
        """1 or 2."""
        return self._stream._which

    def writable(self):
        """True."""
        return True

    def __del__(self):
        pass


class Input(io.TextIOBase):
    """`sys.stdin`: reading says that an engine cannot ask its user."""

    encoding = "utf-8"
    errors = "strict"
    name = "<stdin>"
    mode = "r"

    def _refuse(self, *arguments):
        raise EOFError("an engine has no keyboard: input() and sys.stdin cannot be read here")

    read = readline = readlines = __next__ = _refuse

    def __iter__(self):
        return self

    def fileno(self):
        """0."""
        return 0

    def isatty(self):
        """False."""
        return False

    def readable(self):
        """True."""
        return True

    def close(self):
        """Nothing: `exit()` closes stdin, and the next statement wants it back."""

    def __del__(self):
        pass


class Streams:
    """The three streams of this interpreter."""

    def __init__(self, channel):
        self.outbox = Outbox(channel)
        self.stdout = Output(self.outbox, STDOUT, "<stdout>")
        self.stderr = Output(self.outbox, STDERR, "<stderr>")
        self.stdin = Input()
        self.install()

    def install(self):
        """Make them sys.stdin, sys.stdout and sys.stderr."""
        sys.stdin = sys.__stdin__ = self.stdin
        sys.stdout = sys.__stdout__ = self.stdout
        sys.stderr = sys.__stderr__ = self.stderr

    def prepare(self):
        """Before a statement: a replacement by user code stays, unless it is closed or gone."""
        if self.stdout._closed:
            self.stdout.reopen()
        if self.stderr._closed:
            self.stderr.reopen()
        if getattr(sys, "stdout", None) is not self.stdout and unusable("stdout"):
            sys.stdout = self.stdout
        if getattr(sys, "stderr", None) is not self.stderr and unusable("stderr"):
            sys.stderr = self.stderr
        if getattr(sys, "stdin", None) is not self.stdin and unusable("stdin"):
            sys.stdin = self.stdin

    def settle(self):
        """After a statement: whatever was printed goes out before its result."""
        if self.outbox.size:
            self.outbox.flush()


def unusable(name):
    """True if sys.NAME is missing, None or closed."""
    try:
        stream = getattr(sys, name, None)
        return stream is None or bool(getattr(stream, "closed", False))
    except Exception:
        return True
