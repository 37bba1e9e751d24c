//! Engines: where each is in its life, and what it has to do.

use crate::{limits::TASKS_AHEAD, requests::RequestKey};
use antiphon_protocol::{EngineId, EngineInfo, HostId, LossCause, TaskId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One engine.
#[derive(Debug)]
pub(crate) struct Engine {
    pub host: HostId,
    pub life: Life,
    /// Tasks that wait here for their turn: ids grow, so their order is the order of arrival.
    pub queue: BTreeSet<TaskId>,
    /// Questions it has not answered.
    pub queries: BTreeSet<TaskId>,
    /// Restarts that wait for it.
    pub restarts: BTreeMap<RequestKey, Awaits>,
    /// The task that ended last: output that comes late belongs to it.
    pub last: Option<(TaskId, RequestKey)>,
    /// Output sent to clients and not acknowledged.
    pub under_way_bytes: u64,
    pub finished: u64,
    /// Times it came up.
    pub starts: u32,
    pub info: EngineInfo,
}

/// Where an engine is in its life.
#[derive(Debug)]
pub(crate) enum Life {
    /// Its process is being started; tasks wait in the queue.
    Starting,
    /// It answers.
    Up(Sent),
    /// Its host was told to restart it and has not said that it is down. It gets no more tasks in this life.
    Restarting(Sent),
    /// It is gone and its host does not start it again.
    Dead(LossCause),
}

/// Tasks under way to an engine, in order; the first is the one that runs.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub tasks: VecDeque<TaskId>,
    /// Since when the first one has been the first.
    pub since_ms: u64,
}

/// What a restart waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Awaits {
    /// The end of the life in which it was asked for, then the next.
    Down,
    /// The next life.
    Up,
}

impl Engine {
    pub fn starting(host: HostId) -> Engine {
        Engine {
            host,
            life: Life::Starting,
            queue: BTreeSet::new(),
            queries: BTreeSet::new(),
            restarts: BTreeMap::new(),
            last: None,
            under_way_bytes: 0,
            finished: 0,
            starts: 0,
            info: EngineInfo::default(),
        }
    }

    /// Tasks its host has.
    pub fn sent(&self) -> Option<&Sent> {
        match &self.life {
            Life::Up(sent) | Life::Restarting(sent) => Some(sent),
            Life::Starting | Life::Dead(_) => None,
        }
    }

    pub fn sent_mut(&mut self) -> Option<&mut Sent> {
        match &mut self.life {
            Life::Up(sent) | Life::Restarting(sent) => Some(sent),
            Life::Starting | Life::Dead(_) => None,
        }
    }

    /// The task it is working on, as far as the broker knows.
    pub fn running(&self) -> Option<TaskId> {
        self.sent()?.tasks.front().copied()
    }

    /// Whether another task may be sent.
    pub fn has_room(&self) -> bool {
        matches!(&self.life, Life::Up(sent) if sent.tasks.len() < TASKS_AHEAD)
    }

    /// Whether it is up with nothing to do.
    pub fn is_idle(&self) -> bool {
        matches!(&self.life, Life::Up(sent) if sent.tasks.is_empty())
    }

    pub fn is_dead(&self) -> bool {
        matches!(self.life, Life::Dead(_))
    }
}

impl Sent {
    /// Takes a task out, wherever it is: a host may cancel the second while the first runs.
    pub fn remove(&mut self, task: TaskId, now_ms: u64) -> bool {
        let Some(place) = self.tasks.iter().position(|&sent| sent == task) else { return false };
        self.tasks.remove(place);
        if place == 0 {
            self.since_ms = now_ms;
        }
        true
    }

    pub fn push(&mut self, task: TaskId, now_ms: u64) {
        if self.tasks.is_empty() {
            self.since_ms = now_ms;
        }
        self.tasks.push_back(task);
    }
}

/// The cluster's engines by id; the places of lost ones are free for the next host.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    places: Vec<Option<Engine>>,
    /// Engines up with nothing to do: the first takes what is farmed.
    idle: BTreeSet<EngineId>,
    present: usize,
    alive: usize,
}

impl Engines {
    pub fn get(&self, engine: EngineId) -> Option<&Engine> {
        self.places.get(engine.0 as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, engine: EngineId) -> Option<&mut Engine> {
        self.places.get_mut(engine.0 as usize)?.as_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = (EngineId, &Engine)> {
        let numbered = |(place, engine): (usize, _)| (EngineId(place as u32), engine);
        self.places
            .iter()
            .enumerate()
            .map(numbered)
            .filter_map(|(id, engine)| Some((id, Option::as_ref(engine)?)))
    }

    /// How many there are, dead ones included.
    pub fn len(&self) -> usize {
        self.present
    }

    /// Whether one is up or may come up.
    pub fn any_alive(&self) -> bool {
        self.alive > 0
    }

    pub fn first_idle(&self) -> Option<EngineId> {
        self.idle.first().copied()
    }

    /// Adds `n` engines of a host under the lowest free ids.
    pub fn add(&mut self, host: HostId, n: usize) -> Vec<EngineId> {
        let free: Vec<usize> =
            (0..).filter(|&place| self.places.get(place).is_none_or(Option::is_none)).take(n).collect();
        for &place in &free {
            if place >= self.places.len() {
                self.places.resize_with(place + 1, || None);
            }
            self.places[place] = Some(Engine::starting(host));
        }
        self.present += n;
        self.alive += n;
        free.into_iter().map(|place| EngineId(place as u32)).collect()
    }

    pub fn remove(&mut self, engine: EngineId) -> Option<Engine> {
        let taken = self.places.get_mut(engine.0 as usize)?.take()?;
        self.idle.remove(&engine);
        self.present -= 1;
        if !taken.is_dead() {
            self.alive -= 1;
        }
        Some(taken)
    }

    /// Moves an engine on in its life; returns what it was.
    pub fn set_life(&mut self, engine: EngineId, life: Life) -> Option<Life> {
        let known = self.get_mut(engine)?;
        let was_dead = known.is_dead();
        let old = std::mem::replace(&mut known.life, life);
        let is_dead = known.is_dead();
        match (was_dead, is_dead) {
            (false, true) => self.alive -= 1,
            (true, false) => self.alive += 1,
            _ => {}
        }
        self.note_idle(engine);
        Some(old)
    }

    /// Keeps the list of idle engines right; to be called whenever the sent tasks of an engine changed.
    pub fn note_idle(&mut self, engine: EngineId) {
        if self.get(engine).is_some_and(Engine::is_idle) {
            self.idle.insert(engine);
        } else {
            self.idle.remove(&engine);
        }
    }
}
