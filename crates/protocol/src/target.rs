//! Targets: which engines. The grammar, its errors, and resolution against the engines that are there.

use crate::EngineId;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Which engines: terms joined by `,`; `!term` excludes.
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
    pub fn resolve(&self, _candidates: &[Candidate<'_>]) -> Result<Vec<EngineId>, TargetError> {
        Err(TargetError { message: "not built yet".into(), hint: None })
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(_text: &str) -> Result<Target, TargetError> {
        Ok(Target::all())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all")
    }
}
