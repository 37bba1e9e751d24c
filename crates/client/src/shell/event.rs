//! What the evaluator tells whoever shows it.

use super::News;
use crate::Answer;
use antiphon_protocol::{EngineId, StreamName};
use std::{sync::Arc, time::Duration};

/// Something a person, or a program that reads our output, may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// A statement's answers.
    Answers(Arc<Answers>),
    /// Answers of an earlier statement that were asked for again, to be shown whole.
    Result(Arc<Answers>),
    /// An engine printed something.
    Stream {
        /// Who; none for the local interpreter.
        engine: Option<EngineId>,
        /// Where.
        stream: StreamName,
        /// What: whole lines, except where a line is very long or a single engine prints it.
        text: String,
    },
    /// The statement has not ended yet; told after a second, and then every second.
    Running {
        /// Who has not answered.
        waiting: Vec<EngineId>,
        /// How many were asked.
        asked: usize,
        /// Since when.
        elapsed: Duration,
    },
    /// A name was bound in the local interpreter.
    Bound {
        /// The name.
        name: String,
        /// How many values its list has.
        values: usize,
    },
    /// What was asked for, in words: tables, help.
    Text(String),
    /// By the way.
    Info(String),
    /// Something to know.
    Warning(String),
    /// It was not done.
    Error {
        /// Why.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// Something happened to the cluster.
    News(News),
}

/// The answers to one statement, in target order.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The statement's number.
    pub statement: u64,
    /// The target as written; `local` for the local interpreter, whose only answer is shown as it is.
    pub target: String,
    /// One per engine. For the local interpreter, one whose engine means nothing.
    pub answers: Vec<Answer>,
    /// How long it took, all in all.
    pub elapsed: Duration,
}

impl Answers {
    /// Whether this is the local interpreter's.
    pub fn is_local(&self) -> bool {
        self.target == "local"
    }
}

/// Takes events as they happen. It must not wait for anything but its output.
pub trait Sink: Send {
    /// Something happened.
    fn on_event(&mut self, event: Event);
}

impl<F: FnMut(Event) + Send> Sink for F {
    fn on_event(&mut self, event: Event) {
        self(event);
    }
}

/// How a statement or a script ended: the worst that happened, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Well.
    #[default]
    Done,
    /// The user wants to leave the shell.
    Leave,
    /// User code raised.
    Raised,
    /// The user asked for what there is not.
    Usage,
    /// It was interrupted.
    Interrupted,
    /// An engine, or the cluster, is lost.
    Lost,
}

impl Status {
    /// The exit status of a script that ended like this.
    pub fn code(self) -> u8 {
        match self {
            Status::Done | Status::Leave => 0,
            Status::Raised => 1,
            Status::Usage => 2,
            Status::Lost => 3,
            Status::Interrupted => 130,
        }
    }

    /// Whether something went wrong.
    pub fn is_failure(self) -> bool {
        !matches!(self, Status::Done | Status::Leave)
    }
}
