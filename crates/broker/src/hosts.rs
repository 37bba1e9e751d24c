//! Hosts: joining, leaving, and what they say of their engines.

use crate::{
    broker::{Action, Broker},
    engines::{Awaits, Life, Sent},
    limits::MAX_ENGINES,
    tasks::{End, Runs},
};
use antiphon_protocol::{
    ControllerToHost, EngineId, EngineInfo, HostId, HostInfo, HostToController, LossCause, Message, Notice,
    Refusal, TaskId, limits::MAX_ENGINES_PER_HOST,
};

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    pub info: HostInfo,
    pub engines: Vec<EngineId>,
}

impl Broker {
    pub(crate) fn on_host_joined(&mut self, host: HostId, info: HostInfo) {
        self.on_host_left(host);
        if self.stopping {
            return self.act(Action::DropHost { host, reason: Refusal::Stopping.to_string() });
        }
        let n = info.engines as usize;
        if info.engines > MAX_ENGINES_PER_HOST || self.engines.len() + n > MAX_ENGINES {
            let reason = format!(
                "it offers {n} engines; the limit is {MAX_ENGINES_PER_HOST} a host and {MAX_ENGINES} a cluster"
            );
            return self.act(Action::DropHost { host, reason });
        }
        let engines = self.engines.add(host, n);
        let name = info.name.clone();
        self.hosts.insert(host, Host { info, engines: engines.clone() });
        let n_engines = self.engines.len() as u32;
        self.tell_host(host, ControllerToHost::Welcome { host, engines: engines.clone(), n_engines });
        self.notify(Notice::HostUp { name, engines });
    }

    /// What a host says; the error is why it is not to be listened to any more.
    pub(crate) fn on_host_message(
        &mut self,
        host: HostId,
        message: Message<HostToController>,
    ) -> Result<(), String> {
        let Message { header, segments } = message;
        match header {
            HostToController::EngineUp { engine, info } => self.on_engine_up(host, engine, info),
            HostToController::EngineDown { engine, cause, running, restarting } => {
                self.on_engine_down(host, engine, cause, running, restarting)
            }
            HostToController::Done { task, engine, outcome, elapsed_us } => {
                self.on_done(host, task, engine, End { outcome, elapsed_us, segments })
            }
            HostToController::Stream { engine, task, stream } => {
                self.on_stream(host, engine, task, stream, segments)
            }
            HostToController::Replied { query, ok } => self.on_replied(host, query, ok, segments),
        }
    }

    /// Checks that an engine is this host's to speak of.
    pub(crate) fn own_engine(&self, host: HostId, engine: EngineId) -> Result<(), String> {
        match self.engines.get(engine) {
            Some(known) if known.host == host => Ok(()),
            _ => Err(format!("it spoke of engine {engine}, which is not its own")),
        }
    }

    fn on_engine_up(&mut self, host: HostId, engine: EngineId, info: EngineInfo) -> Result<(), String> {
        self.own_engine(host, engine)?;
        let Some(known) = self.engines.get_mut(engine) else { return Ok(()) };
        if known.sent().is_some() {
            return Err(format!("it said twice that engine {engine} is up"));
        }
        known.starts = known.starts.saturating_add(1);
        known.finished = 0;
        known.info = info.clone();
        let restarts = known.starts - 1;
        let back: Vec<_> =
            known.restarts.iter().filter(|(_, awaits)| **awaits == Awaits::Up).map(|(key, _)| *key).collect();
        self.engines.set_life(engine, Life::Up(Sent::default()));
        self.notify(Notice::EngineUp { engine, info, restarts });
        for key in back {
            self.restart_ended(key, engine, true);
        }
        let mut runs = Runs::default();
        self.advance(engine, &mut runs);
        self.send_runs(runs);
        Ok(())
    }

    fn on_engine_down(
        &mut self,
        host: HostId,
        engine: EngineId,
        cause: LossCause,
        running: Option<TaskId>,
        restarting: bool,
    ) -> Result<(), String> {
        self.own_engine(host, engine)?;
        // First of all: what is sent after it is for the next life, what was sent before it never runs.
        self.tell_host(host, ControllerToHost::DownSeen { engine });
        let next = if restarting { Life::Starting } else { Life::Dead(cause.clone()) };
        let was_up = match self.engines.set_life(engine, next) {
            Some(Life::Up(sent)) => {
                self.lose_sent(engine, sent, &cause, |task| Some(task) == running);
                self.lose_queued(engine, &cause);
                true
            }
            // What waits here came after the restart was asked for: it is for the next life.
            Some(Life::Restarting(sent)) => {
                self.lose_sent(engine, sent, &cause, |task| Some(task) == running);
                true
            }
            Some(Life::Starting | Life::Dead(_)) | None => false,
        };
        self.lose_queued_on_dead(engine);
        self.fail_queries(engine, &format!("engine {engine} is gone: {cause}"));
        self.restarts_saw_down(engine, restarting, was_up);
        self.lose_farm_if_hopeless(&cause);
        self.notify(Notice::EngineDown { engine, cause, restarting });
        Ok(())
    }

    /// Answers what was with the host of an engine that is gone.
    fn lose_sent(
        &mut self,
        engine: EngineId,
        sent: Sent,
        cause: &LossCause,
        started: impl Fn(TaskId) -> bool,
    ) {
        for task in sent.tasks {
            let started = started(task);
            if started {
                self.note_last(engine, task);
            }
            self.lose(task, cause.clone(), started);
        }
    }

    /// What it had is lost, its engines' ids are free, and nobody waits for it.
    pub(crate) fn on_host_left(&mut self, host: HostId) {
        let Some(Host { info, engines }) = self.hosts.remove(&host) else { return };
        let cause = LossCause::HostLost(info.name.clone());
        for &engine in &engines {
            // Whatever the host had may have run; what was still here did not.
            if let Some(Life::Up(sent) | Life::Restarting(sent)) =
                self.engines.set_life(engine, Life::Dead(cause.clone()))
            {
                self.lose_sent(engine, sent, &cause, |_| true);
            }
            self.lose_queued(engine, &cause);
            self.fail_queries(engine, &format!("engine {engine} is gone: {cause}"));
            self.restarts_saw_down(engine, false, true);
            self.engines.remove(engine);
        }
        self.forget_unread(&engines);
        self.lose_farm_if_hopeless(&cause);
        self.notify(Notice::HostDown { name: info.name, engines });
    }

    /// A host that speaks nonsense is closed, and everything it had is lost.
    pub(crate) fn drop_host(&mut self, host: HostId, reason: String) {
        self.act(Action::DropHost { host, reason });
        self.on_host_left(host);
    }
}
