//! What is shown above the prompt while somebody types.
//!
//! The terminal has one owner at a time. From [`Editor::read`](super::Editor::read) until its statement has come it is
//! the editor's thread: what is to be shown is left here, and the thread writes it in front of the prompt when it draws
//! that next. It is woken to draw at once. Whoever asked for the statement owns the terminal after it and takes what
//! was not shown ([`Notes::take`]). So nothing is written into a line that is edited, and nothing behind it.

use rustyline::ExternalPrinter;
use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

/// Text that waits to be shown; beyond it the sender waits, too.
const WAITING_LIMIT_BYTES: usize = 1 << 20;

/// How long it waits for a terminal that shows nothing (Ctrl-S) before text is left out.
const PATIENCE: Duration = Duration::from_millis(300);

/// Makes the editor draw its prompt again without moving it: it ends everything it prints with a line's end.
const NUDGE: &str = "\x1b[A\n";

/// Shows text above the prompt while a statement is typed.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    state: Mutex<State>,
    taken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: String,
    /// Bytes that found no place.
    left_out: usize,
    wake: Option<mpsc::SyncSender<()>>,
}

impl Notes {
    /// Shows text; an unfinished line is ended.
    pub fn print(&self, text: &str) {
        let mut state = self.lock();
        if state.text.len() >= WAITING_LIMIT_BYTES && state.left_out == 0 {
            let is_full = |state: &mut State| state.text.len() >= WAITING_LIMIT_BYTES;
            let waited = self.0.taken.wait_timeout_while(state, PATIENCE, is_full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.text.len() >= WAITING_LIMIT_BYTES {
            state.left_out += text.len();
            return;
        }
        state.text.push_str(text);
        if let Some(wake) = &state.wake {
            // If it is full, the editor is woken anyway.
            let _ = wake.try_send(());
        }
    }

    /// What was not shown yet: whole lines.
    pub fn take(&self) -> String {
        let mut state = self.lock();
        let mut text = std::mem::take(&mut state.text);
        let left_out = std::mem::take(&mut state.left_out);
        drop(state);
        self.0.taken.notify_all();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if left_out > 0 {
            text.push_str(&format!("… {left_out} bytes of output came faster than they could be shown\n"));
        }
        text
    }

    fn is_empty(&self) -> bool {
        self.lock().text.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that wakes the editor: that takes one nudge at a time, and whoever prints must not wait for it.
    pub(super) fn wake_with(&self, mut printer: impl ExternalPrinter + Send + 'static) -> io::Result<()> {
        let (wake, woken) = mpsc::sync_channel(1);
        self.lock().wake = Some(wake);
        let board = Arc::downgrade(&self.0);
        std::thread::Builder::new().name("notes".into()).spawn(move || {
            while woken.recv().is_ok() {
                let Some(notes) = board.upgrade().map(Notes) else { return };
                if !notes.is_empty() && printer.print(NUDGE.to_owned()).is_err() {
                    return;
                }
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_taken_once() {
        let notes = Notes::default();
        notes.print("a\nb");
        assert_eq!(notes.take(), "a\nb\n");
        assert_eq!(notes.take(), "");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let notes = Notes::default();
        notes.print(&"x".repeat(WAITING_LIMIT_BYTES));
        notes.print("more");
        notes.print("and more");
        let text = notes.take();
        assert!(text.ends_with("x\n… 12 bytes of output came faster than they could be shown\n"));
        notes.print("again");
        assert_eq!(notes.take(), "again\n");
    }
}
