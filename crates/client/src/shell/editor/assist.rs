//! The evaluator's answers to the editor's questions. They change nothing, and never wait long: somebody is typing.

use super::{CHECK_DEADLINE, COMPLETE_DEADLINE, Completeness, Completions};
use crate::shell::{
    Cluster, Evaluator, Local,
    aim::Aim,
    parser::{split_at, split_bind},
    script::split,
};
use antiphon_protocol::Ask;
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;

#[derive(Deserialize)]
struct Checked {
    status: String,
    indent: String,
}

#[derive(Deserialize)]
struct Completed {
    matches: Vec<String>,
    start: usize,
}

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// Whether what was typed can be run. `None` if the local interpreter does not say.
    pub async fn check(&self, source: &str) -> Option<Completeness> {
        let complete = Some(Completeness { complete: true, indent: String::new() });
        let pieces = split(source);
        let Some(last) = pieces.last() else { return complete };
        let statement = &source[last.range.start..];
        let blank =
            source.ends_with('\n') || source.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
        let python = match skip_target(statement) {
            Some((_, python)) => python,
            None if !last.is_directive => statement,
            // A cell goes on to a blank line, any other directive to the end of its line.
            None if statement.starts_with("%%") && !blank => {
                return Some(Completeness { complete: false, indent: String::new() });
            }
            None if statement.trim_end_matches([' ', '\t']).ends_with('\\') => {
                return Some(Completeness { complete: false, indent: String::new() });
            }
            None => return complete,
        };
        if python.trim_start().starts_with(['%', '!']) {
            return complete;
        }
        let json = serde_json::json!({ "source": python }).to_string();
        let asked = timeout(CHECK_DEADLINE, self.local.ask(Ask::Check, json.into())).await.ok()?;
        let checked: Checked = decode(asked.ok()?.ok()?)?;
        Some(Completeness { complete: checked.status != "incomplete", indent: checked.indent })
    }

    /// What could stand at `cursor` (in characters) in the namespace of the target that the statement goes to.
    pub async fn complete(&self, source: &str, cursor: usize) -> Completions {
        let byte = source.char_indices().nth(cursor).map_or(source.len(), |(at, _)| at);
        let pieces = split(&source[..byte]);
        let begin = pieces.last().map_or(0, |piece| piece.statement.start);
        let (aim, code_start) = match skip_target(&source[begin..]) {
            Some((target, python)) => (Aim::parse(target).ok(), source.len() - python.len()),
            None => (Some(self.aim.clone()), begin),
        };
        let Some(aim) = aim.filter(|_| code_start <= byte) else { return Completions::default() };
        let skipped = source[..code_start].chars().count();
        let json =
            serde_json::json!({ "code": &source[code_start..], "cursor": cursor - skipped }).to_string();
        let answer = timeout(COMPLETE_DEADLINE, self.ask(&aim, json.into())).await;
        match answer.ok().flatten().and_then(decode::<Completed>) {
            Some(found) => Completions { start: skipped + found.start, words: found.matches },
            None => Completions { start: cursor, words: Vec::new() },
        }
    }

    async fn ask(&self, aim: &Aim, json: Bytes) -> Option<Bytes> {
        if !aim.is_local() {
            let target = aim.resolved(&self.failed).ok()?;
            if let Ok(Ok(answer)) = self.cluster.query(&target, Ask::Complete, json.clone()).await {
                return Some(answer);
            }
        }
        self.local.ask(Ask::Complete, json).await.ok()?.ok()
    }
}

/// Target and Python of `@T python` and `name = @T python`.
fn skip_target(statement: &str) -> Option<(&str, &str)> {
    split_at(statement).or_else(|| split_bind(statement).map(|(_, target, python)| (target, python)))
}

fn decode<T: DeserializeOwned>(json: Bytes) -> Option<T> {
    serde_json::from_slice(&json).ok()
}
