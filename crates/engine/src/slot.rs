//! One engine's place in the host: its queue, the task it runs, its window. Shared by the dispatcher, which never waits,
//! and the engine's own task.
//!
//! A task is either in the queue (it did not run) or it is the running one (its frame was given to the interpreter).
//! Exactly one task is with the interpreter at a time, so that a death or an interrupt knows whom it hits.
//!
//! What crosses the news of a death on the wire was meant for the life that ended: it is dropped here, and the broker,
//! when it hears the news, counts it as lost.

use crate::{
    life::Live,
    link::Uplink,
    output::{Output, Window},
};
use antiphon_interpreter::BridgeError;
use antiphon_protocol::{
    Ask, EngineId, HostToController, Lane, Loss, LossCause, Message, Outcome, TaskId, Work,
};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Notify;

/// Unanswered questions to one engine: an interpreter inside native code answers none, and shells ask at every key.
const MAX_QUERIES: usize = 1024;

/// Interrupts that wait for their tasks. The broker has no more than two tasks under way to an engine, and interrupts only
/// those; this leaves room for it to send further ahead.
const MAX_EARLY_INTERRUPTS: usize = 64;

/// An engine's place.
#[derive(Debug)]
pub(crate) struct Slot {
    pub engine: EngineId,
    state: Mutex<State>,
    /// The engine's task has something to look at.
    pub wake: Notify,
}

/// What dispatcher and engine share.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The interpreter, while it takes work.
    pub live: Option<Live>,
    /// Given up: why.
    pub dead: Option<String>,
    pub queue: VecDeque<Waiting>,
    pub running: Option<Running>,
    pub window: Window,
    /// Somebody wants this life to end and the next to begin.
    pub restart: bool,
    /// Ends of which the broker has not said yet that it heard. Until then, what comes was sent to a life that is over.
    unseen_downs: u32,
    /// The last task that arrived: ids rise, so an interrupt of a higher one has overtaken its task.
    newest: Option<TaskId>,
    /// Tasks that were interrupted before they arrived.
    early: BTreeSet<TaskId>,
}

/// A task that has not started.
#[derive(Debug)]
pub(crate) struct Waiting {
    task: TaskId,
    work: Work,
    segments: Vec<Bytes>,
}

/// The task the interpreter has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub task: TaskId,
    pub since: Instant,
}

impl Slot {
    pub(crate) fn new(engine: EngineId) -> Slot {
        Slot { engine, state: Mutex::default(), wake: Notify::new() }
    }

    /// Never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task arrives: it runs at once if the engine is idle.
    pub(crate) fn on_run(&self, task: TaskId, work: Work, segments: Vec<Bytes>, uplink: &impl Uplink) {
        let mut state = self.lock();
        state.newest = state.newest.max(Some(task));
        let is_cancelled = state.early.remove(&task);
        if state.unseen_downs > 0 {
            tracing::debug!(engine = %self.engine, %task, "a task came too late for the life it was sent to");
            return;
        }
        if is_cancelled {
            return uplink.send_now(Lane::Ordinary, self.lost(task, LossCause::Cancelled, false));
        }
        if let Some(reason) = &state.dead {
            let cause = LossCause::NotStarted(reason.clone());
            return uplink.send_now(Lane::Ordinary, self.lost(task, cause, false));
        }
        state.queue.push_back(Waiting { task, work, segments });
        self.advance(&mut state, uplink);
    }

    /// Gives the interpreter its next task, if it has none.
    pub(crate) fn advance(&self, state: &mut State, uplink: &impl Uplink) {
        while let (Some(live), None) = (&mut state.live, &state.running) {
            let Some(Waiting { task, work, segments }) = state.queue.pop_front() else { return };
            match live.work.send(task.0, &work, &segments) {
                Ok(is_written) => {
                    state.running = Some(Running { task, since: Instant::now() });
                    state.window.on_start();
                    if !is_written {
                        self.wake.notify_one();
                    }
                }
                Err(BridgeError::Frame(error)) => {
                    let cause = LossCause::Bridge(error.to_string());
                    uplink.send_now(Lane::Ordinary, self.lost(task, cause, false));
                }
                // Its end is near and will be seen; the task did not start.
                Err(error) => {
                    tracing::debug!(engine = %self.engine, %error, "a task could not be given to its engine");
                    state.queue.push_front(Waiting { task, work, segments });
                    return;
                }
            }
        }
    }

