//! A warmed interpreter that engines are forked from: a fork costs a millisecond, a fresh start twenty-five.
//!
//! Owns the server's process; its end is everybody's end, by end of file and by `Drop`. Forks are requested as a
//! pipeline: [`ForkServer::fork`] may be called many times at once. It does not restart anything.

use crate::{
    Bridge, BridgeError, Exit, InterpreterConfig, Python, StartError, bridge,
    frame::{FrameQueue, Header, Incoming, kind},
    pipe::{Tail, pair},
    process::Process,
    socket::{FrameSource, SocketError},
    source,
};
use antiphon_protocol::EngineInfo;
use bytes::Bytes;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Deserialize;
use std::{
    collections::{HashMap, VecDeque},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdUnixStream,
    },
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{UnixStream, unix::pipe},
    sync::{Notify, Semaphore, oneshot},
    task::AbortHandle,
    time::timeout,
};

/// How long the server may take to be ready: NumPy on a cold network folder takes seconds.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How long one fork may take.
const FORK_DEADLINE: Duration = Duration::from_secs(30);

/// Forks under way at once. Descriptors in flight are limited (five a fork, as many as RLIMIT_NOFILE allows).
const MAX_FORKS_UNDER_WAY: usize = 32;

/// How long the server has to kill its engines' process groups, a millisecond's work for a hundred of them.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Longest frame of the fork server.
const MAX_FRAME_BYTES: u64 = 1 << 20;

/// Why there is no new engine.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// Sockets, pipes or descriptors.
    #[error("the sockets and pipes of an engine cannot be made")]
    Descriptors(#[source] io::Error),
    /// The server is gone.
    #[error("the fork server is gone")]
    ServerGone,
    /// The server could not fork.
    #[error("the fork server could not fork: {0}")]
    Refused(String),
    /// No answer.
    #[error("the fork server did not answer within {} s", FORK_DEADLINE.as_secs())]
    Deadline,
    /// The configuration cannot be written as JSON.
    #[error("the configuration of an engine cannot be encoded")]
    Config(#[source] serde_json::Error),
}

/// A new engine. It is not ready yet: its bridge says READY.
#[derive(Debug)]
pub struct ForkedEngine {
    /// The fork server's name for it.
    pub fork: u64,
    /// Its process.
    pub pid: u32,
    /// Its bridge.
    pub bridge: Bridge,
    /// Its descriptor 1.
    pub stdout: pipe::Receiver,
    /// Its descriptor 2.
    pub stderr: pipe::Receiver,
    /// Its end; an error if the fork server went first.
    pub exit: oneshot::Receiver<Exit>,
}

/// The server. Dropping it kills every engine it forked.
#[derive(Debug)]
pub struct ForkServer {
    process: Arc<Process>,
    info: EngineInfo,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 3],
    permits: Semaphore,
    next: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    socket: Arc<UnixStream>,
    state: Mutex<State>,
    /// Something to write.
    work: Notify,
    /// The server is gone.
    gone: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_gone: bool,
    outgoing: VecDeque<Outgoing>,
    forks: HashMap<u64, Fork>,
}

/// A frame that waits, with the descriptors that go with its first byte.
#[derive(Debug)]
struct Outgoing {
    bytes: FrameQueue,
    fds: Vec<OwnedFd>,
}

/// Who waits for what.
#[derive(Debug)]
struct Fork {
    forked: Option<oneshot::Sender<Result<u32, String>>>,
    exit: Option<oneshot::Sender<Exit>>,
}

impl ForkServer {
    /// Starts it and waits until it is ready. Must be called inside a tokio runtime.
    pub async fn start(python: &Python) -> Result<ForkServer, StartError> {
        let (ours, theirs) = StdUnixStream::pair().map_err(StartError::Descriptors)?;
        let (output, output_writer) = pair().map_err(StartError::Descriptors)?;
        let socket = Arc::new(bridge::registered(ours).map_err(StartError::Descriptors)?);
        let mut command = python.command();
        command.args(["fork-server", &std::os::fd::AsRawFd::as_raw_fd(&theirs).to_string()]);
        let stdout = output_writer.try_clone().map_err(StartError::Descriptors)?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(output_writer);
        let process = Process::spawn(command, vec![theirs.into()])?;
        let payload = source::payload(&InterpreterConfig::default()).map_err(StartError::Config)?;

        let mut queue = FrameQueue::default();
        queue.push_raw(payload.into());
        let first = Outgoing { bytes: queue, fds: Vec::new() };
        let state = State { outgoing: VecDeque::from([first]), ..State::default() };
        let shared = Arc::new(Shared {
            socket: socket.clone(),
            state: Mutex::new(state),
            work: Notify::new(),
            gone: Notify::new(),
        });
        let writer = AbortOnDrop(tokio::spawn(write_out(shared.clone())).abort_handle());
        let mut frames = FrameSource::new(socket, MAX_FRAME_BYTES);
        let mut tail = Tail::default();
        let info = wait_ready(&python.program, &process, &mut frames, &output, &mut tail).await?;
        let reader = tokio::spawn(read_in(shared.clone(), frames)).abort_handle();
        let log = tokio::spawn(log_output(output)).abort_handle();
        Ok(ForkServer {
            process: Arc::new(process),
            info,
            shared,
            tasks: [writer.keep(), reader, log],
            permits: Semaphore::new(MAX_FORKS_UNDER_WAY),
            next: AtomicU64::new(1),
        })
    }

