//! A host that plays by the book.
//!
//! It is also the book: what it does on each message is what a real host has to do, in the shortest form.

use super::{Rng, marked};
use antiphon_protocol::{
    ClientId, ControllerToHost, EngineId, EngineInfo, HostId, HostToController, Loss, LossCause, Message,
    Outcome, RequestId, StreamName, TaskId, limits::STREAM_WINDOW_BYTES,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A task that an engine began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    /// Where.
    pub engine: EngineId,
    /// Which.
    pub task: TaskId,
    /// Of what.
    pub request: Option<(ClientId, RequestId)>,
}

/// A fake host.
#[derive(Debug, Default)]
pub struct FakeHost {
    engines: BTreeMap<EngineId, FakeEngine>,
    /// Interrupts that overtook their tasks.
    early: BTreeSet<TaskId>,
    queries: Vec<TaskId>,
    /// What it has to say.
    pub outbox: VecDeque<Message<HostToController>>,
    /// Every task begun, in order.
    pub starts: Vec<Start>,
    /// Breaches of the protocol by the controller.
    pub breaches: Vec<String>,
}

/// What engines print: pieces of it are large enough to fill a window.
static OUTPUT: &[u8] = &[b'.'; 96 << 10];

#[derive(Debug)]
struct FakeEngine {
    state: State,
    window: u64,
    newest: TaskId,
    /// Ends of which the controller has not yet said that it heard.
    unseen: u32,
    last: Option<TaskId>,
}

#[derive(Debug)]
enum State {
    Starting,
    Up(VecDeque<Waiting>),
    Dead,
}

#[derive(Debug)]
struct Waiting {
    task: TaskId,
    request: Option<(ClientId, RequestId)>,
}

impl FakeHost {
    /// Hears the controller.
    pub fn hear(&mut self, message: Message<ControllerToHost>) {
        let request = marked(&message.segments);
        match message.header {
            ControllerToHost::Welcome { host, engines, n_engines } => {
                self.on_welcome(host, engines, n_engines)
            }
            ControllerToHost::Run { tasks, .. } => {
                for (task, engine) in tasks {
                    self.on_run(task, engine, request);
                }
            }
            ControllerToHost::Interrupt { tasks } => {
                for (task, engine) in tasks {
                    self.on_interrupt(task, engine);
                }
            }
            ControllerToHost::Query { query, .. } => self.queries.push(query),
            ControllerToHost::Restart { engines } => {
                for engine in engines {
                    self.on_restart(engine);
                }
            }
            ControllerToHost::Credit { engine, bytes } => match self.engines.get_mut(&engine) {
                Some(known) if known.window + bytes <= STREAM_WINDOW_BYTES => known.window += bytes,
                Some(_) => self.breaches.push(format!("too much credit for engine {engine}")),
                None => self.breaches.push(format!("credit for engine {engine}, which is not here")),
            },
            ControllerToHost::DownSeen { engine } => match self.engines.get_mut(&engine) {
                Some(known) if known.unseen > 0 => known.unseen -= 1,
                _ => self.breaches.push(format!("an end of engine {engine} was seen that never was")),
            },
            ControllerToHost::Shutdown => self.breaches.push("nobody asked for the end".into()),
        }
    }

    fn on_welcome(&mut self, _host: HostId, engines: Vec<EngineId>, n_engines: u32) {
        if !self.engines.is_empty() || (n_engines as usize) < engines.len() {
            self.breaches.push(format!("a strange welcome: {engines:?} of {n_engines}"));
        }
        let starting = || FakeEngine {
            state: State::Starting,
            window: STREAM_WINDOW_BYTES,
            newest: TaskId(0),
            unseen: 0,
            last: None,
        };
        self.engines = engines.into_iter().map(|engine| (engine, starting())).collect();
    }

    fn on_run(&mut self, task: TaskId, engine: EngineId, request: Option<(ClientId, RequestId)>) {
        let Some(known) = self.engines.get_mut(&engine) else {
            return self.breaches.push(format!("a task for engine {engine}, which is not here"));
        };
        if task <= known.newest {
            self.breaches.push(format!("engine {engine} got task {task} after {}", known.newest));
        }
        known.newest = task;
        let is_cancelled = self.early.remove(&task);
        // It was sent to a life that has ended. The controller has yet to hear that, and will count the task as lost.
        if known.unseen > 0 {
            return;
        }
        if is_cancelled {
            return self.say_lost(task, engine);
        }
        let State::Up(tasks) = &mut known.state else {
            return self.breaches.push(format!("task {task} for engine {engine}, which is not up"));
        };
        tasks.push_back(Waiting { task, request });
        if tasks.len() == 1 {
            self.starts.push(Start { engine, task, request });
        }
    }

    fn on_interrupt(&mut self, task: TaskId, engine: EngineId) {
        let Some(known) = self.engines.get_mut(&engine) else {
            return self.breaches.push(format!("an interrupt for engine {engine}, which is not here"));
        };
        if task > known.newest {
            self.early.insert(task);
            return;
        }
        let State::Up(tasks) = &mut known.state else { return };
        // The running one ends by itself; when, is for the simulation to say.
        let waiting = tasks.iter().position(|waiting| waiting.task == task).filter(|&place| place > 0);
        if let Some(place) = waiting {
            tasks.remove(place);
            self.say_lost(task, engine);
        }
    }

