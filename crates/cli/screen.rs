//! Where the evaluator's events become visible: standard output and error, the status line, and the place above the
//! prompt while somebody types.

use crate::output;
use antiphon_client::shell::{Event, Rendered, Sink, View, ViewOptions, editor::Notes};
use std::{
    io::{self, IsTerminal},
    sync::Arc,
};
use tokio::sync::Notify;

/// Takes the status line away: to the line's start, and erase it.
const ERASE_LINE: &str = "\r\x1b[2K";

/// Columns where the terminal does not say how many it has.
const DEFAULT_WIDTH: usize = 80;

/// The sink of a shell or a command.
#[derive(Debug)]
pub struct Screen {
    view: View,
    /// Standard error is a terminal: there is a status line.
    has_status: bool,
    /// The status line is on the screen.
    shown: bool,
    /// The last line on the terminal is unfinished.
    is_open: bool,
    /// Set while a statement is being typed.
    above: Option<Notes>,
    closed: Arc<Notify>,
}

impl Screen {
    /// For somebody at a terminal.
    pub fn interactive() -> Self {
        let (color, width) = (output::has_colour(), width());
        Screen::new(ViewOptions { color, width, interactive: true, json: false })
    }

    /// For a script or a single command.
    pub fn script(json: bool) -> Self {
        Screen::new(ViewOptions { color: output::has_colour() && !json, json, ..ViewOptions::script() })
    }

    fn new(options: ViewOptions) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let has_status = io::stderr().is_terminal() && !options.json && !dumb;
        let closed = Arc::default();
        Screen { view: View::new(options), has_status, shown: false, is_open: false, above: None, closed }
    }

    /// From now on a statement is being typed: everything goes above it.
    pub fn typing(&mut self, notes: Notes) {
        self.above = Some(notes);
    }

    /// From now on a statement runs.
    pub fn running(&mut self) {
        self.take_back();
        self.view.options_mut().width = if self.view.options_mut().width > 0 { width() } else { 0 };
    }

    /// Nothing is being typed any more; what was not shown meanwhile is shown now.
    fn take_back(&mut self) {
        if let Some(notes) = self.above.take() {
            let out = notes.take();
            self.show(Rendered { out, ..Rendered::default() });
        }
    }

    /// Ends an unfinished line and takes the status line away.
    pub fn settle(&mut self) {
        let rendered = self.view.close_line();
        self.show(rendered);
        self.erase();
    }

    /// Told when nobody reads standard output any more.
    pub fn closed(&self) -> Arc<Notify> {
        self.closed.clone()
    }

    fn show(&mut self, rendered: Rendered) {
        let Rendered { out, err, status } = rendered;
        if let Some(above) = &self.above {
            let text = out + &err;
            if !text.is_empty() {
                above.print(&text);
            }
            return;
        }
        if !out.is_empty() || !err.is_empty() {
            self.erase();
        }
        // Where both are one terminal, the answers come before the errors that explain what is missing among them.
        if !out.is_empty() && output::write(out.as_bytes()).is_err() {
            self.closed.notify_one();
        }
        if !err.is_empty() {
            output::complain(&err);
        }
        for text in [&out, &err] {
            if let Some(last) = text.chars().last() {
                self.is_open = last != '\n';
            }
        }
        if let Some(status) = status.filter(|_| self.has_status && !self.is_open) {
            output::complain(&format!("{ERASE_LINE}{}", shorten(&status, width() - 1)));
            self.shown = true;
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.shown) {
            output::complain(ERASE_LINE);
        }
    }
}

impl Drop for Screen {
    /// What comes next on the terminal, an error perhaps, begins on a line of its own.
    fn drop(&mut self) {
        self.take_back();
        self.settle();
    }
}

impl Sink for Screen {
    fn on_event(&mut self, event: Event) {
        let rendered = self.view.render(&event);
        self.show(rendered);
    }
}

/// The terminal's columns.
fn width() -> usize {
    let size =
        rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 1).unwrap_or(DEFAULT_WIDTH)
}

/// At most `columns` characters of what is seen; escape sequences count for nothing.
fn shorten(text: &str, columns: usize) -> String {
    let (mut shown, mut seen, mut in_escape) = (String::new(), 0, false);
    for char in text.chars() {
        match char {
            '\x1b' => in_escape = true,
            'm' if in_escape => {
                in_escape = false;
                shown.push(char);
                continue;
            }
            _ if !in_escape => seen += 1,
            _ => {}
        }
        if in_escape || seen <= columns {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_fits_and_keeps_its_colour() {
        assert_eq!(shorten("\x1b[2mrunning\x1b[0m", 3), "\x1b[2mrun\x1b[0m");
        assert_eq!(shorten("läuft", 80), "läuft");
    }
}
