//! The values that messages carry: what is asked for, how it ended, and why it did not.

use crate::{EngineId, EngineInfo, RequestId, Target};
use serde::{Deserialize, Serialize};
use std::fmt;

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
