"""Frames over a stream socket: how bytes become (kind, flags, extra, id, segments) and back.

Owns the receive buffer and the send lock of one socket. Knows nothing of what a frame means. An interrupt is never
raised inside this module (see `_interrupts`), so no frame is torn.
"""

import _socket
import _struct
import _thread

ANTIPHON_GUARDED = True

EXECUTE, CALL, PUT, GET, RESET, BIND = 1, 2, 3, 4, 5, 6
COMPLETE, INSPECT, CHECK, INTERRUPT, WHO = 16, 17, 18, 19, 20
FORK, FORKED, EXITED, KILL = 32, 33, 34, 35
READY, RESULT, STREAM, ANSWER = 64, 65, 66, 80

MAX_SEGMENTS = 4096
MAX_BYTES = 16 << 30
BUFFER = 1 << 16  # room for any header (16 bytes and 4096 lengths) and for many small frames in one system call
JOIN_BELOW = 1 << 16  # smaller frames are joined and sent with one call: a copy is cheaper than a gather
IOV = 256  # segments handed to one gathering send; every platform takes at least this many (POSIX: 16, Linux: 1024)

_HEADER = _struct.Struct("<BBHIQ")
_HEADER_1 = _struct.Struct("<BBHIQQ")
_pack = _HEADER.pack
_unpack = _HEADER.unpack_from
_pack_1 = _HEADER_1.pack


class ProtocolError(Exception):
    """The other side broke the frame format; the connection cannot be used any more."""


class Channel:
    """One socket: whole frames in, whole frames out. One thread receives; any thread may send."""

    def __init__(self, fd):
        self.sock = _socket.socket(fileno=fd)
        self.lock = _thread.allocate_lock()
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def fileno(self):
        """The socket's descriptor, for select."""
        return self.sock.fileno()

    def buffered(self):
        """True if some bytes are here already that no frame was made of, so that select would not tell."""
        return self._end > self._start

    def close(self):
        """Close this process's copy of the socket."""
        self.sock.close()

    def _need(self, size):
        """Have at least `size` bytes in the buffer from `_start` on. False at the end of the stream."""
        start, end = self._start, self._end
        if start + size > BUFFER or start == end:
            self._buffer[: end - start] = self._buffer[start:end]
            start, end = 0, end - start
        while end - start < size:
            got = self.sock.recv_into(self._view[end:])
            if not got:
                return False
            end += got
        self._start, self._end = start, end
        return True

    def receive(self):
        """The next frame as (kind, flags, extra, id, segments), or None at the end of the stream."""
        if self._end - self._start < 16 and not self._need(16):
            return None
        kind, flags, count, extra, ident = _unpack(self._buffer, self._start)
        if not count:
            self._start += 16
            return kind, flags, extra, ident, []
        if count > MAX_SEGMENTS:
            raise ProtocolError("a frame of %d segments; at most %d are allowed" % (count, MAX_SEGMENTS))
        head = 16 + 8 * count
        if self._end - self._start < head and not self._need(head):
            return None
        lengths = _struct.unpack_from("<%dQ" % count, self._buffer, self._start + 16)
        total = sum(lengths)
        if total > MAX_BYTES:
            raise ProtocolError("a frame of %d bytes; at most %d are allowed" % (total, MAX_BYTES))
        position = self._start + head
        if self._end - position >= total:
            segments = []
            for length in lengths:
                segments.append(self._buffer[position : position + length])
                position += length
            self._start = position
            return kind, flags, extra, ident, segments
        self._start = position
        segments = [self._segment(length) for length in lengths]
        if None in segments:
            return None
        return kind, flags, extra, ident, segments

    def _segment(self, length):
        """One segment of `length` bytes, what is buffered first, the rest straight from the socket."""
        here = min(length, self._end - self._start)
        segment = bytearray(length)
        segment[:here] = self._buffer[self._start : self._start + here]
        self._start += here
        with memoryview(segment) as view:
            while here < length:
                got = self.sock.recv_into(view[here:])
                if not got:
                    return None
                here += got
        return segment

    def send(self, kind, flags, extra, ident, segments=()):
        """Send one frame. Segments are bytes-like objects of one dimension and one byte an item."""
        if len(segments) == 1:
            first = segments[0]
            total = len(first)
            if total < JOIN_BELOW:
                data = _pack_1(kind, flags, 1, extra, ident, total) + first
                with self.lock:
                    sent = self.sock.send(data)
                    if sent != len(data):
                        self.sock.sendall(memoryview(data)[sent:])
                return
        lengths = [len(segment) for segment in segments]
        if len(lengths) > MAX_SEGMENTS:
            raise ProtocolError("%d segments; a frame carries at most %d" % (len(lengths), MAX_SEGMENTS))
        total = sum(lengths)
        if total > MAX_BYTES:
            raise ProtocolError("%d bytes; a frame carries at most %d" % (total, MAX_BYTES))
        head = _pack(kind, flags, len(lengths), extra, ident) + _struct.pack("<%dQ" % len(lengths), *lengths)
        with self.lock:
            if total < JOIN_BELOW:
                self.sock.sendall(b"".join((head, *segments)))
            else:
                self._send_many([head, *segments])

    def _send_many(self, parts):
        """Send the parts without joining them. The lock is held."""
        parts = [memoryview(part).cast("B") for part in parts if len(part)]
        at = 0
        while at < len(parts):
            sent = self.sock.sendmsg(parts[at : at + IOV])
            while at < len(parts) and sent >= len(parts[at]):
                sent -= len(parts[at])
                at += 1
            if sent:
                parts[at] = parts[at][sent:]
