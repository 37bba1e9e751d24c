//! The controller daemon: sockets, a clock and logs around the broker.
//!
//! One task per peer owns that peer's receiving half; the broker and the peers' senders are behind one lock that is
//! never held across a wait, so a message goes from one peer's socket to another's without a change of task. All rules
//! are the broker's; this crate decides nothing about requests, and never looks at user data.

mod core;
mod peers;

use crate::{core::Core, peers::Peers};
use antiphon_transport::{Address, Listener};
use rustix::event::{PollFd, PollFlags};
use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// How long the peers may take to read what is left for them and to leave, once the controller ends.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(3);

/// Pause after a failed accept (out of descriptors, mostly), so that the log does not fill the disk.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a controller needs to know.
#[derive(Debug)]
pub struct ControllerConfig {
    /// Where to listen.
    pub address: Address,
    /// The cluster's secret; every hello must carry it.
    pub token: String,
    /// The cluster's name.
    pub cluster: String,
    /// The controller ends when the other end of this pipe is closed: when whoever started it dies.
    pub lifeline: Option<OwnedFd>,
}

/// Why a controller could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The socket cannot be had.
    #[error("listening on {address} failed")]
    Listen {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// Signals cannot be handled.
    #[error("installing a signal handler failed")]
    Signal(#[source] io::Error),
}

/// Runs a controller until it is told to end: by a client, a signal or its lifeline. `on_ready` is called once it
/// listens. Needs a tokio runtime with I/O and time.
pub async fn run(config: ControllerConfig, on_ready: impl FnOnce()) -> Result<(), ControllerError> {
    let ControllerConfig { address, token, cluster, lifeline } = config;
    let listener = Listener::bind(&address)
        .map_err(|source| ControllerError::Listen { address: address.clone(), source })?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ControllerError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ControllerError::Signal)?;
    let core = Arc::new(Core::new(cluster.clone()));
    let peers = Arc::new(Peers::new(core.clone(), token, cluster.clone()));
    info!(%cluster, %address, "listening");
    on_ready();
    let reason = tokio::select! {
        () = accept_all(&listener, &peers) => "it stopped listening",
        () = core.stopped() => "it was shut down",
        _ = terminate.recv() => "it was told to end by a signal",
        _ = interrupt.recv() => "it was interrupted",
        () = lifeline_cut(lifeline) => "whoever started it is gone",
    };
    info!(reason, "ending");
    core.say_goodbye(&format!("the controller of cluster {cluster} ended: {reason}"));
    if tokio::time::timeout(GOODBYE_DEADLINE, core.emptied()).await.is_err() {
        warn!("some peers did not leave in time");
    }
    drop(listener);
    Ok(())
}

async fn accept_all(listener: &Listener, peers: &Arc<Peers>) {
    loop {
        match listener.accept().await {
            Ok(incoming) => peers.clone().welcome(incoming).await,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Resolves when the lifeline's other end is closed; never without a lifeline.
async fn lifeline_cut(lifeline: Option<OwnedFd>) {
    let Some(lifeline) = lifeline else { return std::future::pending().await };
    // A thread that waits in poll: a pipe's end needs no place in the event loop, and works for any descriptor.
    let (cut, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut fds = [PollFd::new(&lifeline, PollFlags::empty())];
        while rustix::event::poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
        let _ = cut.send(());
    });
    let _ = waiting.await;
}
