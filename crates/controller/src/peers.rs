//! One task per peer: hello, then its messages, until it leaves.

use crate::core::Core;
use antiphon_broker::Input;
use antiphon_protocol::{
    ClientToController, ControllerToClient, ControllerToHost, HostInfo, HostToController,
    hello::{Hello, Reply, Role},
    limits,
};
use antiphon_transport::{ConnectError, Incoming, Pending, ReceiveError, Receiver, Sender};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::{Instrument, info, info_span, warn};

/// Connections that have not said hello yet: more wait in the socket's backlog.
const MAX_STRANGERS: usize = 64;

/// Peers at a time: clients, hosts. Each costs a descriptor and a few kilobytes.
const MAX_PEERS: usize = 4096;

pub(crate) struct Peers {
    core: Arc<Core>,
    token: String,
    cluster: String,
    strangers: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Peers {
    pub(crate) fn new(core: Arc<Core>, token: String, cluster: String) -> Peers {
        let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
        Peers { core, token, cluster, strangers, places: Arc::new(Semaphore::new(MAX_PEERS)) }
    }

    /// Starts a task for a new connection; waits while too many have not said hello.
    pub(crate) async fn welcome(self: Arc<Self>, incoming: Incoming) {
        let Ok(stranger) = self.strangers.clone().acquire_owned().await else { return };
        tokio::spawn(async move {
            let heard = incoming.hello().await;
            drop(stranger);
            match heard {
                Ok((hello, pending)) => self.serve(hello, pending).await,
                // Somebody who only looked whether we are there is no news.
                Err(ConnectError::Closed) => {}
                Err(error) => warn!(%error, "a connection was refused"),
            }
        });
    }

    async fn serve(&self, hello: Hello, pending: Pending) {
        let refusal = if !same_secret(&hello.token, &self.token) {
            Some("the token is wrong: use the connection file of this very cluster".to_owned())
        } else if let Role::Host(info) = &hello.role {
            host_refusal(info)
        } else {
            None
        };
        let place = self.places.clone().try_acquire_owned();
        let refusal = match (&refusal, &place) {
            (None, Err(_)) => Some(format!("the controller already has {MAX_PEERS} peers")),
            _ => refusal,
        };
        if let Some(reason) = refusal {
            warn!(reason, "a peer was refused");
            let _ = pending.refuse(reason).await;
            return;
        }
        let served = match hello.role {
            Role::Client { name } => self.serve_client(name, pending).await,
            Role::Host(info) => self.serve_host(info, pending).await,
        };
        if let Err(error) = served {
            warn!(%error, "a peer left during its welcome");
        }
    }

    async fn serve_client(&self, name: String, pending: Pending) -> Result<(), ConnectError> {
        let client = self.core.new_client();
        let reply = Reply::Accepted { cluster: self.cluster.clone(), client: Some(client) };
        let (sender, receiver): (Sender<ControllerToClient>, Receiver<ClientToController>) =
            pending.accept(reply).await?;
        let span = info_span!("client", %client, name);
        async {
            info!("joined");
            self.core.add_client(client, sender);
            self.core.handle(Input::ClientJoined { client, name });
            let ended = self.listen(receiver, |message| Input::FromClient { client, message }).await;
            self.core.remove_client(client);
            report_end(ended);
        }
        .instrument(span)
        .await;
        Ok(())
    }

    async fn serve_host(&self, info: HostInfo, pending: Pending) -> Result<(), ConnectError> {
        let host = self.core.new_host();
        let reply = Reply::Accepted { cluster: self.cluster.clone(), client: None };
        let (sender, receiver): (Sender<ControllerToHost>, Receiver<HostToController>) =
            pending.accept(reply).await?;
        let span = info_span!("host", %host, name = info.name);
        async {
            info!(engines = info.engines, pid = info.pid, "joined");
            self.core.add_host(host, sender);
            self.core.handle(Input::HostJoined { host, info });
            let ended = self.listen(receiver, |message| Input::FromHost { host, message }).await;
            self.core.remove_host(host);
            report_end(ended);
        }
        .instrument(span)
        .await;
        Ok(())
    }

    async fn listen<T: serde::de::DeserializeOwned>(
        &self,
        mut receiver: Receiver<T>,
        input: impl Fn(antiphon_protocol::Message<T>) -> Input,
    ) -> Result<(), ReceiveError> {
        while let Some(message) = receiver.recv().await? {
            self.core.handle(input(message));
        }
        Ok(())
    }
}

fn report_end(ended: Result<(), ReceiveError>) {
    match ended {
        Ok(()) => info!("left"),
        Err(error) => warn!(%error, "disconnected"),
    }
}

fn host_refusal(info: &HostInfo) -> Option<String> {
    let most = limits::MAX_ENGINES_PER_HOST;
    (info.engines == 0 || info.engines > most)
        .then(|| format!("a host offers between 1 and {most} engines, not {}", info.engines))
}

/// Compares in a time that does not depend on where the texts differ.
fn same_secret(theirs: &str, ours: &str) -> bool {
    let differing = theirs.bytes().zip(ours.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    theirs.len() == ours.len() && differing == 0
}
