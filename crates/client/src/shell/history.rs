//! What was typed and what was answered, within bounds.

use super::Answers;
use crate::{Answer, Reply};
use std::{collections::VecDeque, sync::Arc};

/// Inputs kept for `%history`.
const INPUT_LIMIT: usize = 10_000;

/// Statements whose answers are kept for `%result`.
const ANSWERS_LIMIT: usize = 1_000;

/// Text of answers kept for `%result`: enough for a long session, small beside an interpreter.
const ANSWERS_LIMIT_BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
pub(crate) struct History {
    inputs: VecDeque<(u64, String)>,
    answers: VecDeque<Arc<Answers>>,
    answers_bytes: usize,
}

impl History {
    pub(crate) fn add_input(&mut self, number: u64, input: &str) {
        self.inputs.push_back((number, input.trim_end().to_owned()));
        if self.inputs.len() > INPUT_LIMIT {
            self.inputs.pop_front();
        }
    }

    pub(crate) fn add_answers(&mut self, answers: Arc<Answers>) {
        self.answers_bytes += weight(&answers);
        self.answers.push_back(answers);
        while self.answers.len() > ANSWERS_LIMIT || self.answers_bytes > ANSWERS_LIMIT_BYTES {
            let Some(dropped) = self.answers.pop_front() else { return };
            self.answers_bytes -= weight(&dropped);
        }
    }

    /// Inputs with their numbers, oldest first.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &(u64, String)> {
        self.inputs.iter()
    }

    /// The answers of that statement, or the last ones.
    pub(crate) fn answers(&self, number: Option<u64>) -> Option<&Arc<Answers>> {
        match number {
            None => self.answers.back(),
            Some(number) => self.answers.iter().rev().find(|answers| answers.statement == number),
        }
    }
}

fn weight(answers: &Answers) -> usize {
    let text = |answer: &Answer| match &answer.reply {
        Reply::Done(done) => done.repr.as_ref().map_or(0, String::len),
        Reply::Raised(raised) => raised.traceback.len() + raised.message.len(),
        Reply::Lost(_) => 0,
    };
    answers.answers.iter().map(text).sum()
}