    /// Interrupts a task that runs; drops one that waits; remembers one that is still on its way.
    pub(crate) fn on_interrupt(&self, task: TaskId, uplink: &impl Uplink) {
        let mut state = self.lock();
        if Some(task) > state.newest {
            if state.early.len() < MAX_EARLY_INTERRUPTS {
                state.early.insert(task);
            } else {
                tracing::warn!(engine = %self.engine, %task, "too many interrupts wait for their tasks");
            }
        } else if state.running.is_some_and(|running| running.task == task) {
            state.window.on_interrupt();
            if let Some(live) = &mut state.live
                && let Err(error) = live.ask.interrupt(task.0)
            {
                tracing::debug!(engine = %self.engine, %error, "an interrupt could not be sent");
            }
            self.wake.notify_one();
        } else if let Some(at) = state.queue.iter().position(|waiting| waiting.task == task) {
            state.queue.remove(at);
            uplink.send_now(Lane::Ordinary, self.lost(task, LossCause::Cancelled, false));
        }
    }

    /// Asks the interpreter; its side thread answers while it is busy.
    pub(crate) fn on_query(&self, query: TaskId, ask: Ask, json: &Bytes, uplink: &impl Uplink) {
        let mut state = self.lock();
        let refused = match &mut state.live {
            None => Some(format!("engine {} is not up", self.engine)),
            Some(live) if live.queries.len() >= MAX_QUERIES => {
                Some(format!("engine {} has {MAX_QUERIES} questions to answer already", self.engine))
            }
            Some(live) => match live.ask.ask(query.0, ask, json) {
                Ok(is_written) => {
                    live.queries.push(query);
                    if !is_written {
                        self.wake.notify_one();
                    }
                    None
                }
                Err(error) => Some(format!("engine {} cannot be asked: {error}", self.engine)),
            },
        };
        if let Some(reason) = refused {
            uplink.send_now(Lane::Urgent, replied(query, Err(reason)));
        }
    }

    /// The interpreter answered.
    pub(crate) fn on_answer(&self, query: TaskId, answer: Result<Bytes, String>, uplink: &impl Uplink) {
        let mut state = self.lock();
        let Some(live) = &mut state.live else { return };
        if let Some(at) = live.queries.iter().position(|waiting| *waiting == query) {
            live.queries.swap_remove(at);
            uplink.send_now(Lane::Urgent, replied(query, answer));
        }
    }

    /// The engine may print more.
    pub(crate) fn on_credit(&self, bytes: u64) {
        self.lock().window.on_credit(bytes);
        self.wake.notify_one();
    }

    /// The broker has heard of one end more: what it sends from now on it sends knowing of it.
    pub(crate) fn on_down_seen(&self) {
        let mut state = self.lock();
        match state.unseen_downs.checked_sub(1) {
            Some(left) => state.unseen_downs = left,
            None => tracing::warn!(engine = %self.engine, "the controller saw an end that never was"),
        }
    }

    /// Kill it and start it again, unless the life that was meant is over: then the next one is what is asked for.
    pub(crate) fn on_restart(&self) {
        let mut state = self.lock();
        if state.unseen_downs > 0 {
            return;
        }
        state.restart = true;
        if let Some(live) = &state.live {
            live.kill();
        }
        self.wake.notify_one();
    }

    /// The interpreter is gone: it takes no more work. What waited is dropped: the broker counts it as lost when it hears
    /// of the end, which has to be told after every call of this. What it finished before may still be on its way, so the
    /// running task stays.
    pub(crate) fn on_end(&self, cause: &LossCause, uplink: &impl Uplink) {
        let mut state = self.lock();
        state.queue.clear();
        state.early.clear();
        state.unseen_downs += 1;
        if let Some(live) = state.live.take() {
            for query in live.queries {
                let reason = format!("engine {} is gone: {cause}", self.engine);
                uplink.send_now(Lane::Urgent, replied(query, Err(reason)));
            }
        }
    }

    /// A task ended: what it printed is passed on before it, and the next one starts.
    pub(crate) fn on_result(
        &self,
        task: TaskId,
        outcome: Outcome,
        segments: Vec<Bytes>,
        output: &mut Output,
        uplink: &impl Uplink,
    ) {
        let mut state = self.lock();
        let Some(running) = state.running.take_if(|running| running.task == task) else {
            tracing::warn!(engine = %self.engine, %task, "a result for a task that does not run");
            return;
        };
        let elapsed_us = running.since.elapsed().as_micros() as u64;
        let done = HostToController::Done { task, engine: self.engine, outcome, elapsed_us };
        output.push_done(Message::new(done, segments), state.window.on_finish());
        self.advance(&mut state, uplink);
    }

    fn lost(&self, task: TaskId, cause: LossCause, started: bool) -> Message<HostToController> {
        let outcome = Outcome::Lost(Loss { cause, started });
        HostToController::Done { task, engine: self.engine, outcome, elapsed_us: 0 }.into()
    }
}

fn replied(query: TaskId, answer: Result<Bytes, String>) -> Message<HostToController> {
    let (ok, segment) = match answer {
        Ok(json) => (true, json),
        Err(reason) => (false, reason.into()),
    };
    Message::new(HostToController::Replied { query, ok }, vec![segment])
}
