//! `antiphon engines`: the host daemon. It reports only what keeps it from working: that it has joined, whoever started
//! it hears from the controller.

use crate::{
    args::{EnginesArgs, engines_or_default},
    block_on,
    controller::said,
    error::{Failure, Outcome, Status},
    logging,
};
use antiphon_engine::{HostConfig, HostError};
use antiphon_interpreter::PythonChoice;
use antiphon_launch::{Connection, Folder, Reporter, inherited_fd, state_root};
use antiphon_transport::Address;

pub fn run(args: EnginesArgs) -> Outcome {
    // The descriptors first: until they are taken over, a child could inherit them.
    let mut reporter = args.daemon.ready_fd.map(Reporter::inherit).transpose()?;
    let outcome = serve(args, reporter.is_some());
    if let (Err(failure), Some(reporter)) = (&outcome, &mut reporter) {
        reporter.failed(said(failure));
    }
    outcome
}

fn serve(args: EnginesArgs, is_started: bool) -> Outcome {
    let lifeline = args.daemon.lifeline_fd.map(inherited_fd).transpose()?;
    let folder = Folder::new(&state_root()?, args.cluster.clone());
    let (connection, _mark) = match &args.connect {
        Some(file) => (Connection::read(file)?, None),
        None => {
            folder.connection()?;
            (Connection::read(&folder.host_file())?, folder.mark_host()?)
        }
    };
    logging::for_daemon(is_started.then(|| folder.engines_log()).as_deref());
    let Ok(address) = connection.address.parse::<Address>();
    let Ok(python) = args.python.as_deref().unwrap_or("auto").parse::<PythonChoice>();
    let config = HostConfig {
        address,
        token: connection.token.reveal().into(),
        n: engines_or_default(args.n),
        python,
        name: args.name,
        labels: args.labels,
        lifeline,
    };
    let ran = block_on(antiphon_engine::run(config))?;
    match ran {
        Ok(()) => Ok(Status::Well),
        Err(error) => {
            tracing::error!(%error, "ended");
            Err(match error {
                HostError::Find(error) => error.into(),
                error => Failure::of(Status::Usage, &error),
            })
        }
    }
}
