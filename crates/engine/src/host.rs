//! The host: connects, starts its engines, hands them what the controller sends, and takes them down with it.

use crate::{
    ends::Ends,
    engine::Engine,
    forker::Forker,
    link::{Downlink, Uplink},
    slot::Slot,
};
use antiphon_interpreter::{FindError, InterpreterConfig, InterpreterRole, PythonChoice, StartError, find};
use antiphon_protocol::{
    ControllerToHost, EngineId, HostInfo, HostToController, Message, TaskId, Work,
    hello::{Hello, Role},
    limits::MAX_ENGINES_PER_HOST,
};
use antiphon_transport::{Address, ConnectError};
use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::{collections::HashMap, io, os::fd::OwnedFd, sync::Arc};
use tokio::task::JoinSet;

/// What a host is told.
#[derive(Debug)]
pub struct HostConfig {
    /// Where the controller listens.
    pub address: Address,
    /// The cluster's secret.
    pub token: String,
    /// How many engines.
    pub n: u32,
    /// Which Python.
    pub python: PythonChoice,
    /// The host's name; the machine's if absent.
    pub name: Option<String>,
    /// Labels of its engines.
    pub labels: Vec<String>,
    /// When whatever holds its other end is gone, the host kills its engines and ends.
    pub lifeline: Option<OwnedFd>,
}

