//! What comes back: answers, pickled values, events of a request.

use antiphon_protocol::{EngineId, Loss, Outcome, StreamName};
use bytes::Bytes;
use std::time::Duration;

/// A Python value as it travels: the pickle and its out-of-band buffers. Only an interpreter can read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pickled(pub Vec<Bytes>);

impl Pickled {
    /// Bytes of the pickle and its buffers.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
}

/// What a request yields while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An engine wrote something.
    Stream {
        /// Who.
        engine: EngineId,
        /// Where.
        stream: StreamName,
        /// What; pieces of one stream that nobody had read yet are joined.
        text: Vec<u8>,
    },
    /// An engine is done.
    Answer(Answer),
}

/// One engine's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The place in the list of answers.
    pub position: usize,
    /// Who.
    pub engine: EngineId,
    /// What.
    pub reply: Reply,
    /// How long the engine worked on it.
    pub elapsed: Duration,
}

/// How one engine's work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Well.
    Done(Done),
    /// User code raised.
    Raised(Raised),
    /// There is no answer, and why.
    Lost(Loss),
}

/// What a statement that ended well gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The value's `repr`; none if there was no value, or it was None, or it was not asked for.
    pub repr: Option<String>,
    /// If the `repr` was cut: its full length in characters.
    pub cut: Option<u32>,
    /// The value, if it was asked for.
    pub value: Option<Pickled>,
}

/// A Python exception.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raised {
    /// The exception's type, as `ZeroDivisionError`.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The traceback as Python prints it, the last line with type and message included.
    pub traceback: String,
    /// It is the KeyboardInterrupt of an interrupt that was asked for.
    pub interrupted: bool,
    /// The status of a `SystemExit`.
    pub exit: Option<i32>,
}

impl Raised {
    /// Type and message on one line, as Python's last line has them.
    pub fn summary(&self) -> &str {
        // A message of several lines has its first one further up.
        let mut lines = self.traceback.trim_end().lines().rev();
        let heads = |line: &&str| match line.strip_prefix(self.kind.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with(':'),
            None => false,
        };
        lines.find(heads).unwrap_or(&self.kind)
    }
}

impl Reply {
    /// Puts together what came in an answer's header and its segments (laid out as the bridge's RESULT).
    pub fn new(outcome: Outcome, segments: Vec<Bytes>) -> Reply {
        let mut segments = segments.into_iter();
        let mut text = || segments.next().map(|bytes| into_text(&bytes)).unwrap_or_default();
        match outcome {
            Outcome::Done { repr, value, cut } => {
                let shown = text();
                let value = value.then(|| Pickled(segments.collect()));
                Reply::Done(Done { repr: repr.then_some(shown), cut, value })
            }
            Outcome::Raised { interrupted, exit } => {
                let (kind, message, traceback) = (text(), text(), text());
                Reply::Raised(Raised { kind, message, traceback, interrupted, exit })
            }
            Outcome::Lost(loss) => Reply::Lost(loss),
        }
    }

    /// Whether it ended well.
    pub fn is_done(&self) -> bool {
        matches!(self, Reply::Done(_))
    }

    /// The value, if it ended well and a value was asked for.
    pub fn value(&self) -> Option<&Pickled> {
        match self {
            Reply::Done(done) => done.value.as_ref(),
            _ => None,
        }
    }
}

fn into_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
