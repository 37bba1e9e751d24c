//! The lifeline: a pipe that nobody writes to. Daemons hold its reading end; when the process that holds the writing
//! end is gone, however it went, they see the end of it and end with everything they started.

use crate::LaunchError;
use rustix::{
    io::{FdFlags, fcntl_getfd, fcntl_setfd},
    pipe::{PipeFlags, pipe_with},
};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The writing end, which keeps daemons alive while this process holds it, and the end they inherit.
#[derive(Debug)]
pub struct Lifeline {
    reading: OwnedFd,
    _writing: OwnedFd,
}

impl Lifeline {
    /// A new one. Both ends are close-on-exec: only daemons get the reading end, nobody ever the writing one.
    pub fn new() -> Result<Self, LaunchError> {
        let (reading, writing) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| LaunchError::system("make a pipe", error))?;
        Ok(Lifeline { reading, _writing: writing })
    }

    /// What daemons inherit.
    pub(crate) fn reading(&self) -> BorrowedFd<'_> {
        self.reading.as_fd()
    }
}

/// Takes over a descriptor that the process that started this one left open, by its number. From here on nothing
/// that this process starts inherits it.
pub fn inherited_fd(number: RawFd) -> Result<OwnedFd, LaunchError> {
    let fail = |error| LaunchError::system("take over an inherited descriptor", error);
    if number < 3 {
        return Err(fail(std::io::Error::from(std::io::ErrorKind::InvalidInput)));
    }
    // SAFETY: borrowed only for the two calls below, which fail with EBADF if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(borrowed).map_err(|error| fail(error.into()))?;
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).map_err(|error| fail(error.into()))?;
    // SAFETY: it is open, and it was named on this process's command line, which is read once: nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
