//! Which engines: `%target`, `%engines`, `%status`, `%autopx`, `%interrupt`, `%restart`.

use crate::shell::{
    Cluster, Evaluator, Event, Local, Sink, Status,
    aim::Aim,
    evaluator::{refuse, refuse_target},
    table::Table,
};
use antiphon_protocol::{
    ClusterStatus, EngineId, EngineState, EngineStatus, Interruption,
    target::{Candidate, compact},
};

impl<C: Cluster, L: Local> Evaluator<C, L> {
    pub(super) async fn magic_target(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        let aim = match self.aim_of(args, &self.aim, sink) {
            Ok(aim) => aim,
            Err(status) => return status,
        };
        let text = match self.describe(&aim, sink).await {
            Ok(text) => text,
            Err(status) => return status,
        };
        if args.is_empty() {
            sink.on_event(Event::Text(text));
            return Status::Done;
        }
        if let Err(error) = self.set_target(args) {
            return refuse_target(&error, sink);
        }
        if self.options.interactive {
            sink.on_event(Event::Info(format!("target: {text}")));
        }
        Status::Done
    }

    /// A target and the engines it means now.
    async fn describe(&self, aim: &Aim, sink: &mut dyn Sink) -> Result<String, Status> {
        if aim.is_local() {
            return Ok("local (the shell's own interpreter)".to_owned());
        }
        if aim.target.is_any() {
            return Ok("any (whichever engine is free)".to_owned());
        }
        let engines = self.meant(aim, sink).await?;
        let count = match engines.len() {
            1 => "1 engine".to_owned(),
            n => format!("{n} engines"),
        };
        let ids = compact(engines);
        if ids == aim.text {
            Ok(format!("{ids} ({count})"))
        } else {
            Ok(format!("{} ({count}: {ids})", aim.text))
        }
    }

    /// The engines a target means now, sorted.
    pub(super) async fn meant(&self, aim: &Aim, sink: &mut dyn Sink) -> Result<Vec<EngineId>, Status> {
        let status = self.unless_pressed(self.cluster.status(), sink).await?;
        let target = aim.resolved(&self.failed).map_err(|error| refuse_target(&error, sink))?;
        let alive = status.engines.iter().filter(|engine| engine.state != EngineState::Dead);
        let candidates: Vec<Candidate<'_>> = alive
            .map(|engine| Candidate {
                engine: engine.engine,
                host: &engine.host_name,
                labels: &engine.labels,
                idle: engine.state == EngineState::Idle,
            })
            .collect();
        let mut engines = target.resolve(&candidates).map_err(|error| refuse_target(&error, sink))?;
        engines.sort_unstable();
        Ok(engines)
    }

    /// `%engines [-l]`
    pub(super) async fn magic_engines(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        if !matches!(args, "" | "-l") {
            return refuse("%engines takes nothing but -l", None, sink);
        }
        match self.unless_pressed(self.cluster.status(), sink).await {
            Ok(status) => {
                let is_long = status.engines.len() >= FOLD_FROM;
                let fold = self.options.interactive && args.is_empty() && is_long;
                let table = if fold { folded_table } else { engines_table };
                sink.on_event(Event::Text(table(&status.engines)));
                Status::Done
            }
            Err(status) => status,
        }
    }

    pub(super) async fn magic_status(&mut self, sink: &mut dyn Sink) -> Status {
        match self.unless_pressed(self.cluster.status(), sink).await {
            Ok(status) => {
                sink.on_event(Event::Text(status_text(&status)));
                Status::Done
            }
            Err(status) => status,
        }
    }

    /// Plain lines already go to the target; this sends them to the local interpreter, and back.
    pub(super) fn magic_autopx(&mut self, sink: &mut dyn Sink) -> Status {
        let text = if self.aim.is_local() { self.engines_aim.text.clone() } else { "local".to_owned() };
        if let Err(error) = self.set_target(&text) {
            return refuse_target(&error, sink);
        }
        let whither = if self.aim.is_local() {
            "the local interpreter".to_owned()
        } else {
            format!("the engines ({text})")
        };
        sink.on_event(Event::Info(format!("plain lines now go to {whither}")));
        Status::Done
    }

    pub(super) async fn magic_interrupt(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let aim = match self.aim_of(args, aim, sink) {
            Ok(aim) => aim,
            Err(status) => return status,
        };
        if aim.is_local() {
            self.local.interrupt();
            return Status::Done;
        }
        let target = match aim.resolved(&self.failed) {
            Ok(target) => target,
            Err(error) => return refuse_target(&error, sink),
        };
        match self.unless_pressed(self.cluster.interrupt(Interruption::Engines(target)), sink).await {
            Ok(reached) => {
                let what = if reached == 1 { "statement" } else { "statements" };
                sink.on_event(Event::Info(format!("{reached} {what} interrupted")));
                Status::Done
            }
            Err(status) => status,
        }
    }

