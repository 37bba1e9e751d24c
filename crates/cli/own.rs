//! A cluster started by this process: in the background for `antiphon up`, or of its own and ending with it.

use crate::error::{Failure, Status};
use antiphon_client::Client;
use antiphon_launch::{
    ClusterName, Connection, ControllerPlan, Daemon, Folder, HostPlan, LaunchError, Launcher, Lifeline,
    Local, state_root,
};
use antiphon_protocol::{ClusterStatus, EngineState, Notice};
use antiphon_transport::Address;
use std::{ffi::OsString, path::Path, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

/// How long a controller may take to listen. It takes milliseconds; a machine that swaps takes seconds.
const CONTROLLER_DEADLINE: Duration = Duration::from_secs(20);

/// How long a host may take to find its Python, to join and to have its engines answer, with a share for each engine:
/// hundreds start on two processors.
const ENGINES_DEADLINE: Duration = Duration::from_secs(60);
const ENGINE_SHARE: Duration = Duration::from_millis(200);

/// How long the daemons are given to end by themselves when this process leaves, and then by SIGTERM.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// What to start.
#[derive(Clone, Debug)]
pub struct Plan {
    pub cluster: ClusterName,
    pub engines: u32,
    pub python: Option<OsString>,
    pub labels: Vec<String>,
}

/// Two daemons and their folder.
#[derive(Debug)]
pub struct OwnCluster {
    folder: Folder,
    lifeline: Option<Lifeline>,
    controller: Daemon,
    host: Option<Daemon>,
}

impl OwnCluster {
    /// Starts the controller, and waits until it listens. With `tied`, the cluster ends with this process.
    pub async fn start(cluster: ClusterName, tied: bool) -> Result<(Self, Connection), Failure> {
        let folder = Folder::new(&state_root()?, cluster.clone());
        folder.create()?;
        let lifeline = tied.then(Lifeline::new).transpose()?;
        let plan = ControllerPlan { cluster, log: folder.controller_log() };
        let controller = Local::this_program()?.controller(&plan, lifeline.as_ref())?;
        let mut own = OwnCluster { folder, lifeline, controller, host: None };
        match own.controller.ready(CONTROLLER_DEADLINE).await {
            Ok(()) => {
                let connection = own.folder.connection()?;
                Ok((own, connection))
            }
            Err(error) => {
                // A name that is taken is not ours to clean.
                let _ = own.end().await;
                Err(error.into())
            }
        }
    }

    /// Starts the host and waits until all its engines answer.
    pub async fn populate(&mut self, plan: &Plan, client: &Client) -> Result<ClusterStatus, Failure> {
        let host_plan = HostPlan {
            cluster: plan.cluster.clone(),
            engines: plan.engines,
            python: plan.python.clone(),
            labels: plan.labels.clone(),
            log: self.folder.engines_log(),
        };
        let host = Local::this_program()?.host(&host_plan, self.lifeline.as_ref())?;
        let host = self.host.insert(host);
        // A host that works says nothing here: the controller says that its engines are up.
        tokio::select! {
            biased;
            status = wait_for_engines(client, plan.engines) => status,
            Err(error) = host.ready(Duration::MAX) => Err(error.into()),
            error = self.controller.death() => Err(error.into()),
        }
    }

    /// Waits for the end of one of the daemons, which is the end of the cluster. May be dropped and called again.
    pub async fn death(&mut self) -> LaunchError {
        match &mut self.host {
            Some(host) => tokio::select! {
                error = self.controller.death() => error,
                error = host.death() => error,
            },
            None => self.controller.death().await,
        }
    }

    /// Ends the cluster and waits until nothing of it is left.
    pub async fn end(self) -> Result<(), Failure> {
        let OwnCluster { folder, lifeline, mut controller, host } = self;
        // The daemons see the lifeline's end; without one, they are told.
        if lifeline.is_none() {
            controller.signal(rustix::process::Signal::TERM);
        }
        drop(lifeline);
        if let Some(mut host) = host {
            tokio::join!(controller.end(END_PATIENCE), host.end(END_PATIENCE));
        } else {
            controller.end(END_PATIENCE).await;
        }
        folder.remove_stale()?;
        Ok(())
    }

    /// Lets the cluster outlive this process.
    pub fn detach(self) {
        self.controller.detach();
        if let Some(host) = self.host {
            host.detach();
        }
    }
}

/// Connects to the cluster of a connection file.
pub async fn connect(connection: &Connection, name: &str) -> Result<Client, Failure> {
    let Ok(address) = connection.address.parse::<Address>();
    Client::connect(&address, connection.token.reveal(), name).await.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.status = Status::Lost;
        failure
    })
}

/// Waits until at least `n` engines are there and none is starting. That an engine cannot start is an error.
pub async fn wait_for_engines(client: &Client, n: u32) -> Result<ClusterStatus, Failure> {
    let within = ENGINES_DEADLINE + ENGINE_SHARE * n;
    let mut notices = client.notices();
    let waiting = async {
        loop {
            let status = client.status().await?;
            let up = status.engines.iter().filter(|engine| engine.state != EngineState::Starting).count();
            let missing = n.saturating_sub(u32::try_from(up).unwrap_or(u32::MAX));
            if missing == 0 {
                return Ok(status);
            }
            look_again(&mut notices, missing).await?;
        }
    };
    match timeout(within, waiting).await {
        Ok(result) => result,
        Err(_) => {
            let words = format!("not all {n} engines answered within {} s", within.as_secs());
            Err(Failure::new(Status::Lost, words).with_hint("`antiphon doctor` looks for the cause"))
        }
    }
}

/// Waits until the status is worth another look: hundreds of engines come up one by one.
async fn look_again(notices: &mut Receiver<Notice>, missing: u32) -> Result<(), Failure> {
    for _ in 0..missing {
        match notices.recv().await {
            Ok(Notice::EngineDown { engine, cause, restarting: false }) => {
                let mut failure = Failure::new(Status::Lost, format!("engine {engine} did not start"));
                failure.causes.push(cause.to_string());
                return Err(failure);
            }
            Ok(Notice::EngineUp { .. }) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => {
                return Err(Failure::new(Status::Lost, "the connection to the cluster is lost"));
            }
        }
    }
    Ok(())
}

/// Removes what shells that were killed left on disk: their clusters are gone, their names nobody's.
pub fn sweep_private(root: &Path) {
    for folder in Folder::list(root).unwrap_or_default() {
        if folder.name().is_private() {
            let _ = folder.remove_stale();
        }
    }
}
