//! Tasks: from waiting over sent to answered. Every change of a task's place is in this file.

use crate::{
    broker::Broker,
    engines::Life,
    requests::{Request, RequestKey},
};
use antiphon_protocol::{
    ControllerToClient, ControllerToHost, EngineId, HostId, Loss, LossCause, Message, Outcome, TaskId,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// One unit of work for one engine.
#[derive(Debug)]
pub(crate) struct Task {
    pub key: RequestKey,
    /// Its place in the list of answers.
    pub position: u32,
    pub place: Place,
}

/// Where a task is. A task that is answered is nowhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// In the line for whichever engine is free.
    Farmed,
    /// In an engine's line.
    Queued(EngineId),
    /// With the engine's host.
    Sent(EngineId),
}

/// Tasks to be sent, gathered so that those of one request for one host go in one message. Sorted by the first task of
/// the request, so that an engine gets its tasks in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct Runs(BTreeMap<(HostId, TaskId), Run>);

/// The tasks of one message, and the request they are of.
type Run = (RequestKey, Vec<(TaskId, EngineId)>);

impl Broker {
    /// Takes tasks from an engine's queue while there is room, then from the farm if it has nothing.
    pub(crate) fn advance(&mut self, engine: EngineId, runs: &mut Runs) {
        loop {
            let Some(known) = self.engines.get_mut(engine) else { return };
            if !known.has_room() {
                break;
            }
            let next = match known.queue.pop_first() {
                Some(task) => task,
                None if known.is_idle() => match self.take_farmed() {
                    Some(task) => task,
                    None => break,
                },
                None => break,
            };
            self.mark_sent(next, engine, runs);
        }
        self.engines.note_idle(engine);
    }

    /// Takes the farmed task that came first. It gets a new id, so that ids grow in the order in which an engine gets its
    /// tasks: a host can tell an interrupt that overtook its task from one that came too late.
    fn take_farmed(&mut self) -> Option<TaskId> {
        let waited = self.farm.pop_first()?;
        let task = self.tasks.remove(&waited)?;
        let key = task.key;
        let id = self.fresh_id();
        self.tasks.insert(id, task);
        if let Some(Request::Work(work)) = self.requests.get_mut(&key) {
            work.first = id;
        }
        Some(id)
    }

    /// Gives farmed tasks to idle engines while there are both.
    pub(crate) fn farm_out(&mut self) {
        let mut runs = Runs::default();
        while !self.farm.is_empty() {
            let Some(engine) = self.engines.first_idle() else { break };
            let before = self.farm.len();
            self.advance(engine, &mut runs);
            if self.farm.len() == before {
                break;
            }
        }
        self.send_runs(runs);
    }

    fn mark_sent(&mut self, task: TaskId, engine: EngineId, runs: &mut Runs) {
        let now_ms = self.now_ms;
        let Some(known) = self.engines.get_mut(engine) else { return };
        let host = known.host;
        if let Some(sent) = known.sent_mut() {
            sent.push(task, now_ms);
        }
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        entry.place = Place::Sent(engine);
        let key = entry.key;
        let Some(Request::Work(work)) = self.requests.get(&key) else { return };
        runs.0.entry((host, work.first)).or_insert_with(|| (key, Vec::new())).1.push((task, engine));
    }

    pub(crate) fn send_runs(&mut self, runs: Runs) {
        for ((host, _), (key, tasks)) in runs.0 {
            let Some(Request::Work(request)) = self.requests.get_mut(&key) else { continue };
            request.unsent = request.unsent.saturating_sub(tasks.len() as u64);
            let work = request.work;
            let segments = if request.unsent == 0 {
                std::mem::take(&mut request.segments)
            } else {
                request.segments.clone()
            };
            self.tell_host(host, Message::new(ControllerToHost::Run { tasks, work }, segments));
        }
    }

