//! Ending a cluster that somebody else started.

use crate::{Folder, LaunchError, pidlock::Holder};
use rustix::process::{Pid, Signal, kill_process};
use std::{future::Future, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// How long the polite way is given: the controller tells its hosts, they kill their engines.
const POLITE: Duration = Duration::from_secs(5);

/// How long SIGTERM is given, and then SIGKILL.
const FIRM: Duration = Duration::from_secs(3);

/// How a cluster ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was not up; what it had left is removed.
    WasStale,
    /// It was asked and did it.
    Asked,
    /// It needed SIGTERM.
    Terminated,
    /// It needed SIGKILL.
    Killed,
}

/// Ends the cluster of `folder`: `ask` is the polite request, whose failure only means that signals follow.
pub async fn stop(folder: &Folder, ask: impl Future<Output = bool>) -> Result<Stopped, LaunchError> {
    let holders = folder.holders();
    if holders.is_empty() {
        return match folder.remove_stale()? {
            true => Ok(Stopped::WasStale),
            false => Err(LaunchError::NotUp { name: folder.name().to_string() }),
        };
    }
    let fail = |error| LaunchError::system("wait for the cluster's end", error);
    let mut waiting = Vec::new();
    for holder in holders {
        let released = holder.released().map_err(fail)?;
        waiting.push((holder, released));
    }

    let mut how = Stopped::Asked;
    let polite = async { ask.await && all_released(&mut waiting).await };
    if !matches!(timeout(POLITE, polite).await, Ok(true)) {
        for (signal, next) in [(Signal::TERM, Stopped::Terminated), (Signal::KILL, Stopped::Killed)] {
            how = next;
            waiting.iter().for_each(|(holder, _)| kill(holder, signal));
            if timeout(FIRM, all_released(&mut waiting)).await.is_ok() {
                break;
            }
        }
    }
    if let Some((holder, _)) = waiting.first() {
        return Err(LaunchError::WillNotEnd { name: folder.name().to_string(), pid: holder.pid });
    }
    folder.remove_stale()?;
    Ok(how)
}

/// Waits until every lock is free; those that are, are dropped from the list. May be dropped and called again.
async fn all_released(waiting: &mut Vec<(Holder, oneshot::Receiver<()>)>) -> bool {
    while let Some((_, released)) = waiting.last_mut() {
        let _ = released.await;
        waiting.pop();
    }
    true
}

fn kill(holder: &Holder, signal: Signal) {
    if let Some(pid) = i32::try_from(holder.pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
#[path = "stop_tests.rs"]
mod tests;
