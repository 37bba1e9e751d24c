//! What rustyline asks while somebody types: colours and completions.

use super::{COMPLETE_DEADLINE, EditorEvent, Notes, Reply, colour, complete};
use rustyline::{
    Context, Helper,
    completion::Completer,
    highlight::{CmdKind, Highlighter},
    hint::Hinter,
    validate::Validator,
};
use std::{borrow::Cow, sync::mpsc as blocking};
use tokio::sync::mpsc;

pub(super) struct EditorHelper {
    events: mpsc::Sender<EditorEvent>,
    notes: Notes,
    colour: bool,
    /// The lines of the statement before the one that is edited.
    before: String,
}

impl EditorHelper {
    pub(super) fn new(events: mpsc::Sender<EditorEvent>, notes: Notes, colour: bool) -> Self {
        EditorHelper { events, notes, colour, before: String::new() }
    }

    pub(super) fn set_before(&mut self, before: &str) {
        before.clone_into(&mut self.before);
    }
}

impl Completer for EditorHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let source = format!("{}{line}", self.before);
        let cursor = self.before.len() + pos;
        if let Some((start, words)) = complete::directives(&source, cursor)
            && start >= self.before.len()
        {
            return Ok((start - self.before.len(), words));
        }
        let in_characters = source[..cursor].chars().count();
        let (sender, answer) = blocking::sync_channel(1);
        let reply = Reply(sender);
        let question = EditorEvent::Complete { source: source.clone(), cursor: in_characters, reply };
        if self.events.blocking_send(question).is_err() {
            return Ok((pos, Vec::new()));
        }
        let Ok(found) = answer.recv_timeout(COMPLETE_DEADLINE) else { return Ok((pos, Vec::new())) };
        let start = source.char_indices().nth(found.start).map_or(source.len(), |(at, _)| at);
        match start.checked_sub(self.before.len()) {
            Some(start) if start <= pos => Ok((start, found.words)),
            _ => Ok((pos, Vec::new())),
        }
    }
}

impl Highlighter for EditorHelper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.colour { colour::paint(&self.before, line) } else { Cow::Borrowed(line) }
    }

    /// The prompt is drawn: what waits to be shown above it goes out in the same write.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        let notes = self.notes.take();
        if notes.is_empty() { Cow::Borrowed(prompt) } else { Cow::Owned(notes + prompt) }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::MoveCursor
    }
}

impl Hinter for EditorHelper {
    type Hint = String;
}

impl Validator for EditorHelper {}

impl Helper for EditorHelper {}
