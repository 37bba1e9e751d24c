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

/// An evaluator on an attached cluster.
pub fn evaluator(attached: &mut Attached, options: Options) -> Shell {
    let python = attached.python.take().unwrap_or_else(|| Err("this command has none".into()));
    Evaluator::new(attached.client.clone(), LazyInterpreter::new(python), options)
}

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

/// Runs a whole script and says how it ended.
pub async fn script(
    mut attached: Attached,
    text: &str,
    keep_going: bool,
    mut screen: Screen,
    target: &str,
) -> Outcome {
    let mut shell = evaluator(&mut attached, Options::script());
    let (interrupter, closed) = (shell.interrupter(), screen.closed());
    let work = async {
        shell.set_target(target)?;
        let ended = shell.run_script(text, keep_going, &mut screen).await;
        screen.settle();
        Ok(status(ended))
    };
    attached.during(guard(interrupter, closed, work)).await
}
