//! The connection to the controller as the rest of this crate sees it, so that tests can be the controller.

use antiphon_protocol::{ControllerToHost, HostToController, Lane, Message};
use antiphon_transport::{Receiver, SendError, Sender};

/// What goes to the controller.
pub(crate) trait Uplink: Clone + Send + Sync + 'static {
    /// Sends, waiting while too much is under way.
    fn send(
        &self,
        lane: Lane,
        message: Message<HostToController>,
    ) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Sends what is small, without waiting.
    fn send_now(&self, lane: Lane, message: Message<HostToController>);
}

/// What comes from the controller.
pub(crate) trait Downlink: Send {
    /// The next message; none when the controller is gone. May be dropped while it waits; nothing is lost.
    fn recv(&mut self) -> impl Future<Output = Option<Message<ControllerToHost>>> + Send;
}

impl Uplink for Sender<HostToController> {
    async fn send(&self, lane: Lane, message: Message<HostToController>) -> Result<(), SendError> {
        Sender::send(self, lane, message).await
    }

    fn send_now(&self, lane: Lane, message: Message<HostToController>) {
        // A connection that has ended ends the host by its receiving half.
        if let Err(error) = self.try_send(lane, message) {
            tracing::debug!(%error, "a message to the controller was not sent");
        }
    }
}

impl Downlink for Receiver<ControllerToHost> {
    async fn recv(&mut self) -> Option<Message<ControllerToHost>> {
        match Receiver::recv(self).await {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "reading from the controller failed"
                );
                None
            }
        }
    }
}
