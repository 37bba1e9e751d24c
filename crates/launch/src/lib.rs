//! A cluster on disk and its two daemons: the folder, the connection files, the lock, starting and stopping.
//!
//! [`Folder`] owns what lies on disk; the controller alone writes into it, under its lock ([`Claim`]). A [`Launcher`]
//! starts daemons; [`Local`] is the one for this machine. [`Daemon`] and [`Reporter`] are the two ends of the pipe on
//! which a daemon says that it is ready and, by its end, that it is gone. This crate speaks no protocol: whoever wants
//! a cluster to end politely hands [`stop`] the asking.

mod connection;
mod daemon;
mod error;
mod folder;
mod lifeline;
mod local;
mod name;
mod pidlock;
mod socket;
mod stop;

pub use connection::{Connection, Token};
pub use daemon::{Daemon, Failure, Reporter};
pub use error::LaunchError;
pub use folder::{Claim, Folder, FolderState, state_root};
pub use lifeline::{Lifeline, inherited_fd};
pub use local::{ControllerPlan, HostPlan, Launcher, Local};
pub use name::ClusterName;
pub use pidlock::PidLock;
pub use socket::{MAX_SOCKET_PATH_BYTES, SocketPlace};
pub use stop::{Stopped, stop};
