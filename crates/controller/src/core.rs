//! The broker, the peers' senders, and the lock around them.

use antiphon_broker::{Action, Broker, Config, Input};
use antiphon_protocol::{ClientId, ControllerToClient, ControllerToHost, HostId, Lane, Message};
use antiphon_transport::{SendError, Sender};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Notify;
use tracing::{debug, error, info, warn};

/// The broker with its peers. Every method takes the lock for as long as it computes, never while it waits.
pub(crate) struct Core {
    inner: Mutex<Inner>,
    stopped: Notify,
    left: Notify,
}

struct Inner {
    broker: Broker,
    started: Instant,
    clients: BTreeMap<ClientId, Sender<ControllerToClient>>,
    hosts: BTreeMap<HostId, Sender<ControllerToHost>>,
    next_client: u32,
    next_host: u32,
    stopping: bool,
}

impl Core {
    pub(crate) fn new(cluster: String) -> Core {
        let config = Config { cluster, version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id() };
        let inner = Inner {
            broker: Broker::new(config),
            started: Instant::now(),
            clients: BTreeMap::new(),
            hosts: BTreeMap::new(),
            next_client: 0,
            next_host: 0,
            stopping: false,
        };
        Core { inner: Mutex::new(inner), stopped: Notify::new(), left: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id the next client gets: said in the answer to its hello, before it is let in.
    pub(crate) fn new_client(&self) -> ClientId {
        let mut inner = self.lock();
        inner.next_client += 1;
        ClientId(inner.next_client)
    }

    pub(crate) fn new_host(&self) -> HostId {
        let mut inner = self.lock();
        inner.next_host += 1;
        HostId(inner.next_host)
    }

    pub(crate) fn add_client(&self, client: ClientId, sender: Sender<ControllerToClient>) {
        self.lock().clients.insert(client, sender);
    }

    pub(crate) fn add_host(&self, host: HostId, sender: Sender<ControllerToHost>) {
        self.lock().hosts.insert(host, sender);
    }

    /// Forgets a peer's sender and tells the broker.
    pub(crate) fn remove_client(&self, client: ClientId) {
        self.lock().clients.remove(&client);
        self.handle(Input::ClientLeft { client });
        self.left.notify_waiters();
    }

    /// Forgets a peer's sender and tells the broker.
    pub(crate) fn remove_host(&self, host: HostId) {
        self.lock().hosts.remove(&host);
        self.handle(Input::HostLeft { host });
        self.left.notify_waiters();
    }

    /// Gives the broker an input and carries out what it wants done.
    pub(crate) fn handle(&self, input: Input) {
        let mut inner = self.lock();
        let now_ms = inner.started.elapsed().as_millis() as u64;
        inner.broker.handle(now_ms, input);
        while let Some(action) = inner.broker.next_action() {
            inner.act(action);
        }
        if inner.stopping {
            self.stopped.notify_one();
        }
    }

    /// Resolves when the broker wants to stop.
    pub(crate) async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Tells clients why, and closes every connection after what is queued for it.
    pub(crate) fn say_goodbye(&self, reason: &str) {
        let inner = self.lock();
        for sender in inner.clients.values() {
            let _ = sender.try_send(Lane::Ordinary, ControllerToClient::Goodbye { reason: reason.into() });
            sender.close();
        }
        for sender in inner.hosts.values() {
            let _ = sender.try_send(Lane::Ordinary, ControllerToHost::Shutdown);
            sender.close();
        }
    }

    /// Resolves when no peer is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            {
                let inner = self.lock();
                if inner.clients.is_empty() && inner.hosts.is_empty() {
                    return;
                }
            }
            left.await;
        }
    }
}

impl Inner {
    fn act(&mut self, action: Action) {
        match action {
            Action::ToClient { client, message } => {
                let Some(sender) = self.clients.get(&client) else {
                    debug!(%client, "a message for a client that left is dropped");
                    return;
                };
                if let Err(error) = sender.try_send(client_lane(&message), message) {
                    warn!(%client, %error, "a message could not be sent; the client is disconnected");
                    sender.abort();
                }
            }
            Action::ToHost { host, message } => {
                let Some(sender) = self.hosts.get(&host) else {
                    debug!(%host, "a message for a host that left is dropped");
                    return;
                };
                match sender.try_send(host_lane(&message), message) {
                    Ok(()) => {}
                    Err(SendError::Closed) => debug!(%host, "the host has just gone"),
                    Err(error) => {
                        error!(%host, %error, "a message could not be sent; the host is disconnected");
                        sender.abort();
                    }
                }
            }
            Action::DropClient { client, reason } => {
                warn!(%client, reason, "disconnecting a client");
                if let Some(sender) = self.clients.get(&client) {
                    let _ = sender.try_send(Lane::Ordinary, ControllerToClient::Goodbye { reason });
                    sender.close();
                }
            }
            Action::DropHost { host, reason } => {
                error!(%host, reason, "disconnecting a host");
                if let Some(sender) = self.hosts.get(&host) {
                    sender.abort();
                }
            }
            Action::Stop => {
                info!("a client asked for the end");
                self.stopping = true;
            }
        }
    }
}

/// What may overtake: answers to questions and to commands that must not wait behind data. Answers and output keep
/// their order among themselves, and a request's `Accepted` comes before its answers.
fn client_lane(message: &Message<ControllerToClient>) -> Lane {
    match message.header {
        ControllerToClient::Replied { .. } | ControllerToClient::Status { .. } => Lane::Urgent,
        _ => Lane::Ordinary,
    }
}

/// Interrupts and questions overtake data. A task that an interrupt overtakes is still on its way: the host remembers
/// the interrupt until the task arrives. A restart keeps its place: what was sent before it is lost with the engine.
fn host_lane(message: &Message<ControllerToHost>) -> Lane {
    match message.header {
        ControllerToHost::Interrupt { .. }
        | ControllerToHost::Query { .. }
        | ControllerToHost::Credit { .. } => Lane::Urgent,
        _ => Lane::Ordinary,
    }
}