    /// What the interpreter is.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// True once it is gone; its engines with it.
    pub fn is_gone(&self) -> bool {
        self.shared.lock().is_gone
    }

    /// Forks an engine. Many may be under way at once.
    pub async fn fork(&self, config: &InterpreterConfig) -> Result<ForkedEngine, ForkError> {
        let json = serde_json::to_vec(config).map_err(ForkError::Config)?;
        let _permit = self.permits.acquire().await.map_err(|_| ForkError::ServerGone)?;
        let fork = self.next.fetch_add(1, Ordering::Relaxed);
        let Descriptors { main, side, stdout, stderr, theirs } =
            Descriptors::new().map_err(ForkError::Descriptors)?;
        let bridge = Bridge::new(main, side).map_err(ForkError::Descriptors)?;
        let (forked, answer) = oneshot::channel();
        let (exited, exit) = oneshot::channel();
        let mut bytes = FrameQueue::default();
        let header = Header { kind: kind::FORK, id: fork, ..Header::default() };
        let _ = bytes.push(header, &[Bytes::from(json)]);
        {
            let mut state = self.shared.lock();
            if state.is_gone {
                return Err(ForkError::ServerGone);
            }
            state.forks.insert(fork, Fork { forked: Some(forked), exit: Some(exited) });
            state.outgoing.push_back(Outgoing { bytes, fds: theirs });
        }
        // If this future is dropped, the engine finds its bridge closed and ends; its entry goes with EXITED.
        self.shared.work.notify_one();
        let pid = match timeout(FORK_DEADLINE, answer).await {
            Err(_) => return Err(ForkError::Deadline),
            Ok(Err(_)) => return Err(ForkError::ServerGone),
            Ok(Ok(Err(message))) => return Err(ForkError::Refused(message)),
            Ok(Ok(Ok(pid))) => pid,
        };
        Ok(ForkedEngine { fork, pid, bridge, stdout, stderr, exit })
    }

