//! `antiphon down`: the end of a cluster, politely if it listens.

use crate::{
    args::DownArgs,
    error::{Outcome, Status},
    output,
    own::connect,
};
use antiphon_launch::{Folder, LaunchError, Stopped, state_root, stop};

pub async fn run(args: DownArgs) -> Outcome {
    let root = state_root()?;
    if !args.all {
        return end(&Folder::new(&root, args.cluster)).await;
    }
    let folders = Folder::list(&root)?;
    if folders.is_empty() {
        return output::line("no cluster is up");
    }
    for folder in folders {
        match end(&folder).await {
            // It went while we were looking.
            Err(failure) if failure.status == Status::Lost && failure.message.ends_with("is not up") => {}
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
    }
    Ok(Status::Well)
}

async fn end(folder: &Folder) -> Outcome {
    let ask = async {
        let asked = async {
            let client = connect(&folder.connection()?, "down").await?;
            client.shutdown().await?;
            Ok::<_, crate::error::Failure>(())
        };
        asked.await.is_ok()
    };
    let name = folder.name();
    let words = match stop(folder, ask).await {
        Ok(Stopped::Asked) => format!("{name} is down"),
        Ok(Stopped::Terminated) => format!("{name} is down (it did not answer and was terminated)"),
        Ok(Stopped::Killed) => format!("{name} is down (it did not react and was killed)"),
        Ok(Stopped::WasStale) => format!("{name} was not up any more; what it had left is removed"),
        Err(LaunchError::NotUp { name }) => {
            let failure = crate::error::Failure::new(Status::Lost, format!("the cluster {name} is not up"));
            return Err(failure);
        }
        Err(error) => return Err(error.into()),
    };
    output::line(&words)
}
