//! The line editor: rustyline, on a thread of its own, because it blocks.
//!
//! The thread owns the terminal while it reads, and nothing else; whoever holds the [`Editor`] asks for a statement
//! ([`Editor::read`]) and gets [`EditorEvent`]s: what was typed, and the editor's own questions on the way (is this
//! complete, what could follow here), which it stops waiting for after a moment. It never evaluates anything.

mod assist;
mod colour;
mod complete;
mod helper;
mod keys;
mod notes;
mod pending;

pub use self::notes::Notes;
use self::{helper::EditorHelper, keys::Typing};
use rustyline::{
    CompletionType, Config, Event, EventHandler, KeyCode, KeyEvent, Modifiers,
    config::{BellStyle, ColorMode},
    error::ReadlineError,
    history::FileHistory,
};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc as blocking},
    time::Duration,
};
use tokio::sync::mpsc;

/// Statements kept in the history file.
const HISTORY_LIMIT: usize = 10_000;

/// How long the editor waits to be told whether a statement is complete before it judges by itself. The first time
/// the local interpreter may have to be started.
const CHECK_DEADLINE: Duration = Duration::from_millis(1500);

/// How long Tab may take: longer feels broken.
const COMPLETE_DEADLINE: Duration = Duration::from_millis(700);

/// Ends the paste mode that the line editor had switched on, and the line.
const LEAVE_LINE: &str = "\x1b[?2004l\n";

/// Candidates that are listed without asking first.
const CANDIDATES_WITHOUT_ASKING: usize = 120;

type Rustyline = rustyline::Editor<EditorHelper, FileHistory>;

/// How the editor behaves.
#[derive(Clone, Debug, Default)]
pub struct EditorConfig {
    /// The history file; none: nothing is kept.
    pub history: Option<PathBuf>,
    /// Whether to use colours.
    pub colour: bool,
}

/// What is in front of the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The current target, as written.
    pub target: String,
    /// The statement's number.
    pub number: u64,
}

impl Prompt {
    fn first(&self) -> String {
        format!("[{}] In [{}]: ", self.target, self.number)
    }

    /// `...` that ends where the first one ends.
    fn next(&self) -> String {
        let width = unicode_width::UnicodeWidthStr::width(self.first().as_str());
        format!("{:>width$}", "...: ")
    }
}

/// What comes from the editor.
#[derive(Debug)]
pub enum EditorEvent {
    /// A whole statement, or several.
    Input(String),
    /// Ctrl-C: what was typed is thrown away.
    Cleared,
    /// Ctrl-D on an empty line.
    Leave,
    /// The terminal is gone or cannot be used.
    Failed(String),
    /// Is this complete?
    Check {
        /// What was typed so far.
        source: String,
        /// Where the answer goes.
        reply: Reply<Completeness>,
    },
    /// What could stand here?
    Complete {
        /// What was typed so far.
        source: String,
        /// Where the cursor is, in characters.
        cursor: usize,
        /// Where the answer goes.
        reply: Reply<Completions>,
    },
}

/// Whether input can be run, and how to go on if not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// It can be run, or is wrong beyond repair: Python says what is wrong.
    pub complete: bool,
    /// White space for the next line.
    pub indent: String,
}

/// What could stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Where the words begin, in characters.
    pub start: usize,
    /// The words.
    pub words: Vec<String>,
}

/// Where the answer to a question of the editor goes. Dropped without one, the editor helps itself.
#[derive(Debug)]
pub struct Reply<T>(blocking::SyncSender<T>);

impl<T> Reply<T> {
    /// Answers. That nobody waits any more does not matter.
    pub fn send(self, answer: T) {
        let _ = self.0.try_send(answer);
    }
}

/// A running editor.
#[derive(Debug)]
pub struct Editor {
    prompts: blocking::SyncSender<Prompt>,
    events: mpsc::Receiver<EditorEvent>,
    notes: Notes,
    /// The terminal's settings before.
    found: Option<rustix::termios::Termios>,
    /// A line is being edited.
    reading: bool,
}