    pub(super) async fn magic_restart(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let aim = match self.aim_of(args, aim, sink) {
            Ok(aim) => aim,
            Err(status) => return status,
        };
        if aim.is_local() {
            self.local.discard();
            sink.on_event(Event::Info("the local interpreter is new, with an empty namespace".to_owned()));
            return Status::Done;
        }
        if aim.target.is_any() {
            return refuse("any is no engine that could be restarted", Some("name it: %restart 3"), sink);
        }
        let target = match aim.resolved(&self.failed) {
            Ok(target) => target,
            Err(error) => return refuse_target(&error, sink),
        };
        match self.unless_pressed(self.cluster.restart(&target), sink).await {
            Ok(reached) => {
                self.news.on_restart();
                let what = if reached == 1 { "engine" } else { "engines" };
                sink.on_event(Event::Info(format!("{reached} {what} restarted, with empty namespaces")));
                Status::Done
            }
            Err(status) => status,
        }
    }
}

fn state_text(engine: &EngineStatus) -> String {
    match (engine.state, engine.busy_ms) {
        (EngineState::Starting, _) => "starting".to_owned(),
        (EngineState::Idle, _) => "idle".to_owned(),
        (EngineState::Busy, Some(ms)) => format!("busy {:.1} s", ms as f64 / 1e3),
        (EngineState::Busy, None) => "busy".to_owned(),
        (EngineState::Dead, _) => "dead".to_owned(),
    }
}

/// From this many engines on a person is shown equal ones on one line: more would not fit beside what was asked before.
const FOLD_FROM: usize = 17;

/// The engines, those in one line that differ in their process only.
fn folded_table(engines: &[EngineStatus]) -> String {
    let mut groups: Vec<([String; 6], Vec<EngineId>)> = Vec::new();
    for engine in engines {
        let row = [
            engine.host_name.clone(),
            state_text(&EngineStatus { busy_ms: None, ..engine.clone() }),
            format!("{} {}", engine.info.implementation, engine.info.version),
            engine.finished.to_string(),
            engine.restarts.to_string(),
            engine.labels.join(","),
        ];
        match groups.iter_mut().find(|(known, _)| *known == row) {
            Some((_, ids)) => ids.push(engine.engine),
            None => groups.push((row, vec![engine.engine])),
        }
    }
    let mut table = Table::new(["engines", "count", "host", "state", "python", "done", "restarts", "labels"]);
    for ([host, state, python, done, restarts, labels], ids) in groups {
        let count = ids.len().to_string();
        table.row([compact(ids), count, host, state, python, done, restarts, labels]);
    }
    format!("{}\n%engines -l lists each with its process", table.to_string().trim_end())
}

/// The engines, one a line.
pub fn engines_table(engines: &[EngineStatus]) -> String {
    let mut table = Table::new(["engine", "host", "state", "pid", "python", "done", "restarts", "labels"]);
    for engine in engines {
        let waiting =
            if engine.queued > 0 { format!(" (+{} waiting)", engine.queued) } else { String::new() };
        table.row([
            engine.engine.to_string(),
            engine.host_name.clone(),
            state_text(engine) + &waiting,
            if engine.info.pid == 0 { String::new() } else { engine.info.pid.to_string() },
            format!("{} {}", engine.info.implementation, engine.info.version),
            engine.finished.to_string(),
            engine.restarts.to_string(),
            engine.labels.join(","),
        ]);
    }
    table.to_string()
}

/// The cluster in a few lines.
fn status_text(status: &ClusterStatus) -> String {
    let count = |state| status.engines.iter().filter(|engine| engine.state == state).count();
    let seconds = status.uptime_ms / 1000;
    let mut lines = vec![
        format!("cluster {} · antiphon {} · up {seconds} s", status.cluster, status.version),
        format!(
            "{} engines: {} idle, {} busy, {} starting, {} dead",
            status.engines.len(),
            count(EngineState::Idle),
            count(EngineState::Busy),
            count(EngineState::Starting),
            count(EngineState::Dead)
        ),
        format!("clients: {}, requests under way: {}", status.clients, status.requests),
    ];
    for host in &status.hosts {
        let engines = status.engines.iter().filter(|engine| engine.host == host.host);
        let ids = compact(engines.map(|engine| engine.engine));
        lines.push(format!("host {} (pid {}): engines {ids}", host.info.name, host.info.pid));
    }
    lines.join("\n")
}
