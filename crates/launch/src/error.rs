//! What can go wrong here, and on what.

use std::{io, path::PathBuf, time::Duration};

/// Why a cluster's folder or daemons could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nowhere to keep state.
    #[error("no folder for state: neither XDG_STATE_HOME nor HOME is set to an absolute path")]
    NoStateFolder,
    /// Not a name.
    #[error("{name:?} is no name for a cluster: {reason}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something on disk.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A connection file that is not one.
    #[error("{} is no connection file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Others may read or change it.
    #[error("{} is not private: its mode is {mode:o}, its owner user {owner}", path.display())]
    NotPrivate {
        /// The folder or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
    /// The name is taken.
    #[error("the cluster {name} is up already{}", pid.map(|pid| format!(" (controller {pid})")).unwrap_or_default())]
    AlreadyUp {
        /// Which.
        name: String,
        /// Its controller's process id.
        pid: Option<u32>,
    },
    /// Nothing to talk to.
    #[error("the cluster {name} is not up")]
    NotUp {
        /// Which.
        name: String,
    },
    /// Its controller lives but does not listen yet.
    #[error("the cluster {name} is still starting")]
    Starting {
        /// Which.
        name: String,
    },
    /// The system refused a process or a pipe.
    #[error("could not {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A daemon said that it cannot work.
    #[error("the {daemon} did not start: {}", failure.message)]
    Failed {
        /// `controller` or `host`.
        daemon: &'static str,
        /// In its own words.
        failure: Failure,
    },
    /// A daemon ended without a word.
    #[error("the {daemon} ended {how}")]
    Died {
        /// `controller` or `host`.
        daemon: &'static str,
        /// `with exit status: 1`, ….
        how: String,
        /// The end of its log.
        log: String,
    },
    /// A daemon takes too long.
    #[error("the {daemon} was not ready after {} s", waited.as_secs())]
    NotReady {
        /// `controller` or `host`.
        daemon: &'static str,
        /// How long it was given.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// SIGKILL did not end it.
    #[error("process {pid} of the cluster {name} does not end, not even by SIGKILL")]
    WillNotEnd {
        /// Which cluster.
        name: String,
        /// Which process.
        pid: u32,
    },
}

use crate::Failure;

impl LaunchError {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        LaunchError::File { doing, path: path.into(), source: source.into() }
    }

    pub(crate) fn system(doing: &'static str, source: impl Into<io::Error>) -> Self {
        LaunchError::System { doing, source: source.into() }
    }

    /// The end of the daemon's log, where that explains more than the error itself.
    pub fn log(&self) -> Option<&str> {
        match self {
            LaunchError::Died { log, .. } | LaunchError::NotReady { log, .. } => {
                Some(log.as_str()).filter(|log| !log.is_empty())
            }
            _ => None,
        }
    }
}
