//! One life of an engine: forked, ready, until its process is gone.

use crate::{forker::Forker, output::Output};
use antiphon_interpreter::{
    BridgeError, Exit, ForkError, ForkServer, ForkedEngine, InterpreterConfig, StartError, Utf8Tail,
    bridge::{MainEvent, MainReader, MainWriter, SideReader, SideWriter},
};
use antiphon_protocol::{EngineInfo, LossCause, StreamName, TaskId};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{io, sync::Arc, time::Duration};
use tokio::{net::unix::pipe, sync::oneshot, time::timeout};

/// How long a forked engine may take to be ready; it only has to make its streams and threads.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How long the end of a process may come after the end of its bridge, or after it was killed.
const EXIT_DEADLINE: Duration = Duration::from_secs(2);

/// How long the last frames of a dead process may take; they are in the socket already.
const LAST_FRAME_DEADLINE: Duration = Duration::from_millis(50);

/// Read from a pipe at once: all that a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// Kept of what an engine prints before it is ready.
const TAIL_BYTES: usize = 4 << 10;

/// The dispatcher's side of a living interpreter.
#[derive(Debug)]
pub(crate) struct Live {
    pub work: MainWriter,
    pub ask: SideWriter,
    /// Unanswered questions.
    pub queries: Vec<TaskId>,
    server: Arc<ForkServer>,
    fork: u64,
}

impl Live {
    /// Kills its process group.
    pub(crate) fn kill(&self) {
        self.server.signal(self.fork, Signal::KILL.as_raw());
    }
}

/// The engine task's side of it.
#[derive(Debug)]
pub(crate) struct Life {
    pub pid: u32,
    pub main: MainReader,
    pub stdout: Pipe,
    pub stderr: Pipe,
    pub exit: oneshot::Receiver<Exit>,
}