impl Editor {
    /// Prepares the terminal and starts the thread.
    pub fn open(config: EditorConfig) -> io::Result<Editor> {
        let found = rustix::termios::tcgetattr(io::stdin()).ok();
        let (prompts, wanted) = blocking::sync_channel(1);
        // One question or one statement at a time; the editor waits for the answer to each.
        let (sender, events) = mpsc::channel(4);
        let notes = Notes::default();
        let mut terminal = Terminal::new(config, sender, notes.clone()).map_err(io::Error::other)?;
        // A terminal that cannot be drawn on shows notes before its next prompt.
        if let Ok(printer) = terminal.rustyline.create_external_printer() {
            notes.wake_with(printer)?;
        }
        std::thread::Builder::new().name("editor".into()).spawn(move || {
            while let Ok(prompt) = wanted.recv() {
                let event = terminal.read(&prompt);
                if terminal.events.blocking_send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Editor { prompts, events, notes, found, reading: false })
    }

    /// Asks for the next statement; it comes as an event.
    pub fn read(&mut self, prompt: Prompt) {
        self.reading = true;
        // The one place in the queue is free: a statement is asked for only after the last one came.
        let _ = self.prompts.try_send(prompt);
    }

    /// The next event. Safe to drop and call again.
    pub async fn event(&mut self) -> EditorEvent {
        let lost = || EditorEvent::Failed("the line editor ended".to_owned());
        let event = self.events.recv().await.unwrap_or_else(lost);
        self.reading = matches!(event, EditorEvent::Check { .. } | EditorEvent::Complete { .. });
        event
    }

    /// A way to print above the prompt.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }
}

impl Drop for Editor {
    /// The thread may be in the middle of a line: the terminal is given back as it was found.
    fn drop(&mut self) {
        if let Some(found) = &self.found {
            let stdin = io::stdin();
            let _ = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, found);
            if self.reading && io::stdout().is_terminal() {
                let _ = io::stdout().write_all(LEAVE_LINE.as_bytes()).and_then(|()| io::stdout().flush());
            }
        }
    }
}

/// The editor's side of the thread.
struct Terminal {
    rustyline: Rustyline,
    events: mpsc::Sender<EditorEvent>,
    typing: Arc<Mutex<Typing>>,
    history: Option<PathBuf>,
    colour: bool,
}

impl Terminal {
    fn new(
        config: EditorConfig,
        events: mpsc::Sender<EditorEvent>,
        notes: Notes,
    ) -> rustyline::Result<Terminal> {
        let settings = Config::builder()
            .max_history_size(HISTORY_LIMIT)?
            .history_ignore_dups(true)?
            .completion_type(CompletionType::List)
            .completion_prompt_limit(CANDIDATES_WITHOUT_ASKING)
            .completion_show_all_if_ambiguous(true)
            .bell_style(BellStyle::None)
            .tab_stop(4)
            .indent_size(4)
            // Without it the helper is not asked for the prompt; it uses colours only if it was told to.
            .color_mode(ColorMode::Forced)
            .build();
        let mut rustyline = Rustyline::with_config(settings)?;
        rustyline.set_helper(Some(EditorHelper::new(events.clone(), notes, config.colour)));
        let typing = Arc::<Mutex<Typing>>::default();
        let watch = EventHandler::Conditional(Box::new(keys::Watch(typing.clone())));
        rustyline.bind_sequence(Event::Any, watch);
        let tab = EventHandler::Conditional(Box::new(keys::Tab));
        rustyline.bind_sequence(KeyEvent(KeyCode::Tab, Modifiers::NONE), tab);
        let backspace = EventHandler::Conditional(Box::new(keys::Backspace));
        rustyline.bind_sequence(KeyEvent(KeyCode::Backspace, Modifiers::NONE), backspace);
        if let Some(history) = &config.history {
            // A missing one is the first one; a broken one is no reason not to start.
            let _ = rustyline.load_history(history);
        }
        Ok(Terminal { rustyline, events, typing, history: config.history, colour: config.colour })
    }

    /// Reads a whole statement, line by line.
    fn read(&mut self, prompt: &Prompt) -> EditorEvent {
        let mut source = String::new();
        let mut indent = String::new();
        loop {
            let raw = if source.is_empty() { prompt.first() } else { prompt.next() };
            if let Some(helper) = self.rustyline.helper_mut() {
                helper.set_before(&source);
            }
            let line = if self.colour {
                let styled = colour::prompt(&raw, source.is_empty());
                self.rustyline.readline_with_initial(&(raw, styled), (&indent, ""))
            } else {
                self.rustyline.readline_with_initial(&raw, (&indent, ""))
            };
            match line {
                Ok(line) => source += &line,
                Err(ReadlineError::Interrupted) => return EditorEvent::Cleared,
                Err(ReadlineError::Eof) if source.is_empty() => return EditorEvent::Leave,
                Err(ReadlineError::Eof) => return EditorEvent::Cleared,
                Err(error) => return EditorEvent::Failed(error.to_string()),
            }
            let check = self.check(&source);
            if check.complete {
                self.remember(&source);
                return EditorEvent::Input(source);
            }
            source.push('\n');
            // What is pasted brings its own white space.
            let by_hand = self.typing.lock().unwrap_or_else(PoisonError::into_inner).is_by_hand();
            indent = if by_hand { check.indent } else { String::new() };
        }
    }

    fn check(&self, source: &str) -> Completeness {
        if source.trim().is_empty() {
            return Completeness { complete: true, indent: String::new() };
        }
        let (sender, answer) = blocking::sync_channel(1);
        let question = EditorEvent::Check { source: source.to_owned(), reply: Reply(sender) };
        let asked = self.events.blocking_send(question).is_ok();
        let answer = if asked { answer.recv_timeout(CHECK_DEADLINE).ok() } else { None };
        answer.unwrap_or_else(|| pending::judge(source))
    }

    fn remember(&mut self, source: &str) {
        let statement = source.trim_end();
        if statement.is_empty() {
            return;
        }
        let added = self.rustyline.add_history_entry(statement).unwrap_or(false);
        if let (true, Some(path)) = (added, &self.history) {
            // At once, so that a shell that is killed loses nothing; a full disk is no reason to stop typing.
            if let Err(error) = self.rustyline.append_history(path) {
                tracing::debug!(%error, "the history could not be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_end_in_the_same_column() {
        let prompt = Prompt { target: "0-2,gpü".into(), number: 12 };
        assert_eq!(prompt.first(), "[0-2,gpü] In [12]: ");
        assert_eq!(prompt.next(), "              ...: ");
        assert_eq!(prompt.first().chars().count(), prompt.next().chars().count());
    }
}
