//! The socket under a connection: readiness and non-blocking reads and writes, shared by both halves.
//!
//! The one place that knows what kind of socket it is; a TLS session fits behind the same five functions.

use bytes::{BufMut, BytesMut};
use std::{io, os::fd::AsFd};
use tokio::net::UnixStream;

#[derive(Debug)]
pub(crate) struct Socket(UnixStream);

impl Socket {
    pub(crate) fn new(stream: UnixStream) -> Socket {
        Socket(stream)
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    /// Reads what is there into `buffer`'s spare room; `Ok(0)` is the end.
    pub(crate) fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.0.try_read_buf(buffer)
    }

    /// The same, but at most `limit` bytes: what follows them in the stream belongs elsewhere.
    pub(crate) fn try_read_limited(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        self.0.try_read_buf(&mut buffer.limit(limit))
    }

    pub(crate) fn try_write(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    /// Ends our half: the peer reads to the end of what was sent.
    pub(crate) fn finish(&self) {
        let _ = rustix::net::shutdown(self.0.as_fd(), rustix::net::Shutdown::Write);
    }

    /// Ends both halves at once.
    pub(crate) fn abort(&self) {
        let _ = rustix::net::shutdown(self.0.as_fd(), rustix::net::Shutdown::Both);
    }
}
