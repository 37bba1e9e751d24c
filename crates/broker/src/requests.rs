//! Requests: what a client asked, until it is answered.

use crate::{
    broker::Broker,
    limits::{
        MAX_BYTES_HELD, MAX_BYTES_PER_CLIENT, MAX_REQUESTS_PER_CLIENT, MAX_TASKS_FARMED,
        MAX_TASKS_QUEUED_PER_ENGINE,
    },
    restarts::Restart,
    tasks::{Place, Runs, Task},
};
use antiphon_protocol::{
    ClientId, ControllerToClient, EngineId, OnLeave, Refusal, RequestId, Target, TargetError, TaskId, Work,
    target::Candidate,
};
use bytes::Bytes;

/// A client's name for a request is unique only with the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestKey {
    pub client: ClientId,
    pub request: RequestId,
}

/// An unfinished request.
#[derive(Debug)]
pub(crate) enum Request {
    /// Work for engines.
    Work(WorkRequest),
    /// A question, under the broker's name for it.
    Query(TaskId),
    /// Engines that have to come back.
    Restart(Restart),
}

/// Work for engines: the tasks `first..first + n`, in target order. A farmed one is a single task.
#[derive(Debug)]
pub(crate) struct WorkRequest {
    pub work: Work,
    /// User data; let go when the last task has been sent.
    pub segments: Vec<Bytes>,
    /// What the client is charged for it.
    pub data_bytes: u64,
    pub on_leave: OnLeave,
    pub first: TaskId,
    pub n: u64,
    /// Tasks without an answer.
    pub open: u64,
    /// Tasks that no host has.
    pub unsent: u64,
}

impl Broker {
    pub(crate) fn on_submit(
        &mut self,
        key: RequestKey,
        target: &Target,
        work: Work,
        on_leave: OnLeave,
        segments: Vec<Bytes>,
    ) {
        let data_bytes = segments.iter().map(|segment| segment.len() as u64).sum();
        let engines = match self.admit_work(key, target, work, data_bytes) {
            Ok(engines) => engines,
            Err(refusal) => return self.refuse(key, refusal),
        };
        let farmed = engines.is_none();
        let engines = engines.unwrap_or_default();
        let n = if farmed { 1 } else { engines.len() as u64 };
        let first = self.fresh_ids(n);
        let request = WorkRequest { work, segments, data_bytes, on_leave, first, n, open: n, unsent: n };
        self.requests.insert(key, Request::Work(request));
        self.charge(key.client, data_bytes);
        self.tell_client(
            key.client,
            ControllerToClient::Accepted { request: key.request, engines: engines.clone() },
        );
        if farmed {
            self.tasks.insert(first, Task { key, position: 0, place: Place::Farmed });
            self.farm.insert(first);
            self.farm_out();
        } else {
            self.queue_tasks(key, first, &engines);
        }
    }

    /// Puts one task into every engine's queue and sends what has room.
    fn queue_tasks(&mut self, key: RequestKey, first: TaskId, engines: &[EngineId]) {
        let mut runs = Runs::default();
        let mut dead = Vec::new();
        for (position, &engine) in engines.iter().enumerate() {
            let task = TaskId(first.0 + position as u64);
            self.tasks.insert(task, Task { key, position: position as u32, place: Place::Queued(engine) });
            let Some(known) = self.engines.get_mut(engine) else { continue };
            known.queue.insert(task);
            if known.is_dead() {
                dead.push(engine);
            } else {
                self.advance(engine, &mut runs);
            }
        }
        self.send_runs(runs);
        for engine in dead {
            self.lose_queued_on_dead(engine);
        }
    }