/// Everything a start gives.
#[derive(Debug)]
pub(crate) struct Started {
    pub info: EngineInfo,
    pub live: Live,
    pub life: Life,
    pub side: SideReader,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LifeError {
    #[error("the fork server does not start")]
    Server(#[from] StartError),
    #[error("an engine cannot be forked")]
    Fork(#[from] ForkError),
    #[error("it ended before it was ready: {cause}{}", shown(.printed))]
    Ended { cause: LossCause, printed: String },
    #[error("it did not get ready within {} s{}", READY_DEADLINE.as_secs(), shown(.printed))]
    Deadline { printed: String },
    #[error("its bridge failed")]
    Bridge(#[from] BridgeError),
}

impl LifeError {
    /// The whole reason, for people.
    pub(crate) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        reason
    }
}

fn shown(printed: &str) -> String {
    if printed.is_empty() { String::new() } else { format!("; it printed: {}", printed.trim_end()) }
}

/// Why an engine is not served any more.
#[derive(Debug)]
pub(crate) enum End {
    /// Its process ended.
    Exited(Exit),
    /// Its bridge ended.
    Closed,
    /// Its fork server is gone.
    ServerGone,
    /// It spoke nonsense.
    Nonsense(String),
    /// The controller is gone: nobody is left to serve.
    Unheard,
}

impl End {
    /// From what an engine's exit gives.
    pub(crate) fn from_exit(exit: Result<Exit, oneshot::error::RecvError>) -> End {
        exit.map_or(End::ServerGone, End::Exited)
    }
}

impl Life {
    /// Forks an engine and waits until it is ready.
    pub(crate) async fn start(forker: &Forker, config: &InterpreterConfig) -> Result<Started, LifeError> {
        let server = forker.get().await?;
        let ForkedEngine { fork, pid, bridge, stdout, stderr, exit } = server.fork(config).await?;
        let (main, work, side, ask) = (bridge.main, bridge.work, bridge.side, bridge.ask);
        let live = Live { work, ask, queries: Vec::new(), server, fork };
        let stdout = Pipe::new(StreamName::Stdout, stdout);
        let mut life = Life { pid, main, stdout, stderr: Pipe::new(StreamName::Stderr, stderr), exit };
        match life.ready().await {
            Ok(info) => Ok(Started { info, live, life, side }),
            Err(error) => {
                live.kill();
                Err(error)
            }
        }
    }

    async fn ready(&mut self) -> Result<EngineInfo, LifeError> {
        let got = tokio::select! {
            biased;
            event = timeout(READY_DEADLINE, self.main.next()) => event,
            exit = &mut self.exit => {
                let cause = exit.map_or(LossCause::Signal(Signal::KILL.as_raw()), Exit::cause);
                return Err(LifeError::Ended { cause, printed: self.stderr.tail() });
            }
        };
        match got {
            Ok(Ok(MainEvent::Ready(info))) => Ok(info),
            Ok(Ok(_)) => Err(BridgeError::Nonsense("its first frame is not READY".to_owned()).into()),
            Ok(Err(BridgeError::Closed | BridgeError::Io(_))) => {
                let exit = timeout(EXIT_DEADLINE, &mut self.exit).await;
                let cause = match exit {
                    Ok(Ok(exit)) => exit.cause(),
                    _ => LossCause::Bridge("it closed its bridge".to_owned()),
                };
                Err(LifeError::Ended { cause, printed: self.stderr.tail() })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(LifeError::Deadline { printed: self.stderr.tail() }),
        }
    }

    /// Makes sure that it is gone, whatever ended it, and says why.
    pub(crate) async fn gone(&mut self, end: End, kill: impl Fn()) -> LossCause {
        match end {
            End::Exited(exit) => exit.cause(),
            End::ServerGone => {
                self.kill_directly();
                LossCause::Bridge("its fork server ended".to_owned())
            }
            End::Nonsense(what) => {
                kill();
                self.exit_cause().await;
                LossCause::Bridge(what)
            }
            End::Closed => match timeout(EXIT_DEADLINE, &mut self.exit).await {
                Ok(Ok(exit)) => exit.cause(),
                Ok(Err(_)) => {
                    self.kill_directly();
                    LossCause::Bridge("its fork server ended".to_owned())
                }
                Err(_) => {
                    kill();
                    self.exit_cause().await;
                    LossCause::Bridge("it closed its bridge".to_owned())
                }
            },
            End::Unheard => {
                kill();
                LossCause::Bridge("the controller is gone".to_owned())
            }
        }
    }

    async fn exit_cause(&mut self) {
        if timeout(EXIT_DEADLINE, &mut self.exit).await.is_err() {
            tracing::warn!(pid = self.pid, "an engine was killed and does not end");
            self.kill_directly();
        }
    }

    /// Without the fork server, which knew whether the process group was still there.
    fn kill_directly(&self) {
        if let Some(pid) = Pid::from_raw(self.pid as i32) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// The frames a dead process left in the socket.
    pub(crate) async fn last_event(&mut self) -> Option<MainEvent> {
        timeout(LAST_FRAME_DEADLINE, self.main.next()).await.ok()?.ok()
    }
}

/// A pipe at an engine's descriptor 1 or 2: what subprocesses and native code print.
#[derive(Debug)]
pub(crate) struct Pipe {
    stream: StreamName,
    pipe: Option<pipe::Receiver>,
    text: Utf8Tail,
}

impl Pipe {
    fn new(stream: StreamName, pipe: pipe::Receiver) -> Pipe {
        Pipe { stream, pipe: Some(pipe), text: Utf8Tail::default() }
    }

    /// Waits until there is something in it; forever if it is closed.
    pub(crate) async fn readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Passes on what is in it, after [`readable`](Self::readable).
    pub(crate) fn read_ready(&mut self, task: Option<TaskId>, output: &mut Output) {
        let Some(pipe) = &self.pipe else { return };
        let mut chunk = vec![0; PIPE_BYTES];
        let read = pipe.try_read(&mut chunk);
        self.on_read(read, chunk, task, output);
    }

    /// Passes on what is in it now, known to tokio or not: what a finished statement printed must come before its
    /// answer. One read takes all that a pipe holds; what a background process adds meanwhile is not waited for.
    pub(crate) fn drain(&mut self, task: Option<TaskId>, output: &mut Output) {
        let Some(pipe) = &self.pipe else { return };
        match rustix::io::ioctl_fionread(pipe) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut chunk = vec![0; PIPE_BYTES];
        let read = rustix::io::read(pipe, &mut chunk[..]).map_err(io::Error::from);
        self.on_read(read, chunk, task, output);
    }

    /// The end of what is in it now.
    fn tail(&mut self) -> String {
        let Some(pipe) = &self.pipe else { return String::new() };
        let mut chunk = vec![0; PIPE_BYTES];
        let read = rustix::io::read(pipe, &mut chunk[..]).unwrap_or(0);
        String::from_utf8_lossy(&chunk[read.saturating_sub(TAIL_BYTES)..read]).into_owned()
    }

    fn on_read(
        &mut self,
        read: io::Result<usize>,
        mut chunk: Vec<u8>,
        task: Option<TaskId>,
        output: &mut Output,
    ) {
        let text: Bytes = match read {
            Ok(0) => {
                self.pipe = None;
                self.text.end()
            }
            Ok(read) => {
                chunk.truncate(read);
                self.text.push(chunk)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return;
            }
            Err(_) => {
                self.pipe = None;
                return;
            }
        };
        output.push_text(self.stream, task, text);
    }
}
