//! The messages, by direction, and the values they carry.

use crate::{ClusterStatus, EngineId, EngineInfo, HostId, RequestId, Target, TaskId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A typed header and the opaque segments that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<H> {
    /// What is said.
    pub header: H,
    /// User data; never decoded on the way.
    pub segments: Vec<Bytes>,
}

impl<H> Message<H> {
    /// A message with user data.
    pub fn new(header: H, segments: Vec<Bytes>) -> Self {
        Message { header, segments }
    }

    /// Bytes of user data, for limits and queues.
    pub fn data_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len() as u64).sum()
    }
}

impl<H> From<H> for Message<H> {
    fn from(header: H) -> Self {
        Message { header, segments: Vec::new() }
    }
}

/// The two queues of a connection: urgent messages overtake ordinary ones between packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Interrupts, queries, credit, status: small, and never behind a gigabyte.
    Urgent,
    /// Everything whose order matters: requests, answers, output.
    Ordinary,
}

/// Which part of an answer the client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The value's `repr`, cut to this many characters (0: never cut). `None`: not wanted.
    pub repr: Option<u32>,
    /// The value itself, pickled.
    pub value: bool,
}

impl Want {
    /// Only whether it worked.
    pub const NOTHING: Want = Want { repr: None, value: false };
    /// The whole `repr`.
    pub const REPR: Want = Want { repr: Some(0), value: false };
    /// The pickled value.
    pub const VALUE: Want = Want { repr: None, value: true };
}

/// What an engine is to do; the segments are those of the bridge's frame of the same name (see ARCHITECTURE.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Run source. Segments: source, name of the source; for a script also a JSON list, its `sys.argv`.
    Execute {
        /// What to send back.
        want: Want,
        /// Run it as a script: with `sys.argv` and `__file__` set.
        script: bool,
    },
    /// Call a function. Segments: pickle of `(function, args, kwargs)`, buffers.
    Call {
        /// What to send back.
        want: Want,
    },
    /// Bind names. Segments: JSON list of names, pickle, buffers.
    Put,
    /// Fetch names. Segments: JSON list of names.
    Get,
    /// Empty the namespace. No segments.
    Reset,
    /// Bind one name to a list of values (local interpreter). Segments: JSON, then runs of pickles and buffers.
    Bind,
}

/// A question an interpreter answers while it is busy. The segment is the bridge's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Completions of a piece of source.
    Complete,
    /// What a name or expression is.
    Inspect,
    /// Whether interactive input is complete.
    Check,
    /// The user's names.
    Who,
}

/// What becomes of a client's unfinished requests when it leaves without a word or with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnLeave {
    /// Queued tasks are dropped, running ones interrupted.
    Cancel,
    /// They run to their end; nobody reads the answers.
    Keep,
}

/// What an interrupt is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interruption {
    /// Whatever is left of one of the client's own requests; its queued tasks never start.
    Request(RequestId),
    /// Whatever runs on these engines, whoever asked for it.
    Engines(Target),
}

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StreamName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How one task ended. The segments are those of the bridge's RESULT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ended well. Segments: repr (empty if there is none); then, if `value`, pickle and buffers.
    Done {
        /// There is a repr: the source ended in an expression that was not None.
        repr: bool,
        /// There is a pickled value.
        value: bool,
        /// The repr was cut; this is its full length in characters.
        cut: Option<u32>,
    },
    /// User code raised. Segments: name of the type, message, traceback as text.
    Raised {
        /// It was the KeyboardInterrupt of an interrupt.
        interrupted: bool,
        /// The status of a `SystemExit`.
        exit: Option<i32>,
    },
    /// No answer will come. No segments.
    Lost(Loss),
}

/// Why an engine gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What happened.
    pub cause: LossCause,
    /// Whether the task had been started; `false` means it certainly did not run.
    pub started: bool,
}