    /// What every request has to pass.
    pub(crate) fn admit(&self, key: RequestKey) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        if self.requests.contains_key(&key) {
            let what =
                format!("request {} is still in use: its number cannot be used again yet", key.request);
            return Err(Refusal::Invalid(what));
        }
        Ok(())
    }

    /// What every request has to pass that stays for a while.
    pub(crate) fn admit_lasting(&self, key: RequestKey) -> Result<(), Refusal> {
        self.admit(key)?;
        if self.clients.get(&key.client).is_some_and(|client| client.requests >= MAX_REQUESTS_PER_CLIENT) {
            return Err(full("this client's list of unfinished requests", MAX_REQUESTS_PER_CLIENT as u64));
        }
        Ok(())
    }

    /// The engines that are to work, or none if the work is farmed.
    fn admit_work(
        &self,
        key: RequestKey,
        target: &Target,
        work: Work,
        data_bytes: u64,
    ) -> Result<Option<Vec<EngineId>>, Refusal> {
        self.admit_lasting(key)?;
        if work == Work::Bind {
            return Err(Refusal::Invalid("bind is for the client's own interpreter, not for engines".into()));
        }
        let held = self.clients.get(&key.client).map_or(0, |client| client.held_bytes);
        if held.saturating_add(data_bytes) > MAX_BYTES_PER_CLIENT {
            return Err(full(
                "the data of this client's unfinished requests, in bytes,",
                MAX_BYTES_PER_CLIENT,
            ));
        }
        if self.held_bytes.saturating_add(data_bytes) > MAX_BYTES_HELD {
            return Err(full("the data of all unfinished requests, in bytes,", MAX_BYTES_HELD));
        }
        if target.is_any() {
            self.admit_farmed()?;
            return Ok(None);
        }
        let engines = self.resolve(target)?;
        for &engine in &engines {
            if self.engines.get(engine).is_some_and(|known| known.queue.len() >= MAX_TASKS_QUEUED_PER_ENGINE)
            {
                return Err(full(
                    &format!("the queue of engine {engine}"),
                    MAX_TASKS_QUEUED_PER_ENGINE as u64,
                ));
            }
        }
        Ok(Some(engines))
    }

    fn admit_farmed(&self) -> Result<(), Refusal> {
        if self.engines.len() == 0 {
            self.resolve(&Target::all())?;
        }
        if !self.engines.any_alive() {
            return Err(Refusal::Target {
                message: "every engine of this cluster is dead".into(),
                hint: Some("bring them back with %restart".into()),
            });
        }
        if self.farm.len() >= MAX_TASKS_FARMED {
            return Err(full("the queue for any engine", MAX_TASKS_FARMED as u64));
        }
        Ok(())
    }

    /// A target's engines among those of now.
    pub(crate) fn resolve(&self, target: &Target) -> Result<Vec<EngineId>, Refusal> {
        let candidates: Vec<Candidate<'_>> = self
            .engines
            .iter()
            .filter_map(|(id, engine)| {
                let info = &self.hosts.get(&engine.host)?.info;
                let idle = engine.is_idle();
                Some(Candidate { engine: id, host: &info.name, labels: &info.labels, idle })
            })
            .collect();
        target.resolve(&candidates).map_err(|TargetError { message, hint }| Refusal::Target { message, hint })
    }

    pub(crate) fn refuse(&mut self, key: RequestKey, refusal: Refusal) {
        self.tell_client(key.client, ControllerToClient::Refused { request: key.request, refusal });
    }

    /// Counts one more unfinished request and its data.
    pub(crate) fn charge(&mut self, client: ClientId, data_bytes: u64) {
        self.held_bytes += data_bytes;
        if let Some(client) = self.clients.get_mut(&client) {
            client.requests += 1;
            client.held_bytes += data_bytes;
        }
    }

    /// Forgets a finished request and what it was charged for.
    pub(crate) fn close(&mut self, key: RequestKey) {
        let Some(request) = self.requests.remove(&key) else { return };
        let data_bytes = match &request {
            Request::Work(work) => work.data_bytes,
            Request::Query(_) | Request::Restart(_) => 0,
        };
        self.held_bytes = self.held_bytes.saturating_sub(data_bytes);
        if let Some(client) = self.clients.get_mut(&key.client) {
            client.requests = client.requests.saturating_sub(1);
            client.held_bytes = client.held_bytes.saturating_sub(data_bytes);
        }
    }
}

fn full(queue: &str, limit: u64) -> Refusal {
    Refusal::Full { queue: queue.to_owned(), limit }
}
