"""The side thread: what is answered while the main thread is busy.

Interrupts, questions about the namespace, and the timely sending of what was printed. Owns the side channel. It sleeps
without a deadline while nothing runs and nothing is pending, so an idle engine costs no time.
"""

import _thread
import json
import os
import select

from antiphon import _frames, _interrupts

ANTIPHON_GUARDED = True  # the main thread calls `wake`

TICK = 0.04  # seconds between two looks for pending output: it must be on its way within 50 ms
QUIET_TICKS = 25  # ticks without output after which the thread sleeps until it is woken


class Side:
    """The side channel and the thread that serves it."""

    def __init__(self, channel, outbox, namespace, end):
        self.channel = channel
        self.outbox = outbox
        self.namespace = namespace
        self.end = end
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        outbox.wake = _interrupts.wake_side = self.wake

    def start(self):
        """Start the thread."""
        _thread.start_new_thread(self._run, ())

    def wake(self):
        """Any thread: there is output to look after."""
        try:
            os.write(self.writer, b"w")
        except OSError:
            pass

    def _run(self):
        try:
            self._loop()
        except BaseException:
            pass
        if not _interrupts.state.forked:
            self.end()

    def _loop(self):
        """Serve until the end of the stream."""
        outbox, channel = self.outbox, self.channel
        fds = [channel.fileno(), self.reader]
        quiet = tries = 0
        while True:
            if _interrupts.state.wanted is not None:
                waits = _interrupts.AGAIN
                timeout = waits[min(tries, len(waits) - 1)]
                tries += 1
            else:
                tries = 0
                timeout = TICK
                if quiet >= QUIET_TICKS:
                    outbox.asleep = True
                    if not outbox.size:
                        timeout = None
            ready = select.select(fds, (), (), timeout)[0]
            outbox.asleep = False
            if self.reader in ready:
                os.read(self.reader, 4096)
                quiet = 0
            if fds[0] in ready and not self._frames():
                return
            if _interrupts.state.wanted is not None:
                _interrupts.again()
            if outbox.size:
                quiet = 0
                if not ready:
                    outbox.flush_softly()
            else:
                quiet += 1

    def _frames(self):
        """Answer the frames that are here. False at the end of the stream."""
        while True:
            frame = self.channel.receive()
            if frame is None:
                return False
            kind, _, _, ident, segments = frame
            if kind == _frames.INTERRUPT:
                _interrupts.request(ident)
            else:
                self._answer(kind, ident, segments)
            if not self.channel.buffered():
                return True

    def _answer(self, kind, ident, segments):
        """Answer one question; an exception becomes an error's message."""
        flags = 0
        try:
            from antiphon import _queries

            question = json.loads(segments[0]) if segments and segments[0] else {}
            answer = json.dumps(_queries.answer(kind, question, self.namespace.names)).encode()
        except BaseException as error:
            flags = 1
            try:
                answer = ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "backslashreplace")
            except Exception:
                answer = b"the question could not be answered"
        self.channel.send(_frames.ANSWER, flags, 0, ident, (answer,))