/// What took an engine or a task away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LossCause {
    /// The engine's process was killed by this signal.
    Signal(i32),
    /// The engine's process exited with this status.
    Exit(i32),
    /// The engine was restarted on request.
    Restarted,
    /// The engine could not be started: the reason.
    NotStarted(String),
    /// The host is gone: its name.
    HostLost(String),
    /// The request was cancelled before the task started.
    Cancelled,
    /// The answer was too large to send: its bytes.
    TooLarge(u64),
    /// The bridge spoke nonsense: what was wrong.
    Bridge(String),
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LossCause::Signal(9) => f.write_str("killed by signal 9 (SIGKILL)"),
            LossCause::Signal(11) => f.write_str("killed by signal 11 (SIGSEGV): native code crashed"),
            LossCause::Signal(15) => f.write_str("killed by signal 15 (SIGTERM)"),
            LossCause::Signal(6) => f.write_str("killed by signal 6 (SIGABRT)"),
            LossCause::Signal(signal) => write!(f, "killed by signal {signal}"),
            LossCause::Exit(status) => write!(f, "its process exited with status {status}"),
            LossCause::Restarted => f.write_str("it was restarted on request"),
            LossCause::NotStarted(reason) => write!(f, "it could not be started: {reason}"),
            LossCause::HostLost(host) => write!(f, "the host {host} is gone"),
            LossCause::Cancelled => f.write_str("cancelled before it started"),
            LossCause::TooLarge(bytes) => {
                write!(
                    f,
                    "the answer of {bytes} bytes is over the limit of {} bytes",
                    crate::limits::MAX_MESSAGE_BYTES
                )
            }
            LossCause::Bridge(what) => write!(f, "its bridge failed: {what}"),
        }
    }
}

/// Why the controller did not accept a request; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The target names what is not there; words for the user, with a hint.
    Target {
        /// What is wrong.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// A queue is full: which, and its limit.
    Full {
        /// The queue.
        queue: String,
        /// Its limit.
        limit: u64,
    },
    /// The request makes no sense: words for the user.
    Invalid(String),
    /// The cluster is shutting down.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Target { message, .. } => f.write_str(message),
            Refusal::Full { queue, limit } => write!(f, "{queue} is full (limit {limit})"),
            Refusal::Invalid(what) => f.write_str(what),
            Refusal::Stopping => f.write_str("the cluster is shutting down"),
        }
    }
}

/// Something that happened to the cluster, told to every client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// An engine answers (again). `restarts` counts how often it came back with an empty namespace.
    EngineUp {
        /// The engine.
        engine: EngineId,
        /// What it is.
        info: EngineInfo,
        /// Times it was restarted.
        restarts: u32,
    },
    /// An engine is gone; if `restarting`, it will be back under its id with an empty namespace.
    EngineDown {
        /// The engine.
        engine: EngineId,
        /// Why.
        cause: LossCause,
        /// Whether its host starts it again.
        restarting: bool,
    },
    /// A host joined with these engines (not ready yet).
    HostUp {
        /// The host's name.
        name: String,
        /// Its engines.
        engines: Vec<EngineId>,
    },
    /// A host is gone, and these engines with it.
    HostDown {
        /// The host's name.
        name: String,
        /// Its engines.
        engines: Vec<EngineId>,
    },
}

/// From a client to the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientToController {
    /// Do this work on the target's engines. Answered by `Accepted` and one `Answer` per engine, or by `Refused`.
    Submit {
        /// The client's name for it.
        request: RequestId,
        /// Which engines.
        target: Target,
        /// What.
        work: Work,
        /// What becomes of it when this client leaves.
        on_leave: OnLeave,
    },
    /// Interrupt. Answered by `Carried` with the number of tasks reached, or by `Refused`.
    Interrupt {
        /// The client's name for this message.
        request: RequestId,
        /// At what.
        what: Interruption,
    },
    /// Kill and restart engines, busy or not. Answered by `Carried` when they answer again, or by `Refused`.
    Restart {
        /// The client's name for it.
        request: RequestId,
        /// Which engines.
        target: Target,
    },
    /// A question to one engine, answered while it is busy: `Replied`. Segment: JSON.
    Query {
        /// The client's name for it.
        request: RequestId,
        /// The first engine of this target is asked.
        target: Target,
        /// What.
        ask: Ask,
    },
    /// What is up: answered by `Status`.
    Status {
        /// The client's name for it.
        request: RequestId,
    },
    /// This many bytes of an engine's output have been consumed.
    Credit {
        /// The engine.
        engine: EngineId,
        /// The bytes.
        bytes: u64,
    },
    /// End the whole cluster: answered by `Carried`, then the connection closes.
    Shutdown {
        /// The client's name for it.
        request: RequestId,
    },
}

