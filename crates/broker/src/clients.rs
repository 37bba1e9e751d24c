//! Clients: joining, leaving, and where their messages go.

use crate::{
    broker::{Action, Broker},
    requests::{Request, RequestKey},
};
use antiphon_protocol::{
    ClientId, ClientToController, ControllerToClient, ControllerToHost, EngineId, Message, OnLeave, Refusal,
    RequestId,
};
use std::collections::BTreeMap;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    pub name: String,
    /// Unfinished requests.
    pub requests: usize,
    /// User data of unfinished requests.
    pub held_bytes: u64,
    /// Output sent to it and not acknowledged.
    pub unread_bytes: BTreeMap<EngineId, u64>,
}

impl Broker {
    pub(crate) fn on_client_joined(&mut self, client: ClientId, name: String) {
        // Somebody else's answers must never reach a newcomer.
        self.on_client_left(client);
        if self.stopping {
            self.act(Action::DropClient { client, reason: Refusal::Stopping.to_string() });
            return;
        }
        if self.requests.range(all_of(client)).next().is_some() {
            let reason = format!("client {client} has left requests behind: its number is taken");
            self.act(Action::DropClient { client, reason });
            return;
        }
        let joined = Client { name, requests: 0, held_bytes: 0, unread_bytes: BTreeMap::new() };
        self.clients.insert(client, joined);
    }

    pub(crate) fn on_client_message(&mut self, client: ClientId, message: Message<ClientToController>) {
        let Message { header, segments } = message;
        let key = |request| RequestKey { client, request };
        match header {
            ClientToController::Submit { request, target, work, on_leave } => {
                self.on_submit(key(request), &target, work, on_leave, segments);
            }
            ClientToController::Interrupt { request, what } => self.on_interrupt(key(request), &what),
            ClientToController::Restart { request, target } => self.on_restart(key(request), &target),
            ClientToController::Query { request, target, ask } => {
                self.on_query(key(request), &target, ask, segments);
            }
            ClientToController::Status { request } => self.on_status(key(request)),
            ClientToController::Credit { engine, bytes } => self.on_credit(client, engine, bytes),
            ClientToController::Shutdown { request } => self.on_shutdown(key(request)),
        }
    }

    /// Its `Cancel` requests are cancelled, its `Keep` requests run on unread, and nobody's engine waits for it to read.
    pub(crate) fn on_client_left(&mut self, client: ClientId) {
        let Some(left) = self.clients.remove(&client) else { return };
        for (engine, bytes) in left.unread_bytes {
            self.grant(engine, bytes);
        }
        let keys: Vec<RequestKey> = self.requests.range(all_of(client)).map(|(key, _)| *key).collect();
        let mut cancelled = Vec::new();
        for key in keys {
            match self.requests.get(&key) {
                Some(Request::Work(work)) if work.on_leave == OnLeave::Cancel => cancelled.push(key),
                Some(Request::Work(_)) | None => {}
                Some(Request::Query(query)) => {
                    let query = *query;
                    self.forget_query(query);
                }
                Some(Request::Restart(_)) => self.forget_restart(key),
            }
        }
        self.cancel(&cancelled);
    }

    pub(crate) fn on_shutdown(&mut self, key: RequestKey) {
        if let Err(refusal) = self.admit(key) {
            return self.refuse(key, refusal);
        }
        self.stopping = true;
        let hosts: Vec<_> = self.hosts.keys().copied().collect();
        for &host in &hosts {
            self.tell_host(host, ControllerToHost::Shutdown);
        }
        let reached = hosts.len() as u32;
        self.tell_client(key.client, ControllerToClient::Carried { request: key.request, reached });
        let asked_by = self.clients.get(&key.client).map_or("", |client| client.name.as_str());
        let reason = format!("the cluster was shut down by another client ({asked_by})");
        let others: Vec<_> = self.clients.keys().copied().filter(|&client| client != key.client).collect();
        for client in others {
            self.tell_client(client, ControllerToClient::Goodbye { reason: reason.clone() });
        }
        self.act(Action::Stop);
    }
}

fn all_of(client: ClientId) -> std::ops::RangeInclusive<RequestKey> {
    RequestKey { client, request: RequestId(0) }..=RequestKey { client, request: RequestId(u64::MAX) }
}