    /// A host says that a task ended.
    pub(crate) fn on_done(
        &mut self,
        host: HostId,
        task: TaskId,
        engine: EngineId,
        end: End,
    ) -> Result<(), String> {
        self.own_engine(host, engine)?;
        let Some(known) = self.tasks.get(&task) else {
            // It may have been counted as lost while its answer was on the way.
            return if self.was_issued(task) {
                Ok(())
            } else {
                Err(format!("it answered task {task}, which never was"))
            };
        };
        if known.place != Place::Sent(engine) {
            return Err(format!("it answered task {task} for engine {engine}, which does not have it"));
        }
        let key = known.key;
        let now_ms = self.now_ms;
        if let Some(known) = self.engines.get_mut(engine) {
            known.finished += 1;
            let was_running = known.running() == Some(task);
            if was_running || known.last.is_none() {
                known.last = Some((task, key));
            }
            if let Some(sent) = known.sent_mut() {
                sent.remove(task, now_ms);
            }
        }
        self.answer(task, engine, end);
        let mut runs = Runs::default();
        self.advance(engine, &mut runs);
        self.send_runs(runs);
        Ok(())
    }

    /// Ends a task that is in no queue any more: its client hears of it, and its request is one answer nearer its end.
    fn answer(&mut self, task: TaskId, engine: EngineId, end: End) {
        let Some(Task { key, position, place }) = self.tasks.remove(&task) else { return };
        let Some(Request::Work(request)) = self.requests.get_mut(&key) else { return };
        request.open = request.open.saturating_sub(1);
        if !matches!(place, Place::Sent(_)) {
            request.unsent = request.unsent.saturating_sub(1);
            if request.unsent == 0 {
                request.segments = Vec::new();
            }
        }
        let finished = request.open == 0;
        let End { outcome, elapsed_us, segments } = end;
        let header =
            ControllerToClient::Answer { request: key.request, position, engine, outcome, elapsed_us };
        self.tell_client(key.client, Message::new(header, segments));
        if finished {
            self.close(key);
        }
    }

    /// Answers a task, wherever it waits, that it is lost.
    pub(crate) fn lose(&mut self, task: TaskId, cause: LossCause, started: bool) {
        let Some(known) = self.tasks.get(&task) else { return };
        let engine = match known.place {
            Place::Farmed => {
                self.farm.remove(&task);
                EngineId::NONE
            }
            Place::Queued(engine) => {
                if let Some(known) = self.engines.get_mut(engine) {
                    known.queue.remove(&task);
                }
                engine
            }
            Place::Sent(engine) => {
                let now_ms = self.now_ms;
                if let Some(sent) = self.engines.get_mut(engine).and_then(|known| known.sent_mut()) {
                    sent.remove(task, now_ms);
                }
                engine
            }
        };
        self.answer(task, engine, End::lost(cause, started));
    }

    /// Answers everything that waits for an engine that will not come back.
    pub(crate) fn lose_queued_on_dead(&mut self, engine: EngineId) {
        let Some(known) = self.engines.get_mut(engine) else { return };
        let Life::Dead(cause) = &known.life else { return };
        let cause = cause.clone();
        self.lose_queued(engine, &cause);
    }

    pub(crate) fn lose_queued(&mut self, engine: EngineId, cause: &LossCause) {
        let Some(known) = self.engines.get_mut(engine) else { return };
        for task in std::mem::take(&mut known.queue) {
            self.lose(task, cause.clone(), false);
        }
    }

    /// Farmed tasks are lost when nobody is left, or to come, who could take them.
    pub(crate) fn lose_farm_if_hopeless(&mut self, cause: &LossCause) {
        if self.engines.any_alive() {
            return;
        }
        for task in std::mem::take(&mut self.farm) {
            self.lose(task, cause.clone(), false);
        }
    }
}

/// How a task ended.
#[derive(Debug)]
pub(crate) struct End {
    pub outcome: Outcome,
    pub elapsed_us: u64,
    pub segments: Vec<Bytes>,
}

impl End {
    fn lost(cause: LossCause, started: bool) -> End {
        End { outcome: Outcome::Lost(Loss { cause, started }), elapsed_us: 0, segments: Vec::new() }
    }
}
