//! Keys that mean something else here.

use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, Movement, RepeatCount};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Nobody presses two keys within this time; a paste does.
const FASTEST_HAND: Duration = Duration::from_millis(10);

/// When the last two keys came.
#[derive(Debug, Default)]
pub(super) struct Typing {
    last: Option<Instant>,
    gap: Option<Duration>,
}

impl Typing {
    fn on_key(&mut self, now: Instant) {
        self.gap = self.last.map(|last| now.duration_since(last));
        self.last = Some(now);
    }

    /// Whether a person typed the last key, and not a paste or a program.
    pub(super) fn is_by_hand(&self) -> bool {
        self.gap.is_none_or(|gap| gap >= FASTEST_HAND)
    }
}

/// Sees every key that is not bound, and changes none.
pub(super) struct Watch(pub(super) Arc<Mutex<Typing>>);

impl ConditionalEventHandler for Watch {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).on_key(Instant::now());
        None
    }
}

/// Tab indents where there is nothing to complete yet.
pub(super) struct Tab;

impl ConditionalEventHandler for Tab {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let before = &context.line()[..context.pos()];
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty().then(|| Cmd::Insert(1, "    ".to_owned()))
    }
}

/// Backspace takes a whole step of the indentation away.
pub(super) struct Backspace;

impl ConditionalEventHandler for Backspace {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let before = &context.line()[..context.pos()];
        is_indent(before).then_some(Cmd::Dedent(Movement::WholeLine))
    }
}

/// Whether there are only spaces before the cursor, and enough of them for a step.
fn is_indent(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.len() >= 4 && line.bytes().all(|byte| byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backspace_takes_a_step_only_of_an_indentation() {
        let table = [
            ("    ", true),
            ("x\n        ", true),
            ("  ", false),
            ("", false),
            ("    x", false),
            ("    a\n", false),
        ];
        for (before, expected) in table {
            assert_eq!(is_indent(before), expected, "{before:?}");
        }
    }

    #[test]
    fn a_paste_is_told_from_a_hand() {
        let start = Instant::now();
        let mut typing = Typing::default();
        typing.on_key(start);
        assert!(typing.is_by_hand());
        typing.on_key(start + Duration::from_millis(80));
        assert!(typing.is_by_hand());
        typing.on_key(start + Duration::from_micros(80_300));
        assert!(!typing.is_by_hand());
    }
}
