//! Targets: which engines. The grammar, its errors, and resolution against the engines that are there.
//!
//! A target is parsed where it is typed and resolved where the engines are known. It keeps no state; `any`, `local`
//! and `failed` are words for others (the scheduler, the client) and resolve to an error here.

mod parse;
mod resolve;

use crate::EngineId;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Which engines: terms joined by `,`; `!term` excludes. Only exclusions: all but those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The terms as written, in order.
    pub terms: Vec<Term>,
}

/// One term of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// `!`: take these away.
    pub exclude: bool,
    /// Which.
    pub selector: Selector,
}

/// What a term selects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selector {
    /// `all`
    All,
    /// `any`: whichever engine is free; stands alone.
    Any,
    /// `local`: the client's own interpreter; stands alone and never reaches a controller.
    Local,
    /// `7`, or `-1` for the last.
    One(i64),
    /// `0-3`, both ends included.
    Range(u32, u32),
    /// `a:b:c`, as Python's slice of the sorted ids.
    Slice(Option<i64>, Option<i64>, Option<i64>),
    /// `host:NAME`
    Host(String),
    /// `idle`
    Idle,
    /// `failed`: where the client's last statement failed; the client replaces it before sending.
    Failed,
    /// `one-per-host`
    OnePerHost,
    /// Any other word: a label.
    Label(String),
}

/// What is wrong with a target, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TargetError {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl TargetError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> TargetError {
        TargetError { message: message.into(), hint: Some(hint.into()) }
    }
}

/// An engine as targets see it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub engine: EngineId,
    /// Its host's name.
    pub host: &'a str,
    /// Its labels.
    pub labels: &'a [String],
    /// Whether it has nothing to do.
    pub idle: bool,
}

impl Target {
    /// Every engine.
    pub fn all() -> Target {
        Target { terms: vec![Term { exclude: false, selector: Selector::All }] }
    }

    /// Exactly these engines, in this order.
    pub fn engines(engines: impl IntoIterator<Item = EngineId>) -> Target {
        let term = |engine: EngineId| Term { exclude: false, selector: Selector::One(engine.0.into()) };
        Target { terms: engines.into_iter().map(term).collect() }
    }

    /// Whether this is `local`.
    pub fn is_local(&self) -> bool {
        matches!(self.terms.as_slice(), [Term { exclude: false, selector: Selector::Local }])
    }

    /// Whether this is `any`.
    pub fn is_any(&self) -> bool {
        matches!(self.terms.as_slice(), [Term { exclude: false, selector: Selector::Any }])
    }

    /// The engines this target means among `candidates` (sorted by id), in the order of the terms, each once.
    ///
    /// What is named by id, host or label has to be there; what is described (`idle`, slices) may be nothing, as long as
    /// something is left in the end.
    pub fn resolve(&self, candidates: &[Candidate<'_>]) -> Result<Vec<EngineId>, TargetError> {
        resolve::resolve(self, candidates)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        parse::target(text)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exclude {
            f.write_str("!")?;
        }
        self.selector.fmt(f)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::All => f.write_str("all"),
            Selector::Any => f.write_str("any"),
            Selector::Local => f.write_str("local"),
            Selector::Idle => f.write_str("idle"),
            Selector::Failed => f.write_str("failed"),
            Selector::OnePerHost => f.write_str("one-per-host"),
            Selector::One(id) => id.fmt(f),
            Selector::Range(first, last) => write!(f, "{first}-{last}"),
            Selector::Slice(start, stop, step) => {
                let mut part = |value: &Option<i64>| value.map_or(Ok(()), |value| write!(f, "{value}"));
                part(start)?;
                f.write_str(":")?;
                let mut part = |value: &Option<i64>| value.map_or(Ok(()), |value| write!(f, "{value}"));
                part(stop)?;
                if let Some(step) = step { write!(f, ":{step}") } else { Ok(()) }
            }
            Selector::Host(name) => write!(f, "host:{name}"),
            Selector::Label(label) => f.write_str(label),
        }
    }
}

/// Ids as people write them: runs joined, `0-3,7`. `ids` must be sorted.
pub fn compact(ids: impl IntoIterator<Item = EngineId>) -> String {
    let mut text = String::new();
    let mut run: Option<(u32, u32)> = None;
    let mut close = |run: Option<(u32, u32)>| {
        let Some((first, last)) = run else { return };
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&if first == last { first.to_string() } else { format!("{first}-{last}") });
    };
    for EngineId(id) in ids {
        run = match run {
            Some((first, last)) if last.checked_add(1) == Some(id) => Some((first, id)),
            other => {
                close(other);
                Some((id, id))
            }
        };
    }
    close(run);
    text
}
