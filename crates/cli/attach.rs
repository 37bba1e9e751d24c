//! The cluster a command works on: the one that is up, or one of its own for as long as it runs.

use crate::{
    args::{ClusterArgs, engines_or_default},
    error::{Failure, Outcome, Status, cluster_option},
    output,
    own::{OwnCluster, Plan, connect, sweep_private},
};
use antiphon_client::{
    Client,
    shell::{LazyInterpreter, Local},
};
use antiphon_interpreter::{Python, PythonChoice, find};
use antiphon_launch::{ClusterName, Folder, FolderState, LaunchError, state_root};
use antiphon_protocol::{Ask, ClusterStatus};
use std::{ffi::OsString, future::Future, time::Duration};
use tokio::time::timeout;

/// How long after a loss a daemon's death is waited for: its pipe ends within microseconds of its sockets.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A connection, and the cluster behind it if it is this command's own.
#[derive(Debug)]
pub struct Attached {
    pub client: Client,
    pub status: ClusterStatus,
    pub own: Option<OwnCluster>,
}

/// What a command works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Engines and a local interpreter, which somebody who types needs with the first key.
    Typing,
    /// Engines, and a local interpreter if a script should ask for it.
    Local,
    /// Engines alone: no time is spent on looking for a Python here.
    Engines,
}

impl Attached {
    /// Finds the cluster or starts one; with it comes the local interpreter, or why there is none.
    pub async fn new(args: &ClusterArgs, name: &str, need: Need) -> Result<(Self, LazyInterpreter), Failure> {
        let root = state_root()?;
        let wanted = args.cluster.clone().unwrap_or_default();
        let folder = Folder::new(&root, wanted);
        match (folder.state(), &args.cluster) {
            (FolderState::Up { .. }, _) => Self::join(&folder, args, name, need).await,
            (_, Some(named)) => Err(LaunchError::NotUp { name: named.to_string() }.into()),
            (_, None) => {
                sweep_private(&root);
                Self::start(args, name, need).await
            }
        }
    }

    async fn join(
        folder: &Folder,
        args: &ClusterArgs,
        name: &str,
        need: Need,
    ) -> Result<(Self, LazyInterpreter), Failure> {
        if args.n.is_some() {
            let option = cluster_option(folder.name().as_str());
            output::complain(&format!(
                "note: -n is not used: the cluster {} is up (`antiphon down{option}` ends it)\n",
                folder.name()
            ));
        }
        let python = async {
            match need {
                Need::Typing | Need::Local => {
                    find_python(args.python.as_deref()).await.map_err(|failure| failure.message)
                }
                Need::Engines => Err("this command has none".to_owned()),
            }
        };
        let local = async { local(python.await, need).await };
        let connected = async {
            let client = connect(&folder.connection()?, name).await?;
            let status = client.status().await?;
            Ok::<_, Failure>((client, status))
        };
        let (local, connected) = tokio::join!(local, connected);
        let (client, status) = connected?;
        Ok((Attached { client, status, own: None }, local))
    }

    /// A cluster of this process's own. Its Python is found while the controller starts.
    async fn start(args: &ClusterArgs, name: &str, need: Need) -> Result<(Self, LazyInterpreter), Failure> {
        let cluster = ClusterName::private();
        let (python, started) =
            tokio::join!(find_python(args.python.as_deref()), OwnCluster::start(cluster.clone(), true));
        let (python, (mut own, connection)) = match (python, started) {
            (Ok(python), Ok(started)) => (python, started),
            (Err(failure), Ok((own, _))) => return Err(ended(own, failure).await),
            (Err(failure), Err(_)) | (Ok(_), Err(failure)) => return Err(failure),
        };
        let plan = Plan {
            cluster,
            engines: engines_or_default(args.n),
            python: Some(as_option(&python)),
            labels: Vec::new(),
        };
        let populated = async {
            let client = connect(&connection, name).await?;
            let status = own.populate(&plan, &client).await?;
            Ok((client, status))
        };
        let (populated, local) = tokio::join!(populated, local(Ok(python), need));
        match populated {
            Ok((client, status)) => Ok((Attached { client, status, own: Some(own) }, local)),
            Err(failure) => Err(ended(own, failure).await),
        }
    }

    /// Does `work`, then ends the cluster if it is our own. If one of its daemons dies meanwhile, says so.
    pub async fn during(self, work: impl Future<Output = Outcome>) -> Outcome {
        let Attached { client, mut own, .. } = self;
        let outcome = match &mut own {
            None => work.await,
            Some(own) => while_alive(own, work).await,
        };
        drop(client);
        let ended = match own {
            Some(own) => own.end().await,
            None => Ok(()),
        };
        outcome.and_then(|status| ended.map(|()| status))
    }

    /// Waits for something that needs the cluster to stay up, and ends the cluster if that fails.
    pub async fn while_up<T>(
        mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(Self, T), Failure> {
        let result = match &mut self.own {
            None => work.await,
            Some(own) => tokio::select! {
                biased;
                result = work => result,
                error = own.death() => Err(error.into()),
            },
        };
        match (result, self.own.take()) {
            (Ok(value), own) => Ok((Attached { own, ..self }, value)),
            (Err(failure), Some(own)) => Err(ended(own, failure).await),
            (Err(failure), None) => Err(failure),
        }
    }
}

/// `work`'s outcome; or how a daemon died before it ended, or just before: how the cluster was lost, its daemons know
/// better than who saw the connection end.
async fn while_alive(own: &mut OwnCluster, work: impl Future<Output = Outcome>) -> Outcome {
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        error = own.death() => return Err(error.into()),
    };
    let is_lost = match &outcome {
        Ok(status) => *status == Status::Lost,
        Err(failure) => failure.status == Status::Lost,
    };
    if !is_lost {
        return outcome;
    }
    match timeout(AFTERMATH, own.death()).await {
        Ok(error) => Err(error.into()),
        Err(_) => outcome,
    }
}

async fn ended(own: OwnCluster, failure: Failure) -> Failure {
    let _ = own.end().await;
    failure
}

/// The local interpreter, started at once for somebody who types.
async fn local(python: Result<Python, String>, need: Need) -> LazyInterpreter {
    let local = LazyInterpreter::new(python);
    if need == Need::Typing {
        // That it cannot be started is said when it is used.
        let _ = local.ask(Ask::Check, r#"{"source": ""}"#.into()).await;
    }
    local
}

/// Finds the Python on a thread of its own: candidates are run and asked.
pub async fn find_python(option: Option<&str>) -> Result<Python, Failure> {
    let Ok(choice) = option.unwrap_or("auto").parse::<PythonChoice>();
    let found = tokio::task::spawn_blocking(move || find(&choice)).await;
    match found {
        Ok(found) => Ok(found?),
        Err(error) => Err(Failure::system("could not look for a Python", &error)),
    }
}

/// As `--python` takes it.
pub fn as_option(python: &Python) -> OsString {
    if python.builtin { "builtin".into() } else { python.program.clone().into() }
}
