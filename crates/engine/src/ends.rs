//! What ends a host from outside: signals, and the end of whoever started it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};
use tokio::{
    net::unix::pipe,
    signal::unix::{Signal, SignalKind, signal},
};

/// Everything that says: end.
#[derive(Debug)]
pub(crate) struct Ends {
    terminate: Signal,
    interrupt: Signal,
    lifeline: Option<pipe::Receiver>,
}

impl Ends {
    pub(crate) fn new(lifeline: Option<OwnedFd>) -> io::Result<Ends> {
        let lifeline = lifeline.map(|fd| {
            // It came by inheritance; the interpreters have no business with it.
            rustix::io::fcntl_setfd(fd.as_fd(), rustix::io::FdFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(fd.as_fd(), true)?;
            // A pipe or a socket: all that is done with it is reading to its end.
            pipe::Receiver::from_owned_fd_unchecked(fd)
        });
        Ok(Ends {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            lifeline: lifeline.transpose()?,
        })
    }

    /// Waits for the first of them; says which.
    pub(crate) async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = snapped(self.lifeline.as_ref()) => "the end of whoever started it",
        }
    }
}

/// Waits for the lifeline's end; forever if there is none.
async fn snapped(lifeline: Option<&pipe::Receiver>) {
    let Some(lifeline) = lifeline else { return std::future::pending().await };
    let mut byte = [0];
    loop {
        if lifeline.readable().await.is_err() {
            return;
        }
        match lifeline.try_read(&mut byte) {
            Ok(1..) => {} // nobody should write; it is not the end
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => return,
        }
    }
}
