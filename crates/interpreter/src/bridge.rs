//! The bridge's meaning: work and questions as frames, frames as results, output and answers.
//!
//! A [`Bridge`] is both sockets of one interpreter, already split into halves, so that whoever dispatches work can write
//! while somebody else reads. Writing never waits: what the socket does not take stays queued in the writer, and its
//! owner awaits [`Writable`] and calls `flush`. Nobody here interprets user data; results pass as they came.

use crate::{
    frame::{Frame, FrameError, Header, Incoming, kind},
    socket::{FrameSink, FrameSource, SocketError},
};
use antiphon_protocol::{
    Ask, EngineInfo, Loss, LossCause, Outcome, StreamName, Want, Work, limits::MAX_MESSAGE_BYTES,
};
use bytes::Bytes;
use serde::Deserialize;
use std::{collections::BTreeMap, io, os::unix::net::UnixStream as StdUnixStream, sync::Arc};
use tokio::net::UnixStream;

/// Longest answer that is kept: what a message of the wire carries, so that every kept answer can be passed on.
pub const MAX_ANSWER_BYTES: u64 = MAX_MESSAGE_BYTES - (1 << 20);

/// Longest STREAM frame: 64 KiB of text, with room to spare.
const MAX_STREAM_BYTES: usize = 1 << 20;

/// EXECUTE's and CALL's flags.
const WANT_REPR: u8 = 1;
const WANT_VALUE: u8 = 2;
const SCRIPT: u8 = 4;

/// RESULT's flags.
const IS_ERROR: u8 = 1;
const HAS_REPR: u8 = 2;
const HAS_VALUE: u8 = 4;
const REPR_CUT: u8 = 8;

/// Why an interpreter cannot be spoken to any more, or did not understand.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The interpreter's end of the bridge is closed: it is gone or about to be.
    #[error("the interpreter closed the bridge")]
    Closed,
    /// The interpreter is gone.
    #[error("the interpreter is gone: {0}")]
    Ended(LossCause),
    /// A socket or pipe failed.
    #[error("the bridge's socket failed")]
    Io(#[from] io::Error),
    /// A frame over the limits, in either direction.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that makes no sense.
    #[error("the bridge carried nonsense: {0}")]
    Nonsense(String),
}

impl From<SocketError> for BridgeError {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Closed => BridgeError::Closed,
            SocketError::Io(error) => BridgeError::Io(error),
            SocketError::Frame(error) => BridgeError::Frame(error),
        }
    }
}

/// Both sockets of one interpreter.
#[derive(Debug)]
pub struct Bridge {
    /// What the interpreter's main thread says.
    pub main: MainReader,
    /// What it is told.
    pub work: MainWriter,
    /// The side thread's answers.
    pub side: SideReader,
    /// What the side thread is asked and told.
    pub ask: SideWriter,
}

impl Bridge {
    /// Takes the Rust ends of both socket pairs. Must be called inside a tokio runtime.
    pub fn new(main: StdUnixStream, side: StdUnixStream) -> io::Result<Bridge> {
        let (main, side) = (Arc::new(registered(main)?), Arc::new(registered(side)?));
        Ok(Bridge {
            main: MainReader { source: FrameSource::new(main.clone(), MAX_ANSWER_BYTES) },
            work: MainWriter { sink: FrameSink::new(main) },
            side: SideReader { source: FrameSource::new(side.clone(), MAX_ANSWER_BYTES) },
            ask: SideWriter { sink: FrameSink::new(side) },
        })
    }
}

pub(crate) fn registered(socket: StdUnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// What the main thread says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainEvent {
    /// It is ready for work.
    Ready(EngineInfo),
    /// A task ended.
    Result {
        /// The task.
        task: u64,
        /// How.
        outcome: Outcome,
        /// The answer, as it goes over the wire.
        segments: Vec<Bytes>,
    },
    /// It printed.
    Stream {
        /// The task that runs or ran last; 0 if there was none.
        task: u64,
        /// Where.
        stream: StreamName,
        /// UTF-8 text.
        text: Bytes,
    },
}

/// Reads the main socket.
#[derive(Debug)]
pub struct MainReader {
    source: FrameSource,
}

impl MainReader {
    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Result<Option<MainEvent>, BridgeError> {
        self.source.try_next()?.map(main_event).transpose()
    }

