//! A child process that leads its own session: started with bridge descriptors, reaped by a thread, killed with its
//! process group.
//!
//! Its own session, so that Ctrl-C on the terminal never reaches it. `Drop` kills: nothing outlives its owner.

use antiphon_protocol::LossCause;
use rustix::{
    io::{FdFlags, fcntl_getfd, fcntl_setfd},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, setsid, waitid},
};
use std::{
    io,
    os::{
        fd::{BorrowedFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Why an interpreter did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Sockets, pipes or descriptors.
    #[error("the sockets and pipes of an interpreter cannot be made")]
    Descriptors(#[source] io::Error),
    /// The program cannot be run.
    #[error("{program} cannot be started")]
    Spawn {
        /// Which.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("{program} ended before it was ready: {cause}{}", shown(.stderr))]
    Ended {
        /// Which.
        program: PathBuf,
        /// How it ended.
        cause: LossCause,
        /// The end of what it printed on standard error.
        stderr: String,
    },
    /// It did not say that it is ready in time.
    #[error("{program} did not get ready within {seconds} s{}", shown(.stderr))]
    Deadline {
        /// Which.
        program: PathBuf,
        /// How long it had.
        seconds: u64,
        /// The end of what it printed on standard error.
        stderr: String,
    },
    /// The configuration cannot be written as JSON (a folder that is not UTF-8).
    #[error("the configuration of an interpreter cannot be encoded")]
    Config(#[source] serde_json::Error),
    /// It spoke nonsense.
    #[error("the bridge to {program} failed{}", shown(.stderr))]
    Bridge {
        /// Which.
        program: PathBuf,
        /// What was wrong.
        #[source]
        source: crate::BridgeError,
        /// The end of what it printed on standard error.
        stderr: String,
    },
}

fn shown(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it printed: {}", stderr.trim_end()) }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(ExitStatus);

impl Exit {
    /// From the raw status that `waitpid` gives.
    pub fn from_raw(status: i32) -> Exit {
        Exit(ExitStatus::from_raw(status))
    }

    /// As the cause of a loss.
    pub fn cause(self) -> LossCause {
        match self.0.signal() {
            Some(signal) => LossCause::Signal(signal),
            None => LossCause::Exit(self.0.code().unwrap_or(-1)),
        }
    }
}

/// The child.
#[derive(Debug)]
pub(crate) struct Process {
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<Exit>>,
}

#[derive(Debug)]
struct Shared {
    pid: Pid,
    /// Cleared as it is reaped, so that no signal is sent to a number that may mean another process by then.
    is_alive: Mutex<bool>,
}

impl Process {
    /// Starts it with these descriptors (numbered as they are here), in a session of its own.
    pub(crate) fn spawn(mut command: Command, fds: Vec<OwnedFd>) -> Result<Process, StartError> {
        let program = PathBuf::from(command.get_program());
        let raw: Vec<RawFd> = fds.iter().map(std::os::fd::AsRawFd::as_raw_fd).collect();
        // SAFETY: the closure runs between fork and exec and only makes system calls (setsid, fcntl); it allocates
        // nothing and takes no lock. The descriptors are open: `fds` lives until after the spawn.
        unsafe {
            command.pre_exec(move || {
                setsid()?;
                for fd in &raw {
                    let fd = BorrowedFd::borrow_raw(*fd);
                    fcntl_setfd(fd, fcntl_getfd(fd)?.difference(FdFlags::CLOEXEC))?;
                }
                Ok(())
            });
        }
        let child =
            command.spawn().map_err(|source| StartError::Spawn { program: program.clone(), source })?;
        drop(fds);
        let Some(pid) = Pid::from_raw(child.id() as i32) else {
            return Err(StartError::Spawn { program, source: io::ErrorKind::InvalidData.into() });
        };
        let shared = Arc::new(Shared { pid, is_alive: Mutex::new(true) });
        let (said, exit) = watch::channel(None);
        let process = Process { shared: shared.clone(), exit };
        // A thread of its own: it needs no runtime and ends with the child.
        std::thread::Builder::new()
            .name("reaper".to_owned())
            .stack_size(64 << 10)
            .spawn(move || reap(child, &shared, &said))
            .map_err(|source| StartError::Spawn { program, source })?;
        Ok(process)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.shared.pid.as_raw_nonzero().get() as u32
    }

    /// Kills it and its process group.
    pub(crate) fn kill(&self) {
        let is_alive = self.shared.is_alive.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_alive {
            let _ = kill_process_group(self.shared.pid, Signal::KILL);
        }
    }

    /// Kills it when it has not ended by itself within this time. Does not wait.
    pub(crate) fn kill_after(process: &Arc<Process>, grace: Duration) {
        if process.exit.borrow().is_some() {
            return;
        }
        let process = process.clone();
        // Without a runtime, which may be ending. If the thread cannot start, dropping the process kills it.
        let _ = std::thread::Builder::new().name("grace".to_owned()).stack_size(64 << 10).spawn(move || {
            let deadline = Instant::now() + grace;
            while process.exit.borrow().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    }

    /// Waits for its end.
    pub(crate) async fn exit(&self) -> Exit {
        let mut exit = self.exit.clone();
        let seen = exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit);
        seen.unwrap_or(Exit::from_raw(0))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn reap(mut child: Child, shared: &Shared, said: &watch::Sender<Option<Exit>>) {
    loop {
        // Sees its end without reaping it, so that its process group can still be named safely.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(shared.pid), options) {
            Err(rustix::io::Errno::INTR) => {}
            _ => break,
        }
    }
    let mut is_alive = shared.is_alive.lock().unwrap_or_else(PoisonError::into_inner);
    // What it left behind in its group goes with it.
    let _ = kill_process_group(shared.pid, Signal::KILL);
    *is_alive = false;
    let status = child.wait();
    drop(is_alive);
    said.send_replace(Some(status.map_or(Exit::from_raw(0), Exit)));
}