/// Why a host ended that should not have.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A number of engines that makes no sense.
    #[error("a host has 1 to {MAX_ENGINES_PER_HOST} engines, not {0}")]
    Engines(u32),
    /// No Python.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The Python does not start.
    #[error("the Python at {program} cannot be used")]
    Python {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: StartError,
    },
    /// No controller.
    #[error("the host cannot join the cluster")]
    Connect(#[from] ConnectError),
    /// The connection ended.
    #[error("the controller is gone")]
    ControllerGone,
    /// It did not say welcome first.
    #[error("the controller's first message is not a welcome for {0} engines")]
    NotWelcome(u32),
    /// Signals or the lifeline cannot be watched.
    #[error("the host cannot watch for its end")]
    Watch(#[source] io::Error),
}

/// Runs a host until the controller, a signal or the lifeline ends it. When it returns, its engines are gone.
pub async fn run(config: HostConfig) -> Result<(), HostError> {
    let HostConfig { address, token, n, python, name, labels, lifeline } = config;
    if n == 0 || n > MAX_ENGINES_PER_HOST {
        return Err(HostError::Engines(n));
    }
    let mut ends = Ends::new(lifeline).map_err(HostError::Watch)?;
    raise_descriptor_limit();
    let info =
        HostInfo { name: name.unwrap_or_else(machine_name), pid: std::process::id(), engines: n, labels };
    let hello = Hello { token, role: Role::Host(info), release: env!("CARGO_PKG_VERSION").to_owned() };
    let joined = async {
        // Python first: a cluster should not see a host that cannot have engines.
        let forker = start_python(python).await?;
        let connected =
            antiphon_transport::connect::<HostToController, ControllerToHost>(&address, &hello).await?;
        tracing::info!(%address, n, "connected to the controller");
        Ok::<_, HostError>((forker, connected))
    };
    let (forker, connected) = tokio::select! {
        joined = joined => joined?,
        what = ends.any() => {
            tracing::info!("ended by {what}");
            return Ok(());
        }
    };
    let served = tokio::select! {
        served = serve(n, forker.clone(), connected.sender, connected.receiver) => served,
        what = ends.any() => {
            tracing::info!("ended by {what}");
            Ok(())
        }
    };
    forker.stop().await;
    served
}

async fn start_python(choice: PythonChoice) -> Result<Arc<Forker>, HostError> {
    let found = tokio::task::spawn_blocking(move || find(&choice)).await;
    let python = found.map_err(|error| HostError::Watch(io::Error::other(error)))??;
    let program = python.program.display().to_string();
    let forker = Arc::new(Forker::new(python));
    forker.get().await.map_err(|source| HostError::Python { program, source })?;
    Ok(forker)
}

/// Serves the controller until it says so or is gone. The engines' tasks end with this future; their processes end with
/// the fork server.
pub(crate) async fn serve<U: Uplink>(
    n: u32,
    forker: Arc<Forker>,
    uplink: U,
    mut downlink: impl Downlink,
) -> Result<(), HostError> {
    let Some(first) = downlink.recv().await else { return Err(HostError::ControllerGone) };
    let (ids, n_engines) = match first.header {
        ControllerToHost::Welcome { host, engines, n_engines } if engines.len() == n as usize => {
            tracing::info!(%host, ?engines, "welcome");
            (engines, n_engines)
        }
        _ => return Err(HostError::NotWelcome(n)),
    };
    let mut tasks = JoinSet::new();
    let mut host = Host { slots: HashMap::new(), uplink };
    for id in ids {
        let slot = Arc::new(Slot::new(id));
        host.slots.insert(id, slot.clone());
        let config = InterpreterConfig {
            engine_id: Some(id.0),
            n_engines,
            argv: vec![String::new()],
            cwd: None,
            role: InterpreterRole::Engine,
        };
        tasks.spawn(Engine::new(slot, forker.clone(), config, host.uplink.clone()).supervise());
    }
    loop {
        match downlink.recv().await {
            None => {
                tracing::error!("the controller is gone: the engines are killed");
                return Err(HostError::ControllerGone);
            }
            Some(Message { header: ControllerToHost::Shutdown, .. }) => {
                tracing::info!("the controller ends this host");
                return Ok(());
            }
            Some(message) => host.on_message(message),
        }
    }
}

/// The dispatcher: never waits.
struct Host<U> {
    slots: HashMap<EngineId, Arc<Slot>>,
    uplink: U,
}

impl<U: Uplink> Host<U> {
    fn on_message(&mut self, message: Message<ControllerToHost>) {
        let Message { header, mut segments } = message;
        match header {
            ControllerToHost::Run { tasks, work } => self.on_run(&tasks, work, segments),
            ControllerToHost::Interrupt { tasks } => {
                for (task, engine) in tasks {
                    if let Some(slot) = self.slot(engine) {
                        slot.on_interrupt(task, &self.uplink);
                    }
                }
            }
            ControllerToHost::Query { query, engine, ask } => {
                let json = segments.pop().unwrap_or_default();
                if let Some(slot) = self.slot(engine) {
                    slot.on_query(query, ask, &json, &self.uplink);
                }
            }
            ControllerToHost::Restart { engines } => {
                for engine in engines {
                    if let Some(slot) = self.slot(engine) {
                        slot.on_restart();
                    }
                }
            }
            ControllerToHost::Credit { engine, bytes } => {
                if let Some(slot) = self.slot(engine) {
                    slot.on_credit(bytes);
                }
            }
            ControllerToHost::DownSeen { engine } => {
                if let Some(slot) = self.slot(engine) {
                    slot.on_down_seen();
                }
            }
            ControllerToHost::Welcome { .. } => tracing::warn!("the controller said welcome twice"),
            ControllerToHost::Shutdown => {}
        }
    }

    fn on_run(&self, tasks: &[(TaskId, EngineId)], work: Work, segments: Vec<Bytes>) {
        for &(task, engine) in tasks {
            if let Some(slot) = self.slot(engine) {
                slot.on_run(task, work, segments.clone(), &self.uplink);
            }
        }
    }

    fn slot(&self, engine: EngineId) -> Option<&Slot> {
        let slot = self.slots.get(&engine);
        if slot.is_none() {
            tracing::warn!(%engine, "the controller spoke of an engine that is not here");
        }
        slot.map(Arc::as_ref)
    }
}

/// An engine takes four descriptors and more here; the usual soft limit of 1024 is for programs that use `select`.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
}

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
