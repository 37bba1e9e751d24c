//! `antiphon controller`: takes the cluster's folder, listens, publishes how to connect, and cleans up at its end.

use crate::{
    args::ControllerArgs,
    block_on,
    error::{Failure, Outcome, Status},
    logging,
};
use antiphon_controller::ControllerConfig;
use antiphon_launch::{Folder, Reporter, inherited_fd, state_root};
use antiphon_transport::Address;

pub fn run(args: ControllerArgs) -> Outcome {
    // The descriptors first: until they are taken over, a child could inherit them.
    let mut reporter = args.daemon.ready_fd.map(Reporter::inherit).transpose()?;
    let outcome = serve(&args, &mut reporter);
    if let (Err(failure), Some(reporter)) = (&outcome, &mut reporter) {
        reporter.failed(said(failure));
    }
    outcome
}

fn serve(args: &ControllerArgs, reporter: &mut Option<Reporter>) -> Outcome {
    let lifeline = args.daemon.lifeline_fd.map(inherited_fd).transpose()?;
    let folder = Folder::new(&state_root()?, args.cluster.clone());
    let claim = folder.claim()?;
    logging::for_daemon(reporter.is_some().then(|| folder.controller_log()).as_deref());
    let config = ControllerConfig {
        address: Address::Unix(claim.socket().into()),
        token: claim.token().reveal().into(),
        cluster: args.cluster.to_string(),
        lifeline,
    };
    let mut published = Ok(());
    let ready = || {
        published = claim.publish(env!("CARGO_PKG_VERSION"));
        if let (Ok(()), Some(reporter)) = (&published, reporter) {
            reporter.ready();
        }
    };
    let ran = block_on(antiphon_controller::run(config, ready))?;
    if let Err(error) = &ran {
        tracing::error!(%error, "cannot go on");
    }
    claim.remove()?;
    published?;
    ran.map_err(|error| Failure::system("the controller cannot work", &error))?;
    Ok(Status::Well)
}

/// A failure as it goes over the pipe to whoever started this daemon.
pub fn said(failure: &Failure) -> antiphon_launch::Failure {
    let Failure { message, causes, hint, .. } = failure.clone();
    antiphon_launch::Failure { message, causes, hint }
}
