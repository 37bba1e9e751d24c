//! `antiphon up`: a cluster in the background.

use crate::{
    args::{UpArgs, engines_or_default},
    attach::{as_option, find_python},
    error::{Failure, Outcome, Status, cluster_option},
    output,
    own::{OwnCluster, Plan, connect},
};
use antiphon_launch::{Folder, FolderState, LaunchError, state_root};
use antiphon_protocol::ClusterStatus;
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(args: UpArgs) -> Outcome {
    // From here on Ctrl-C is taken where the daemons can be ended: they would outlive this process.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let folder = Folder::new(&state_root()?, args.cluster.clone());
    if let FolderState::Up { pid } = folder.state() {
        let pid = Some(pid).filter(|pid| *pid != 0);
        return Err(LaunchError::AlreadyUp { name: args.cluster.to_string(), pid }.into());
    }
    let python = find_python(args.python.as_deref()).await?;
    let (mut own, connection) = OwnCluster::start(args.cluster.clone(), false).await?;
    let plan = Plan {
        cluster: args.cluster.clone(),
        engines: engines_or_default(args.n),
        python: Some(as_option(&python)),
        labels: args.labels.clone(),
    };
    let populated = async {
        let client = connect(&connection, "up").await?;
        own.populate(&plan, &client).await
    };
    let interrupted = async {
        let _ = interrupt.recv().await;
        Failure::new(Status::Interrupted, "interrupted: the cluster is not up")
    };
    let populated = tokio::select! {
        populated = populated => populated,
        failure = interrupted => Err(failure),
    };
    match populated {
        Ok(status) => {
            own.detach();
            output::line(&describe(&args, &status))
        }
        Err(failure) => {
            own.end().await?;
            Err(failure)
        }
    }
}

fn describe(args: &UpArgs, status: &ClusterStatus) -> String {
    let n = status.engines.len();
    let option = cluster_option(args.cluster.as_str());
    let python = status.engines.first().map(|one| &one.info);
    let python =
        python.map(|info| format!(" · {} {}", info.implementation, info.version)).unwrap_or_default();
    let engines = if n == 1 { "engine" } else { "engines" };
    format!(
        "{} is up · {n} {engines}{python}\nantiphon{option}         a shell on it\nantiphon down{option}    its end",
        args.cluster
    )
}