/// From the controller to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllerToClient {
    /// The request was accepted; these engines will answer, in this order.
    Accepted {
        /// The request.
        request: RequestId,
        /// The engines, in target order. For a farmed request it is empty, and one answer will come.
        engines: Vec<EngineId>,
    },
    /// The request was refused; nothing was changed.
    Refused {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// One engine's answer; its segments with it. The request is finished when every position has one.
    Answer {
        /// The request.
        request: RequestId,
        /// The place in the list of answers.
        position: u32,
        /// Who.
        engine: EngineId,
        /// How it ended.
        outcome: Outcome,
        /// How long the engine worked on it, in microseconds.
        elapsed_us: u64,
    },
    /// Output of an engine. Segment: UTF-8 text. To be acknowledged by `Credit` when consumed.
    Stream {
        /// The request that runs there, or the last that ran.
        request: RequestId,
        /// Who.
        engine: EngineId,
        /// Where it was written.
        stream: StreamName,
    },
    /// The answer to a `Query`. Segment: JSON, or a message if not `ok`.
    Replied {
        /// The request.
        request: RequestId,
        /// Whether it was answered.
        ok: bool,
    },
    /// The answer to `Status`.
    Status {
        /// The request.
        request: RequestId,
        /// What is up.
        status: ClusterStatus,
    },
    /// An `Interrupt`, `Restart` or `Shutdown` was carried out, reaching this many.
    Carried {
        /// The request.
        request: RequestId,
        /// Tasks interrupted, engines restarted, hosts told.
        reached: u32,
    },
    /// Something happened to the cluster.
    Notice(Notice),
    /// The controller closes this connection: why, for the user.
    Goodbye {
        /// Why.
        reason: String,
    },
}

/// From the controller to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllerToHost {
    /// The host is in: its id and its engines' ids. Always the first message.
    Welcome {
        /// The host's id.
        host: HostId,
        /// Its engines' ids, one per engine it offered.
        engines: Vec<EngineId>,
        /// Engines in the whole cluster by now, these included.
        n_engines: u32,
    },
    /// Tasks with the same work, one per engine. The host queues them per engine, in order of arrival; an engine gets its
    /// tasks in the order of their ids. Dropped without a word while an `EngineDown` of the engine is without `DownSeen`.
    Run {
        /// Which task on which engine.
        tasks: Vec<(TaskId, EngineId)>,
        /// What.
        work: Work,
    },
    /// Interrupt these tasks if they run; drop them from the queue if they do not yet (answer: `Lost(Cancelled)`). It may
    /// overtake its `Run`: then the task is dropped as it arrives, with the same answer.
    Interrupt {
        /// Which.
        tasks: Vec<(TaskId, EngineId)>,
    },
    /// A question to an engine's side channel. Segment: JSON.
    Query {
        /// The broker's name for it.
        query: TaskId,
        /// Whom.
        engine: EngineId,
        /// What.
        ask: Ask,
    },
    /// Kill these engines and start them again; without effect while an `EngineDown` of the engine is without `DownSeen`.
    Restart {
        /// Which.
        engines: Vec<EngineId>,
    },
    /// The engine may send this many bytes of output more.
    Credit {
        /// Which.
        engine: EngineId,
        /// How many.
        bytes: u64,
    },
    /// Kill all engines and exit.
    Shutdown,
    /// The answer to every `EngineDown`: the broker has heard of it, and what it sends from now on is for the next life.
    DownSeen {
        /// Which.
        engine: EngineId,
    },
}

/// From a host to the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostToController {
    /// The engine answers, with an empty namespace.
    EngineUp {
        /// Which.
        engine: EngineId,
        /// What it is.
        info: EngineInfo,
    },
    /// The engine's process is gone. Every task it had is lost, those under way to it too; `running` had been started.
    /// Answered by `DownSeen`.
    EngineDown {
        /// Which.
        engine: EngineId,
        /// Why.
        cause: LossCause,
        /// The task it was working on.
        running: Option<TaskId>,
        /// Whether the host starts it again.
        restarting: bool,
    },
    /// A task ended.
    Done {
        /// Which.
        task: TaskId,
        /// Where.
        engine: EngineId,
        /// How.
        outcome: Outcome,
        /// How long it ran, in microseconds.
        elapsed_us: u64,
    },
    /// Output. Segment: UTF-8 text. Sent only within the engine's window ([`crate::limits::STREAM_WINDOW_BYTES`]).
    Stream {
        /// Who.
        engine: EngineId,
        /// The task that runs or was the last to run, if there was one.
        task: Option<TaskId>,
        /// Where it was written.
        stream: StreamName,
    },
    /// The answer to a `Query`. Segment: JSON, or a message if not `ok`.
    Replied {
        /// The broker's name for it.
        query: TaskId,
        /// Whether it was answered.
        ok: bool,
    },
}
