//! The messages, by direction.

use crate::{
    Ask, ClusterStatus, EngineId, EngineInfo, HostId, Interruption, LossCause, Notice, OnLeave, Outcome,
    Refusal, RequestId, StreamName, Target, TaskId, Work,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