    /// The next event. May be dropped while it waits; nothing is lost.
    pub async fn next(&mut self) -> Result<MainEvent, BridgeError> {
        main_event(self.source.next().await?)
    }

    /// Waits until there is something to read.
    pub async fn readable(&self) -> io::Result<()> {
        self.source.readable().await
    }
}

/// Waits for a socket to take more bytes, without borrowing its writer.
#[derive(Clone, Debug)]
pub struct Writable(Arc<UnixStream>);

impl Writable {
    /// Waits.
    pub async fn wait(&self) -> io::Result<()> {
        self.0.writable().await
    }
}

/// Writes the main socket.
#[derive(Debug)]
pub struct MainWriter {
    sink: FrameSink,
}

impl MainWriter {
    /// Sends work: writes at once what the socket takes and queues the rest. True if all is written.
    pub fn send(&mut self, task: u64, work: &Work, segments: &[Bytes]) -> Result<bool, BridgeError> {
        send_now(&mut self.sink, work_header(task, work), segments)
    }

    /// True if bytes wait for the socket.
    pub fn is_pending(&self) -> bool {
        self.sink.is_pending()
    }

    /// What to wait for before [`flush`](Self::flush).
    pub fn writable(&self) -> Writable {
        Writable(self.sink.socket())
    }

    /// Writes what the socket takes now.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush_ready()
    }

    /// Hands over the package's files and the configuration: what BOOT reads first.
    pub(crate) async fn send_payload(&mut self, payload: Vec<u8>) -> io::Result<()> {
        self.sink.push_raw(payload.into());
        self.sink.flush().await
    }
}

/// The answer to a question: JSON, or why there is none.
pub type Answer = Result<Bytes, String>;

/// Reads the side socket.
#[derive(Debug)]
pub struct SideReader {
    source: FrameSource,
}

impl SideReader {
    /// The next answer, and which question's it is. May be dropped while it waits; nothing is lost.
    pub async fn next(&mut self) -> Result<(u64, Answer), BridgeError> {
        let (header, segments) = kept(self.source.next().await?)?;
        if header.kind != kind::ANSWER {
            return Err(BridgeError::Nonsense(format!("a frame of kind {} on the side socket", header.kind)));
        }
        let json = only_segment(segments)?;
        let answer = match header.flags & IS_ERROR {
            0 => Ok(json),
            _ => Err(String::from_utf8_lossy(&json).into_owned()),
        };
        Ok((header.id, answer))
    }
}

/// Writes the side socket.
#[derive(Debug)]
pub struct SideWriter {
    sink: FrameSink,
}

impl SideWriter {
    /// Asks: writes at once what the socket takes and queues the rest. True if all is written.
    pub fn ask(&mut self, query: u64, ask: Ask, json: &Bytes) -> Result<bool, BridgeError> {
        let kind = match ask {
            Ask::Complete => kind::COMPLETE,
            Ask::Inspect => kind::INSPECT,
            Ask::Check => kind::CHECK,
            Ask::Who => kind::WHO,
        };
        let header = Header { kind, id: query, ..Header::default() };
        let segments = if ask == Ask::Who { &[][..] } else { std::slice::from_ref(json) };
        self.push(header, segments)
    }

    /// KeyboardInterrupt in this task, if it runs. True if all is written.
    pub fn interrupt(&mut self, task: u64) -> Result<bool, BridgeError> {
        self.push(Header { kind: kind::INTERRUPT, id: task, ..Header::default() }, &[])
    }

    fn push(&mut self, header: Header, segments: &[Bytes]) -> Result<bool, BridgeError> {
        send_now(&mut self.sink, header, segments)
    }

    /// True if bytes wait for the socket.
    pub fn is_pending(&self) -> bool {
        self.sink.is_pending()
    }

    /// What to wait for before [`flush`](Self::flush).
    pub fn writable(&self) -> Writable {
        Writable(self.sink.socket())
    }

    /// Writes what the socket takes now.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush_ready()
    }
}

/// Queues a frame and writes what the socket takes of it at once. True if all is written.
fn send_now(sink: &mut FrameSink, header: Header, segments: &[Bytes]) -> Result<bool, BridgeError> {
    sink.push(header, segments)?;
    sink.flush_now()?;
    Ok(!sink.is_pending())
}

