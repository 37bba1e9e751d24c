//! A cluster, an evaluator on it and a screen, and what can end them from outside: signals, a closed pipe, a death.

use crate::{
    attach::Attached,
    error::{Failure, Outcome, Status},
    screen::Screen,
};
use antiphon_client::{
    Client,
    shell::{Evaluator, Interrupter, LazyInterpreter, Options, Status as ShellStatus},
};
use std::{future::Future, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// The evaluator as the commands use it.
pub type Shell = Evaluator<Client, LazyInterpreter>;

/// Does `work` until it ends or something from outside ends it; Ctrl-C goes to the evaluator meanwhile.
pub async fn guard(
    interrupter: Interrupter,
    closed: Arc<Notify>,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(Status::Signal(15)),
            _ = hang_up.recv() => return Ok(Status::Signal(1)),
            () = closed.notified() => return Err(Failure::broken_pipe()),
            _ = interrupt.recv() => interrupter.press(),
            outcome = &mut work => return outcome,
        }
    }
}

/// The status of a command whose statements ended like this.
pub fn status(status: ShellStatus) -> Status {
    match status {
        ShellStatus::Done | ShellStatus::Leave => Status::Well,
        ShellStatus::Raised => Status::Raised,
        ShellStatus::Usage => Status::Usage,
        ShellStatus::Lost => Status::Lost,
        ShellStatus::Interrupted => Status::Interrupted,
    }
}

/// What `script` runs.
#[derive(Debug)]
pub struct Script<'a> {
    pub text: &'a str,
    pub target: &'a str,
    pub keep_going: bool,
}

/// Runs a whole script and says how it ended.
pub async fn script(
    attached: Attached,
    local: LazyInterpreter,
    mut screen: Screen,
    script: Script<'_>,
) -> Outcome {
    let mut shell = Evaluator::new(attached.client.clone(), local, Options::script());
    let (interrupter, closed) = (shell.interrupter(), screen.closed());
    let work = async {
        shell.set_target(script.target)?;
        let ended = shell.run_script(script.text, script.keep_going, &mut screen).await;
        screen.settle();
        Ok(status(ended))
    };
    attached.during(guard(interrupter, closed, work)).await
}
