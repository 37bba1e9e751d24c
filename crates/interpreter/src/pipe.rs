//! Reading what an interpreter's descriptors 1 and 2 carry.

use std::{io, os::fd::OwnedFd};
use tokio::net::unix::pipe;

/// Kept of what an interpreter prints before it is ready, for an error's message.
const TAIL_BYTES: usize = 4 << 10;

/// A pipe: the reading end for us, the writing end for a child.
pub(crate) fn pair() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((pipe::Receiver::from_owned_fd_unchecked(read)?, write))
}

/// The end of what a pipe carried.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let excess = self.bytes.len().saturating_sub(TAIL_BYTES);
        self.bytes.drain(..excess);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Takes what is in the pipe now.
    pub(crate) fn drain(&mut self, pipe: &pipe::Receiver) {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = pipe.try_read(&mut chunk) {
            self.push(&chunk[..read]);
        }
    }

    /// Takes what comes, for as long as this is polled; at the pipe's end it waits forever.
    pub(crate) async fn follow(&mut self, pipe: &pipe::Receiver) {
        let mut chunk = [0; 4096];
        loop {
            if pipe.readable().await.is_err() {
                return std::future::pending().await;
            }
            match pipe.try_read(&mut chunk) {
                Ok(0) => return std::future::pending().await,
                Ok(read) => self.push(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
