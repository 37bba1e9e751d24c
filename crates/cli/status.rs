//! `antiphon status`: what is up.

use crate::{
    args::StatusArgs,
    error::{Failure, Outcome, Status},
    output,
    own::connect,
};
use antiphon_launch::{Folder, FolderState, LaunchError, state_root};
use antiphon_protocol::{ClusterStatus, EngineState, EngineStatus, HostStatus};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Engines that are shown one a line; more are summed up.
const MAX_ENGINE_LINES: usize = 32;

pub async fn run(args: StatusArgs) -> Outcome {
    let root = state_root()?;
    let folders = match &args.cluster {
        Some(name) => vec![Folder::new(&root, name.clone())],
        None => Folder::list(&root)?,
    };
    let mut found = Vec::new();
    for folder in folders.iter().filter(|folder| matches!(folder.state(), FolderState::Up { .. })) {
        found.push(ask(folder).await?);
    }
    if args.json {
        let clusters: Vec<Value> = found.iter().map(json).collect();
        output::line(&json!({ "kind": "status", "clusters": clusters }).to_string())?;
    } else {
        for status in &found {
            output::write(describe(status).as_bytes())?;
        }
    }
    match (found.is_empty(), args.cluster) {
        (false, _) => Ok(Status::Well),
        (true, _) if args.json => Ok(Status::Lost),
        (true, Some(name)) => Err(LaunchError::NotUp { name: name.to_string() }.into()),
        (true, None) => {
            Err(Failure::new(Status::Lost, "no cluster is up").with_hint("start one with `antiphon up`"))
        }
    }
}

async fn ask(folder: &Folder) -> Result<ClusterStatus, Failure> {
    let client = connect(&folder.connection()?, "status").await?;
    Ok(client.status().await?)
}

/// A cluster as an object; `docs/json.md` documents it.
fn json(status: &ClusterStatus) -> Value {
    let engine = |one: &EngineStatus| {
        let packages: Map<String, Value> =
            one.info.packages.iter().map(|(name, version)| (name.clone(), version.clone().into())).collect();
        json!({
            "engine": one.engine, "host": one.host_name, "labels": one.labels, "state": one.state,
            "queued": one.queued, "busy_ms": one.busy_ms, "finished": one.finished, "restarts": one.restarts,
            "pid": one.info.pid, "implementation": one.info.implementation, "version": one.info.version,
            "executable": one.info.executable, "packages": packages,
        })
    };
    let host = |one: &HostStatus| json!({ "name": one.info.name, "pid": one.info.pid, "engines": one.info.engines, "labels": one.info.labels });
    json!({
        "cluster": status.cluster, "antiphon": status.version, "pid": status.pid,
        "uptime_ms": status.uptime_ms, "clients": status.clients.saturating_sub(1), "requests": status.requests,
        "hosts": status.hosts.iter().map(host).collect::<Vec<_>>(),
        "engines": status.engines.iter().map(engine).collect::<Vec<_>>(),
    })
}

fn describe(status: &ClusterStatus) -> String {
    let n = status.engines.len();
    let mut text = format!(
        "{} · {n} {} · {} · up {} · controller {} · antiphon {}\n",
        status.cluster,
        if n == 1 { "engine" } else { "engines" },
        clients(status.clients.saturating_sub(1)),
        in_words(Duration::from_millis(status.uptime_ms)),
        status.pid,
        status.version,
    );
    if n <= MAX_ENGINE_LINES {
        text + &table(&status.engines)
    } else {
        text += &summary(&status.engines);
        text
    }
}

fn clients(n: u32) -> String {
    match n {
        0 => "no client".into(),
        1 => "1 client".into(),
        n => format!("{n} clients"),
    }
}

fn table(engines: &[EngineStatus]) -> String {
    let header =
        ["engine", "state", "queued", "done", "restarts", "pid", "host", "python"].map(str::to_owned);
    let rows: Vec<[String; 8]> = std::iter::once(header).chain(engines.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(engine: &EngineStatus) -> [String; 8] {
    [
        engine.engine.to_string(),
        state(engine),
        engine.queued.to_string(),
        engine.finished.to_string(),
        engine.restarts.to_string(),
        engine.info.pid.to_string(),
        engine.host_name.clone(),
        format!("{} {}", engine.info.implementation, engine.info.version),
    ]
}

fn state(engine: &EngineStatus) -> String {
    match (engine.state, engine.busy_ms) {
        (EngineState::Starting, _) => "starting".into(),
        (EngineState::Idle, _) => "idle".into(),
        (EngineState::Dead, _) => "dead".into(),
        (EngineState::Busy, None) => "busy".into(),
        (EngineState::Busy, Some(ms)) => format!("busy {}", in_words(Duration::from_millis(ms))),
    }
}

fn summary(engines: &[EngineStatus]) -> String {
    let count = |state| engines.iter().filter(|engine| engine.state == state).count();
    let states = [
        (EngineState::Idle, "idle"),
        (EngineState::Busy, "busy"),
        (EngineState::Starting, "starting"),
        (EngineState::Dead, "dead"),
    ];
    let parts = states.map(|(state, word)| (count(state), word));
    let words = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
    format!("  {}\n", words.collect::<Vec<_>>().join(" · "))
}

/// A duration as a person says it.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_protocol::{EngineId, EngineInfo, HostId};

    fn engine(id: u32) -> EngineStatus {
        EngineStatus {
            engine: EngineId(id),
            host: HostId(0),
            host_name: "box".into(),
            labels: Vec::new(),
            state: EngineState::Idle,
            queued: 0,
            busy_ms: None,
            finished: 12,
            restarts: 0,
            info: EngineInfo {
                implementation: "CPython".into(),
                version: "3.11.7".into(),
                pid: 4321,
                ..EngineInfo::default()
            },
        }
    }

    #[test]
    fn engines_stand_in_columns() {
        let mut busy = engine(10);
        (busy.state, busy.busy_ms) = (EngineState::Busy, Some(61_000));
        assert_eq!(
            table(&[engine(9), busy]),
            "  engine  state       queued  done  restarts  pid   host  python\n  \
               9       idle        0       12    0         4321  box   CPython 3.11.7\n  \
               10      busy 1 min  0       12    0         4321  box   CPython 3.11.7\n"
        );
    }

    #[test]
    fn many_engines_are_summed_up() {
        let status = ClusterStatus {
            cluster: "default".into(),
            engines: (0..128).map(engine).collect(),
            ..ClusterStatus::default()
        };
        assert!(describe(&status).ends_with("\n  128 idle\n"));
    }

    #[test]
    fn durations_are_short() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(
            [words(5), words(65), words(3_700), words(90_000)],
            ["5 s", "1 min", "1 h 1 min", "1 d 1 h"]
        );
    }
}
