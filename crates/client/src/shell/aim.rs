//! A target as the shell holds it: as the user wrote it, and as it is sent.

use antiphon_protocol::{
    EngineId, Target, TargetError,
    target::{Selector, Term},
};

/// A target and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    /// As written.
    pub(crate) text: String,
    /// As parsed; `failed` still in it.
    pub(crate) target: Target,
}

impl Aim {
    /// Every engine.
    pub(crate) fn all() -> Aim {
        Aim { text: "all".to_owned(), target: Target::all() }
    }

    /// The local interpreter.
    pub(crate) fn local() -> Aim {
        let term = Term { exclude: false, selector: Selector::Local };
        Aim { text: "local".to_owned(), target: Target { terms: vec![term] } }
    }

    pub(crate) fn parse(text: &str) -> Result<Aim, TargetError> {
        Ok(Aim { text: text.to_owned(), target: text.parse()? })
    }

    pub(crate) fn is_local(&self) -> bool {
        self.target.is_local()
    }

    /// What is sent: `failed` is replaced by the engines where the last statement failed.
    pub(crate) fn resolved(&self, failed: &[EngineId]) -> Result<Target, TargetError> {
        let means_failed = |term: &Term| term.selector == Selector::Failed;
        if !self.target.terms.iter().any(means_failed) {
            return Ok(self.target.clone());
        }
        let mut terms = Vec::new();
        for term in &self.target.terms {
            if means_failed(term) {
                let one = |engine: &EngineId| Term {
                    exclude: term.exclude,
                    selector: Selector::One(engine.0.into()),
                };
                terms.extend(failed.iter().map(one));
            } else {
                terms.push(term.clone());
            }
        }
        if terms.is_empty() {
            return Err(TargetError {
                message: "no engine failed in the last statement".to_owned(),
                hint: Some("%engines lists the engines".to_owned()),
            });
        }
        Ok(Target { terms })
    }
}