    /// Sends a signal to an engine's process group, by the server, which knows whether the engine is still there.
    pub fn signal(&self, fork: u64, signal: i32) {
        let mut bytes = FrameQueue::default();
        let header = Header { kind: kind::KILL, id: fork, extra: signal as u32, ..Header::default() };
        let _ = bytes.push(header, &[]);
        let mut state = self.shared.lock();
        if state.forks.contains_key(&fork) {
            state.outgoing.push_back(Outgoing { bytes, fds: Vec::new() });
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Ends it in an orderly way: it kills every engine's process group and exits. It is killed if it does not.
    pub async fn stop(&self) {
        let _ = rustix::net::shutdown(&*self.shared.socket, rustix::net::Shutdown::Both);
        if timeout(STOP_GRACE, self.process.exit()).await.is_err() {
            tracing::warn!(pid = self.pid(), "the fork server did not end in time and is killed");
            self.process.kill();
        }
    }

    /// Waits until the server is gone.
    pub async fn gone(&self) -> Exit {
        loop {
            let gone = self.shared.gone.notified();
            if self.is_gone() {
                return self.process.exit().await;
            }
            gone.await;
        }
    }
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        // The end of file makes the server kill its engines' process groups; it is killed itself only if it does not end.
        let _ = rustix::net::shutdown(&*self.shared.socket, rustix::net::Shutdown::Both);
        for task in &self.tasks {
            task.abort();
        }
        self.shared.on_gone();
        Process::kill_after(&self.process, STOP_GRACE);
    }
}

/// Aborts a task unless it is kept.
struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    fn keep(self) -> AbortHandle {
        let handle = self.0.clone();
        std::mem::forget(self);
        handle
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The descriptors of a new engine.
struct Descriptors {
    main: StdUnixStream,
    side: StdUnixStream,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    /// The engine's ends: main, side, stdin, stdout, stderr.
    theirs: Vec<OwnedFd>,
}

impl Descriptors {
    fn new() -> io::Result<Descriptors> {
        let (main, their_main) = StdUnixStream::pair()?;
        let (side, their_side) = StdUnixStream::pair()?;
        let stdin = std::fs::File::open("/dev/null")?;
        let (stdout, their_stdout) = pair()?;
        let (stderr, their_stderr) = pair()?;
        let theirs = vec![their_main.into(), their_side.into(), stdin.into(), their_stdout, their_stderr];
        Ok(Descriptors { main, side, stdout, stderr, theirs })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody who waits learns that the server is gone, as their channels close.
    fn on_gone(&self) {
        let mut state = self.lock();
        state.is_gone = true;
        state.forks.clear();
        state.outgoing.clear();
        drop(state);
        self.gone.notify_waiters();
        self.work.notify_one();
    }
}

/// Waits for READY; says why it did not come.
async fn wait_ready(
    program: &Path,
    process: &Process,
    frames: &mut FrameSource,
    output: &pipe::Receiver,
    tail: &mut Tail,
) -> Result<EngineInfo, StartError> {
    let program = program.to_owned();
    let got = tokio::select! {
        got = timeout(READY_DEADLINE, frames.next()) => got,
        () = tail.follow(output) => Ok(Err(SocketError::Closed)),
    };
    let source = match got {
        Ok(Ok(Incoming::Frame(frame))) if frame.header.kind == kind::READY => {
            match bridge::ready(frame.segments.first().map_or(&[][..], |json| json)) {
                Ok(info) => return Ok(info),
                Err(error) => error,
            }
        }
        Ok(Ok(_)) => BridgeError::Nonsense("the fork server's first frame is not READY".to_owned()),
        Ok(Err(SocketError::Closed)) => {
            let exit = timeout(Duration::from_secs(5), process.exit()).await;
            tail.drain(output);
            let cause = exit.map_or(antiphon_protocol::LossCause::Signal(9), Exit::cause);
            return Err(StartError::Ended { program, cause, stderr: tail.text() });
        }
        Ok(Err(error)) => error.into(),
        Err(_) => {
            let seconds = READY_DEADLINE.as_secs();
            return Err(StartError::Deadline { program, seconds, stderr: tail.text() });
        }
    };
    Err(StartError::Bridge { program, source, stderr: tail.text() })
}

/// Writes what waits, in order.
async fn write_out(shared: Arc<Shared>) {
    loop {
        let next = shared.lock().outgoing.pop_front();
        let Some(outgoing) = next else {
            shared.work.notified().await;
            if shared.lock().is_gone {
                return;
            }
            continue;
        };
        if write_one(&shared.socket, outgoing).await.is_err() {
            return; // the reader sees the end and says so
        }
    }
}

async fn write_one(socket: &UnixStream, mut outgoing: Outgoing) -> io::Result<()> {
    while !outgoing.bytes.is_empty() {
        socket.writable().await?;
        let fds: Vec<_> = outgoing.fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = socket.try_io(tokio::io::Interest::WRITABLE, || {
            Ok(sendmsg(socket, &outgoing.bytes.slices(), &mut control, flags)?)
        });
        match sent {
            Ok(written) => {
                outgoing.bytes.advance(written);
                outgoing.fds.clear();
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // Too many descriptors under way, this user's other programs included: they pass.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::TOOMANYREFS.raw_os_error()) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Tells who waits, until the server is gone.
async fn read_in(shared: Arc<Shared>, mut frames: FrameSource) {
    loop {
        match frames.next().await {
            Ok(Incoming::Frame(frame)) => on_frame(&shared, frame.header, frame.segments),
            Ok(Incoming::Oversized { .. }) => {}
            Err(error) => {
                tracing::debug!(%error, "the fork server is gone");
                shared.on_gone();
                return;
            }
        }
    }
}

fn on_frame(shared: &Shared, header: Header, segments: Vec<Bytes>) {
    #[derive(Deserialize)]
    struct Body {
        pid: u32,
        status: Option<i32>,
    }
    let data = segments.into_iter().next().unwrap_or_default();
    let mut state = shared.lock();
    match header.kind {
        kind::FORKED if header.flags & 1 != 0 => {
            let message = String::from_utf8_lossy(&data).into_owned();
            if let Some(forked) = state.forks.remove(&header.id).and_then(|fork| fork.forked) {
                let _ = forked.send(Err(message));
            }
        }
        kind::FORKED => {
            let waiting = state.forks.get_mut(&header.id).and_then(|fork| fork.forked.take());
            if let (Some(forked), Ok(body)) = (waiting, serde_json::from_slice::<Body>(&data)) {
                let _ = forked.send(Ok(body.pid));
            }
        }
        kind::EXITED => {
            let status = serde_json::from_slice::<Body>(&data).ok().and_then(|body| body.status);
            let exit = Exit::from_raw(status.unwrap_or(0));
            if let Some(waiting) = state.forks.remove(&header.id).and_then(|fork| fork.exit) {
                let _ = waiting.send(exit);
            }
        }
        kind => tracing::warn!(kind, "the fork server sent a frame of an unknown kind"),
    }
}

/// What the server itself prints (warnings of imports) goes to the log; it runs no user code.
async fn log_output(output: pipe::Receiver) {
    let mut chunk = [0; 4096];
    loop {
        if output.readable().await.is_err() {
            return;
        }
        match output.try_read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => {
                let text = String::from_utf8_lossy(&chunk[..read]);
                tracing::info!("the fork server printed: {}", text.trim_end());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