fn work_header(task: u64, work: &Work) -> Header {
    let wanted = |want: &Want| {
        let flags = if want.repr.is_some() { WANT_REPR } else { 0 } | if want.value { WANT_VALUE } else { 0 };
        (flags, want.repr.unwrap_or(0))
    };
    let (kind, (flags, extra)) = match work {
        Work::Execute { want, script } => {
            let (flags, extra) = wanted(want);
            (kind::EXECUTE, (flags | if *script { SCRIPT } else { 0 }, extra))
        }
        Work::Call { want } => (kind::CALL, wanted(want)),
        Work::Put => (kind::PUT, (0, 0)),
        Work::Get => (kind::GET, (0, 0)),
        Work::Reset => (kind::RESET, (0, 0)),
        Work::Bind => (kind::BIND, (0, 0)),
    };
    Header { kind, flags, extra, id: task }
}

fn main_event(incoming: Incoming) -> Result<MainEvent, BridgeError> {
    let Frame { header, segments } = match incoming {
        Incoming::Frame(frame) => frame,
        Incoming::Oversized { header, bytes } => {
            let loss = Loss { cause: LossCause::TooLarge(bytes), started: true };
            return Ok(MainEvent::Result {
                task: header.id,
                outcome: Outcome::Lost(loss),
                segments: Vec::new(),
            });
        }
    };
    match header.kind {
        kind::READY => Ok(MainEvent::Ready(ready(&only_segment(segments)?)?)),
        kind::RESULT => result(header, segments),
        kind::STREAM => {
            let text = only_segment(segments)?;
            if text.len() > MAX_STREAM_BYTES {
                return Err(BridgeError::Nonsense(format!("{} bytes of output in one frame", text.len())));
            }
            let stream = if header.flags == 2 { StreamName::Stderr } else { StreamName::Stdout };
            Ok(MainEvent::Stream { task: header.id, stream, text })
        }
        kind => Err(BridgeError::Nonsense(format!("a frame of kind {kind} on the main socket"))),
    }
}

fn result(header: Header, mut segments: Vec<Bytes>) -> Result<MainEvent, BridgeError> {
    #[derive(Deserialize)]
    struct Raised {
        interrupted: bool,
        exit: Option<i32>,
    }
    let outcome = if header.flags & IS_ERROR == 0 {
        Outcome::Done {
            repr: header.flags & HAS_REPR != 0,
            value: header.flags & HAS_VALUE != 0,
            cut: (header.flags & REPR_CUT != 0).then_some(header.extra),
        }
    } else {
        let json = segments.pop().unwrap_or_default();
        let Raised { interrupted, exit } = serde_json::from_slice(&json)
            .map_err(|error| BridgeError::Nonsense(format!("the end of an error's frame: {error}")))?;
        Outcome::Raised { interrupted, exit }
    };
    Ok(MainEvent::Result { task: header.id, outcome, segments })
}

/// Reads READY's JSON.
pub(crate) fn ready(json: &[u8]) -> Result<EngineInfo, BridgeError> {
    #[derive(Deserialize)]
    struct Ready {
        implementation: String,
        version: String,
        executable: Option<String>,
        pid: u32,
        #[serde(default)]
        packages: BTreeMap<String, String>,
    }
    let Ready { implementation, version, executable, pid, packages } = serde_json::from_slice(json)
        .map_err(|error| BridgeError::Nonsense(format!("the interpreter's READY: {error}")))?;
    Ok(EngineInfo {
        implementation,
        version,
        executable: executable.unwrap_or_default(),
        pid,
        packages: packages.into_iter().collect(),
    })
}

fn kept(incoming: Incoming) -> Result<(Header, Vec<Bytes>), BridgeError> {
    match incoming {
        Incoming::Frame(Frame { header, segments }) => Ok((header, segments)),
        Incoming::Oversized { header, bytes } => {
            Err(BridgeError::Nonsense(format!("a frame of kind {} and {bytes} bytes", header.kind)))
        }
    }
}

fn only_segment(mut segments: Vec<Bytes>) -> Result<Bytes, BridgeError> {
    match (segments.pop(), segments.is_empty()) {
        (Some(segment), true) => Ok(segment),
        _ => Err(BridgeError::Nonsense("a frame that should have one segment has another number".to_owned())),
    }
}
