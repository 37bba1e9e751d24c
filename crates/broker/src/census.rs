//! A count of everything the broker holds, for tests and diagnosis. It changes nothing.

use crate::{broker::Broker, engines::Life, requests::Request, tasks::Place};
use antiphon_protocol::{ClientId, EngineId, HostId, RequestId, TaskId};

/// All that the broker holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    /// Tasks without an answer, by id.
    pub tasks: Vec<TaskCensus>,
    /// Engines, by id.
    pub engines: Vec<EngineCensus>,
    /// The line for whichever engine is free.
    pub farm: Vec<TaskId>,
    /// Clients: requests counted, data counted.
    pub clients: Vec<(ClientId, usize, u64)>,
    /// Data counted for all requests, those of clients that have left too.
    pub held_bytes: u64,
    /// Output that clients have not acknowledged.
    pub unread_bytes: Vec<(ClientId, EngineId, u64)>,
    /// Unfinished requests and how many answers each still owes (0 for queries and restarts).
    pub requests: Vec<(ClientId, RequestId, u64)>,
    /// Unanswered queries.
    pub queries: Vec<TaskId>,
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskCensus {
    /// Its id.
    pub task: TaskId,
    /// Whose.
    pub client: ClientId,
    /// Of what.
    pub request: RequestId,
    /// Its engine, unless it is farmed and not taken.
    pub engine: Option<EngineId>,
    /// Whether a host has it.
    pub sent: bool,
}

/// One engine.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineCensus {
    /// Its id.
    pub engine: EngineId,
    /// Its host.
    pub host: HostId,
    /// Whether it is up.
    pub up: bool,
    /// Whether its host was told to restart it and has not said that it is down.
    pub restarting: bool,
    /// Whether it will not come back by itself.
    pub dead: bool,
    /// Whether it is up with nothing to do.
    pub idle: bool,
    /// Tasks its host has, in order.
    pub sent: Vec<TaskId>,
    /// Tasks that wait for it, in order.
    pub queue: Vec<TaskId>,
    /// Unacknowledged output.
    pub under_way_bytes: u64,
}

impl Broker {
    /// Counts everything.
    pub fn census(&self) -> Census {
        let task = |(&task, known): (&TaskId, &crate::tasks::Task)| TaskCensus {
            task,
            client: known.key.client,
            request: known.key.request,
            engine: match known.place {
                Place::Farmed => None,
                Place::Queued(engine) | Place::Sent(engine) => Some(engine),
            },
            sent: matches!(known.place, Place::Sent(_)),
        };
        let owed = |request: &Request| if let Request::Work(work) = request { work.open } else { 0 };
        Census {
            tasks: self.tasks.iter().map(task).collect(),
            engines: self.engines.iter().map(engine_census).collect(),
            farm: self.farm.iter().copied().collect(),
            clients: self
                .clients
                .iter()
                .map(|(&client, known)| (client, known.requests, known.held_bytes))
                .collect(),
            held_bytes: self.held_bytes,
            unread_bytes: self
                .clients
                .iter()
                .flat_map(|(&client, known)| {
                    known.unread_bytes.iter().map(move |(&engine, &n)| (client, engine, n))
                })
                .collect(),
            requests: self
                .requests
                .iter()
                .map(|(key, request)| (key.client, key.request, owed(request)))
                .collect(),
            queries: self.queries.keys().copied().collect(),
        }
    }
}

fn engine_census((engine, known): (EngineId, &crate::engines::Engine)) -> EngineCensus {
    EngineCensus {
        engine,
        host: known.host,
        up: known.sent().is_some(),
        restarting: matches!(known.life, Life::Restarting(_)),
        dead: known.is_dead(),
        idle: known.is_idle(),
        sent: known.sent().map(|sent| sent.tasks.iter().copied().collect()).unwrap_or_default(),
        queue: known.queue.iter().copied().collect(),
        under_way_bytes: known.under_way_bytes,
    }
}
