//! The broker: its inputs, its actions, and who comes and goes.

use crate::{
    clients::Client,
    engines::Engines,
    hosts::Host,
    queries::Query,
    requests::{Request, RequestKey},
    tasks::Task,
};
use antiphon_protocol::{
    ClientId, ClientToController, ControllerToClient, ControllerToHost, HostId, HostInfo, HostToController,
    Message, Notice, TaskId,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the broker is told about its cluster, for its status.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The cluster's name.
    pub cluster: String,
    /// The controller's version of Antiphon.
    pub version: String,
    /// The controller's process id.
    pub pid: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A client is connected, under an id never used before.
    ClientJoined {
        /// Its id.
        client: ClientId,
        /// What it calls itself.
        name: String,
    },
    /// A client's connection has ended, for whatever reason.
    ClientLeft {
        /// Its id.
        client: ClientId,
    },
    /// A client says something.
    FromClient {
        /// Who.
        client: ClientId,
        /// What.
        message: Message<ClientToController>,
    },
    /// A host is connected, under an id never used before.
    HostJoined {
        /// Its id.
        host: HostId,
        /// What it said of itself.
        info: HostInfo,
    },
    /// A host's connection has ended, for whatever reason.
    HostLeft {
        /// Its id.
        host: HostId,
    },
    /// A host says something.
    FromHost {
        /// Who.
        host: HostId,
        /// What.
        message: Message<HostToController>,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send to a client.
    ToClient {
        /// To whom.
        client: ClientId,
        /// What.
        message: Message<ControllerToClient>,
    },
    /// Send to a host.
    ToHost {
        /// To whom.
        host: HostId,
        /// What.
        message: Message<ControllerToHost>,
    },
    /// Close a host's connection. The broker has forgotten it already; its `HostLeft` is not needed.
    DropHost {
        /// Which.
        host: HostId,
        /// Why, for the log.
        reason: String,
    },
    /// Close a client's connection. The broker has forgotten it already; its `ClientLeft` is not needed.
    DropClient {
        /// Which.
        client: ClientId,
        /// Why, for the user.
        reason: String,
    },
    /// End the controller, once everything before this has been sent.
    Stop,
}

/// All that a controller knows and decides. See the crate's documentation.
#[derive(Debug)]
pub struct Broker {
    pub(crate) config: Config,
    pub(crate) now_ms: u64,
    pub(crate) started_ms: Option<u64>,
    pub(crate) stopping: bool,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) hosts: BTreeMap<HostId, Host>,
    pub(crate) engines: Engines,
    pub(crate) requests: BTreeMap<RequestKey, Request>,
    /// User data of all unfinished requests.
    pub(crate) held_bytes: u64,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Farmed tasks that no engine has taken: ids grow, so their order is the order of arrival.
    pub(crate) farm: BTreeSet<TaskId>,
    pub(crate) queries: BTreeMap<TaskId, Query>,
    next_id: u64,
    actions: VecDeque<Action>,
}

impl Broker {
    /// A broker of an empty cluster.
    pub fn new(config: Config) -> Broker {
        Broker {
            config,
            now_ms: 0,
            started_ms: None,
            stopping: false,
            clients: BTreeMap::new(),
            hosts: BTreeMap::new(),
            engines: Engines::default(),
            requests: BTreeMap::new(),
            held_bytes: 0,
            tasks: BTreeMap::new(),
            farm: BTreeSet::new(),
            queries: BTreeMap::new(),
            next_id: 1,
            actions: VecDeque::new(),
        }
    }

    /// Takes one input. `now_ms` is any clock that does not run backwards.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        self.started_ms.get_or_insert(now_ms);
        match input {
            Input::ClientJoined { client, name } => self.on_client_joined(client, name),
            Input::ClientLeft { client } => self.on_client_left(client),
            Input::FromClient { client, message } => {
                if self.clients.contains_key(&client) {
                    self.on_client_message(client, message);
                }
            }
            Input::HostJoined { host, info } => self.on_host_joined(host, info),
            Input::HostLeft { host } => self.on_host_left(host),
            Input::FromHost { host, message } => {
                if self.hosts.contains_key(&host)
                    && let Err(reason) = self.on_host_message(host, message)
                {
                    self.drop_host(host, reason);
                }
            }
        }
    }

    /// The next thing to do, in order.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether a request is unfinished, of a client that has left too, or an action not yet taken.
    pub fn has_work(&self) -> bool {
        !self.requests.is_empty() || !self.actions.is_empty()
    }

    /// A fresh id for a task or a query. Ids grow, and an engine gets its tasks in the order of their ids.
    pub(crate) fn fresh_id(&mut self) -> TaskId {
        self.fresh_ids(1)
    }

    /// The first of `n` fresh ids in a row.
    pub(crate) fn fresh_ids(&mut self, n: u64) -> TaskId {
        let first = TaskId(self.next_id);
        self.next_id += n;
        first
    }

    /// Whether this id was ever given out.
    pub(crate) fn was_issued(&self, id: TaskId) -> bool {
        (1..self.next_id).contains(&id.0)
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Sends to a client, unless it has left.
    pub(crate) fn tell_client(&mut self, client: ClientId, message: impl Into<Message<ControllerToClient>>) {
        if self.clients.contains_key(&client) {
            self.act(Action::ToClient { client, message: message.into() });
        }
    }

    /// Sends to a host, unless it has left.
    pub(crate) fn tell_host(&mut self, host: HostId, message: impl Into<Message<ControllerToHost>>) {
        if self.hosts.contains_key(&host) {
            self.act(Action::ToHost { host, message: message.into() });
        }
    }

    /// Tells every client.
    pub(crate) fn notify(&mut self, notice: Notice) {
        for &client in self.clients.keys() {
            let message = ControllerToClient::Notice(notice.clone()).into();
            self.actions.push_back(Action::ToClient { client, message });
        }
    }
}
