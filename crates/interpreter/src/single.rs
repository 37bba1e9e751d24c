//! One interpreter as a child of this process: the shell's local one.
//!
//! Owns its process, its bridge and the pipes of its descriptors 1 and 2. Work runs in order, one after the other;
//! questions and interrupts are for while it runs. Nothing is read while nothing runs: what background threads print
//! then waits in the sockets and comes with the next work. It is not restarted here.

use crate::{
    Bridge, BridgeError, InterpreterConfig, Python, StartError,
    bridge::{Answer, MainEvent, MainReader, MainWriter, SideReader, SideWriter},
    pipe::{Tail, pair},
    process::Process,
    source,
    text::Utf8Tail,
};
use antiphon_protocol::{Ask, EngineInfo, LossCause, Outcome, StreamName, Work};
use bytes::Bytes;
use std::{
    io,
    os::{fd::AsRawFd, unix::net::UnixStream as StdUnixStream},
    process::Stdio,
    sync::{
        Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{net::unix::pipe, sync::Mutex, time::timeout};

/// How long an interpreter may take to be ready: NumPy on a cold network folder takes seconds.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How long the end of the bridge may come before the end of the process.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// Read from a pipe at once.
const PIPE_BYTES: usize = 64 << 10;

/// What work printed, as it is written.
type OnStream<'a> = &'a mut (dyn FnMut(StreamName, Bytes) + Send);

/// One interpreter. Dropping it kills it and its process group.
#[derive(Debug)]
pub struct Interpreter {
    process: Process,
    info: EngineInfo,
    main: Mutex<Main>,
    side: Mutex<SideReader>,
    /// Never held across an await.
    ask: StdMutex<SideWriter>,
    /// The task that runs; 0 if none does.
    running: AtomicU64,
    next: AtomicU64,
}

/// What running work needs.
#[derive(Debug)]
struct Main {
    reader: MainReader,
    writer: MainWriter,
    stdout: Output,
    stderr: Output,
}

/// A pipe of the interpreter's.
#[derive(Debug)]
struct Output {
    name: StreamName,
    pipe: Option<pipe::Receiver>,
    text: Utf8Tail,
}

impl Interpreter {
    /// Starts it and waits until it is ready. Must be called inside a tokio runtime.
    pub async fn start(python: &Python, config: InterpreterConfig) -> Result<Interpreter, StartError> {
        let descriptors = StartError::Descriptors;
        let (main, their_main) = StdUnixStream::pair().map_err(descriptors)?;
        let (side, their_side) = StdUnixStream::pair().map_err(descriptors)?;
        let (stdout, stdout_writer) = pair().map_err(descriptors)?;
        let (stderr, stderr_writer) = pair().map_err(descriptors)?;
        let mut bridge = Bridge::new(main, side).map_err(descriptors)?;
        let mut command = python.command();
        command.arg("single");
        command.args([their_main.as_raw_fd().to_string(), their_side.as_raw_fd().to_string()]);
        command.stdin(Stdio::null()).stdout(stdout_writer).stderr(stderr_writer);
        let payload = source::payload(&config).map_err(StartError::Config)?;
        let process = Process::spawn(command, vec![their_main.into(), their_side.into()])?;
        let info = greet(python, &process, &mut bridge, payload, &stderr).await?;
        let Bridge { main, work, side, ask } = bridge;
        let output = |name, pipe| Output { name, pipe: Some(pipe), text: Utf8Tail::default() };
        Ok(Interpreter {
            process,
            info,
            main: Mutex::new(Main {
                reader: main,
                writer: work,
                stdout: output(StreamName::Stdout, stdout),
                stderr: output(StreamName::Stderr, stderr),
            }),
            side: Mutex::new(side),
            ask: StdMutex::new(ask),
            running: AtomicU64::new(0),
            next: AtomicU64::new(1),
        })
    }

    /// What it is.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// Runs work in order. Output comes as it is written, what subprocesses print on descriptors 1 and 2 included, and
    /// all of it before the answer. If the future is dropped the work runs on, unheard.
    pub async fn run(
        &self,
        work: Work,
        segments: Vec<Bytes>,
        on_stream: OnStream<'_>,
    ) -> Result<(Outcome, Vec<Bytes>), BridgeError> {
        let mut main = self.main.lock().await;
        let task = self.next.fetch_add(1, Ordering::Relaxed);
        let _running = Running::begin(&self.running, task);
        let result = main.run(task, &work, &segments, on_stream).await;
        if let Err(BridgeError::Closed) = result {
            main.drain(on_stream);
            return Err(BridgeError::Ended(self.cause().await));
        }
        result
    }

    /// Asks, also while work runs. No deadline of its own: an interpreter that is inside native code answers late.
    pub async fn ask(&self, ask: Ask, json: Bytes) -> Result<Answer, BridgeError> {
        let mut side = self.side.lock().await;
        let query = self.next.fetch_add(1, Ordering::Relaxed);
        let mut is_written = self.asking().ask(query, ask, &json)?;
        let writable = self.asking().writable();
        loop {
            let answer = if is_written {
                side.next().await
            } else {
                tokio::select! {
                    answer = side.next() => answer,
                    ready = writable.wait() => {
                        ready?;
                        let mut asking = self.asking();
                        asking.flush()?;
                        is_written = !asking.is_pending();
                        continue;
                    }
                }
            };
            match answer {
                Ok((id, answer)) if id == query => return Ok(answer),
                Ok(_) => {} // of a question whose asker went away
                Err(BridgeError::Closed) => return Err(BridgeError::Ended(self.cause().await)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Interrupts the work that runs now, if any does.
    pub fn interrupt(&self) {
        let task = self.running.load(Ordering::Acquire);
        if task != 0
            && let Err(error) = self.asking().interrupt(task)
        {
            tracing::debug!(%error, "the interrupt was not sent");
        }
    }

    fn asking(&self) -> MutexGuard<'_, SideWriter> {
        self.ask.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, now that its bridge is closed.
    async fn cause(&self) -> LossCause {
        if timeout(EXIT_GRACE, self.process.exit()).await.is_err() {
            self.process.kill();
        }
        self.process.exit().await.cause()
    }
}

/// The payload in, READY out.
async fn greet(
    python: &Python,
    process: &Process,
    bridge: &mut Bridge,
    payload: Vec<u8>,
    stderr: &pipe::Receiver,
) -> Result<EngineInfo, StartError> {
    let mut tail = Tail::default();
    let spoken = async {
        bridge.work.send_payload(payload).await?;
        bridge.main.next().await
    };
    let got = tokio::select! {
        got = timeout(READY_DEADLINE, spoken) => got,
        () = tail.follow(stderr) => Ok(Err(BridgeError::Closed)),
    };
    let program = python.program.clone();
    let source = match got {
        Ok(Ok(MainEvent::Ready(info))) => return Ok(info),
        Ok(Ok(_)) => BridgeError::Nonsense("the first frame is not READY".to_owned()),
        Ok(Err(BridgeError::Closed | BridgeError::Io(_))) => {
            let exit = timeout(EXIT_GRACE, process.exit()).await;
            tail.drain(stderr);
            let cause = exit.map_or(LossCause::Bridge("it closed the bridge".to_owned()), crate::Exit::cause);
            return Err(StartError::Ended { program, cause, stderr: tail.text() });
        }
        Ok(Err(error)) => error,
        Err(_) => {
            let seconds = READY_DEADLINE.as_secs();
            return Err(StartError::Deadline { program, seconds, stderr: tail.text() });
        }
    };
    Err(StartError::Bridge { program, source, stderr: tail.text() })
}

/// Says which task runs, for as long as it lives.
struct Running<'a>(&'a AtomicU64);

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicU64, task: u64) -> Running<'a> {
        running.store(task, Ordering::Release);
        Running(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Main {
    async fn run(
        &mut self,
        task: u64,
        work: &Work,
        segments: &[Bytes],
        on_stream: OnStream<'_>,
    ) -> Result<(Outcome, Vec<Bytes>), BridgeError> {
        self.writer.send(task, work, segments).map_err(closed)?;
        loop {
            while let Some(event) = self.reader.try_next()? {
                match event {
                    MainEvent::Stream { stream, text, .. } => on_stream(stream, text),
                    MainEvent::Result { task: ended, outcome, segments } if ended == task => {
                        self.drain(on_stream);
                        return Ok((outcome, segments));
                    }
                    // Of work whose caller went away, or a second READY: nobody waits for it.
                    MainEvent::Result { .. } | MainEvent::Ready(_) => {}
                }
            }
            let writable = self.writer.writable();
            tokio::select! {
                ready = self.reader.readable() => ready?,
                ready = writable.wait(), if self.writer.is_pending() => {
                    ready?;
                    self.writer.flush().map_err(|error| closed(error.into()))?;
                }
                () = self.stdout.readable() => self.stdout.read(on_stream),
                () = self.stderr.readable() => self.stderr.read(on_stream),
            }
        }
    }

    /// What is in the pipes now: it was printed before the answer, or before the end.
    fn drain(&mut self, on_stream: OnStream<'_>) {
        self.stdout.drain(on_stream);
        self.stderr.drain(on_stream);
    }
}

/// A broken pipe is the other side's end.
fn closed(error: BridgeError) -> BridgeError {
    match error {
        BridgeError::Io(error)
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
        {
            BridgeError::Closed
        }
        error => error,
    }
}

impl Output {
    /// Waits until the pipe has something; forever if it is closed.
    async fn readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Passes on what is in the pipe, after [`readable`](Self::readable).
    fn read(&mut self, on_stream: OnStream<'_>) {
        let Some(pipe) = &self.pipe else { return };
        let mut chunk = vec![0; PIPE_BYTES];
        let read = pipe.try_read(&mut chunk);
        self.on_read(read, chunk, on_stream);
    }

    /// Passes on what is in the pipe now, known to tokio or not. One read takes all that a pipe holds, so that a flood
    /// from the background does not hold up an answer.
    fn drain(&mut self, on_stream: OnStream<'_>) {
        let Some(pipe) = &self.pipe else { return };
        if !matches!(rustix::io::ioctl_fionread(pipe), Ok(1..)) {
            return;
        }
        let mut chunk = vec![0; PIPE_BYTES];
        let read = rustix::io::read(pipe, &mut chunk[..]).map_err(io::Error::from);
        self.on_read(read, chunk, on_stream);
    }

    fn on_read(&mut self, read: io::Result<usize>, mut chunk: Vec<u8>, on_stream: OnStream<'_>) {
        match read {
            Ok(0) => {
                self.pipe = None;
                let rest = self.text.end();
                if !rest.is_empty() {
                    on_stream(self.name, rest);
                }
            }
            Ok(read) => {
                chunk.truncate(read);
                let text = self.text.push(chunk);
                if !text.is_empty() {
                    on_stream(self.name, text);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }
}