    fn on_restart(&mut self, engine: EngineId) {
        match self.engines.get(&engine).map(|known| &known.state) {
            // It was meant for a life that has ended.
            Some(_) if self.engines[&engine].unseen > 0 => {}
            None => self.breaches.push(format!("a restart of engine {engine}, which is not here")),
            Some(State::Dead) => {
                if let Some(known) = self.engines.get_mut(&engine) {
                    known.state = State::Starting;
                }
            }
            Some(State::Starting) => {
                self.breaches.push(format!("a restart of engine {engine}, which is starting"));
            }
            Some(State::Up(_)) => self.take_down(engine, LossCause::Restarted, true),
        }
    }

    fn say_lost(&mut self, task: TaskId, engine: EngineId) {
        let outcome = Outcome::Lost(Loss { cause: LossCause::Cancelled, started: false });
        self.outbox.push_back(HostToController::Done { task, engine, outcome, elapsed_us: 0 }.into());
    }

    fn take_down(&mut self, engine: EngineId, cause: LossCause, restarting: bool) {
        let Some(known) = self.engines.get_mut(&engine) else { return };
        known.unseen += 1;
        let next = if restarting { State::Starting } else { State::Dead };
        let running = match std::mem::replace(&mut known.state, next) {
            State::Up(tasks) => tasks.front().map(|waiting| waiting.task),
            State::Starting | State::Dead => None,
        };
        self.outbox.push_back(HostToController::EngineDown { engine, cause, running, restarting }.into());
    }

    /// Something happens on this machine. `faults`: also what nobody wants.
    pub fn happen(&mut self, rng: &mut Rng, faults: bool) {
        if let Some(query) = (!self.queries.is_empty()).then(|| self.queries.remove(0)) {
            let ok = rng.chance(90);
            return self.outbox.push_back(HostToController::Replied { query, ok }.into());
        }
        let ids: Vec<EngineId> = self.engines.keys().copied().collect();
        let Some(engine) = rng.pick(&ids) else { return };
        self.happen_to(engine, rng, faults);
    }

    /// Something happens to every engine in turn, and nothing bad.
    pub fn settle(&mut self, rng: &mut Rng) {
        let ids: Vec<EngineId> = self.engines.keys().copied().collect();
        for engine in ids {
            self.happen_to(engine, rng, false);
        }
        self.happen(rng, false);
    }

    fn happen_to(&mut self, engine: EngineId, rng: &mut Rng, faults: bool) {
        let Some(known) = self.engines.get_mut(&engine) else { return };
        if faults && rng.chance(8) && !matches!(known.state, State::Dead) {
            let causes = [LossCause::Signal(9), LossCause::Exit(3), LossCause::Bridge("torn".into())];
            let cause = rng.pick(&causes).unwrap_or(LossCause::Signal(9));
            let restarting = rng.chance(75);
            return self.take_down(engine, cause, restarting);
        }
        match &mut known.state {
            State::Starting => {
                known.state = State::Up(VecDeque::new());
                let info = EngineInfo { pid: engine.0, ..EngineInfo::default() };
                self.outbox.push_back(HostToController::EngineUp { engine, info }.into());
            }
            State::Up(_) if faults && rng.chance(40) => self.print(engine, rng),
            State::Up(_) => self.finish(engine, rng),
            State::Dead => {}
        }
    }

    fn print(&mut self, engine: EngineId, rng: &mut Rng) {
        let Some(known) = self.engines.get_mut(&engine) else { return };
        let running = match &known.state {
            State::Up(tasks) => tasks.front().map(|waiting| waiting.task),
            State::Starting | State::Dead => None,
        };
        // A pipe of a subprocess knows no task.
        let task = if rng.chance(20) { None } else { running.or(known.last) };
        let bytes = (rng.below(OUTPUT.len()) as u64).min(known.window);
        if bytes == 0 {
            return;
        }
        known.window -= bytes;
        let header = HostToController::Stream { engine, task, stream: StreamName::Stdout };
        let text = Bytes::from_static(OUTPUT).slice(..bytes as usize);
        self.outbox.push_back(Message::new(header, vec![text]));
    }

    fn finish(&mut self, engine: EngineId, rng: &mut Rng) {
        let Some(known) = self.engines.get_mut(&engine) else { return };
        let State::Up(tasks) = &mut known.state else { return };
        let Some(Waiting { task, .. }) = tasks.pop_front() else { return };
        known.last = Some(task);
        if let Some(next) = tasks.front() {
            self.starts.push(Start { engine, task: next.task, request: next.request });
        }
        let outcome = if rng.chance(80) {
            Outcome::Done { repr: false, value: false, cut: None }
        } else {
            Outcome::Raised { interrupted: false, exit: None }
        };
        self.outbox.push_back(HostToController::Done { task, engine, outcome, elapsed_us: 7 }.into());
    }

    /// What each engine may still print before it has to wait.
    pub fn windows(&self) -> impl Iterator<Item = (EngineId, u64)> {
        self.engines.iter().map(|(&engine, known)| (engine, known.window))
    }

    /// Whether it was welcomed.
    pub fn is_welcome(&self) -> bool {
        !self.engines.is_empty()
    }

    /// Whether nothing runs, waits or starts here.
    pub fn is_quiet(&self) -> bool {
        let quiet = |known: &FakeEngine| match &known.state {
            State::Up(tasks) => tasks.is_empty(),
            State::Dead => true,
            State::Starting => false,
        };
        self.queries.is_empty() && self.outbox.is_empty() && self.engines.values().all(quiet)
    }
}
