//! A bridge socket in Rust: a reading half that yields frames, a writing half that never waits.

use crate::frame::{FrameError, FrameQueue, FrameReader, Header, Incoming};
use bytes::Bytes;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use std::{io, sync::Arc};
use tokio::net::UnixStream;

/// Why a socket gives no further frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("the interpreter closed the bridge")]
    Closed,
    #[error("the bridge's socket failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct FrameSource {
    socket: Arc<UnixStream>,
    reader: FrameReader,
}

impl FrameSource {
    pub(crate) fn new(socket: Arc<UnixStream>, limit: u64) -> FrameSource {
        FrameSource { socket, reader: FrameReader::new(limit) }
    }

    /// The next frame if it is there already.
    pub(crate) fn try_next(&mut self) -> Result<Option<Incoming>, SocketError> {
        loop {
            if let Some(incoming) = self.reader.next_frame()? {
                return Ok(Some(incoming));
            }
            match self.socket.try_read_buf(&mut self.reader.spare()) {
                Ok(0) => return Err(SocketError::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(SocketError::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until there is something to read. May be dropped at any time.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next frame. May be dropped at any time: what was read is kept.
    pub(crate) async fn next(&mut self) -> Result<Incoming, SocketError> {
        loop {
            if let Some(incoming) = self.try_next()? {
                return Ok(incoming);
            }
            self.readable().await?;
        }
    }
}

/// The writing half.
#[derive(Debug)]
pub(crate) struct FrameSink {
    socket: Arc<UnixStream>,
    queue: FrameQueue,
}

impl FrameSink {
    pub(crate) fn new(socket: Arc<UnixStream>) -> FrameSink {
        FrameSink { socket, queue: FrameQueue::default() }
    }

    /// Queues a frame and writes what the socket takes now.
    pub(crate) fn push(&mut self, header: Header, segments: &[Bytes]) -> Result<(), FrameError> {
        self.queue.push(header, segments)
    }

    pub(crate) fn push_raw(&mut self, bytes: Bytes) {
        self.queue.push_raw(bytes);
    }

    /// True if bytes wait for the socket.
    pub(crate) fn is_pending(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Writes what the socket takes now, past tokio's readiness: the first attempt is right nearly always.
    pub(crate) fn flush_now(&mut self) -> io::Result<()> {
        while self.is_pending() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let sent =
                sendmsg(&*self.socket, &self.queue.slices(), &mut SendAncillaryBuffer::default(), flags);
            match sent {
                Ok(written) => self.queue.advance(written),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes, by tokio's readiness; after [`writable`](Self::socket) was awaited.
    pub(crate) fn flush_ready(&mut self) -> io::Result<()> {
        while self.is_pending() {
            match self.socket.try_write_vectored(&self.queue.slices()) {
                Ok(written) => self.queue.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The socket, to wait for without holding a lock on the sink.
    pub(crate) fn socket(&self) -> Arc<UnixStream> {
        self.socket.clone()
    }

    /// Waits until everything is written. May be dropped at any time: what is left stays queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.flush_now()?;
        while self.is_pending() {
            self.socket.writable().await?;
            self.flush_ready()?;
        }
        Ok(())
    }
}
