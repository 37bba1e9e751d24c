//! What can go wrong between a client and its cluster. A Python exception is none of it: that is an answer.

use antiphon_protocol::{Refusal, TargetError};
use antiphon_transport::{ConnectError, SendError};
use std::sync::Arc;

/// Why something asked of a cluster was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no connection.
    #[error("connecting to the cluster failed")]
    Connect(#[source] Arc<ConnectError>),
    /// There was one.
    #[error("the connection to the cluster is lost: {reason}")]
    ConnectionLost {
        /// What happened.
        reason: String,
    },
    /// The controller refused; nothing was changed.
    #[error("{0}")]
    Refused(Refusal),
    /// A target that is not one.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A message could not be sent, for a reason of its own.
    #[error("sending a request to the cluster failed")]
    Send(#[source] Arc<SendError>),
    /// The controller said what fits nothing that was asked.
    #[error("the controller answered {what} in a way that makes no sense")]
    Unexpected {
        /// What was asked.
        what: &'static str,
    },
    /// No answer in time.
    #[error("{what} was not answered within {seconds} seconds")]
    Silent {
        /// What was asked.
        what: &'static str,
        /// The deadline.
        seconds: u64,
    },
}

impl ClientError {
    /// What to do next, if that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ClientError::Refused(Refusal::Target { hint, .. }) => hint.as_deref(),
            ClientError::Target(error) => error.hint.as_deref(),
            ClientError::ConnectionLost { .. } => Some("antiphon status says what is up"),
            _ => None,
        }
    }

    /// Whether the user's own words were at fault, and not the cluster.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            ClientError::Target(_)
                | ClientError::Refused(Refusal::Target { .. } | Refusal::Invalid(_))
                | ClientError::Send(_)
        )
    }
}
