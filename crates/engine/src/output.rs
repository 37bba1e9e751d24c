//! What an engine prints, on its way to the controller: in order with its answers, and within its window.
//!
//! **The window.** An engine may have [`STREAM_WINDOW_BYTES`] of output under way; `Credit` gives back what was read.
//! When it is used up, what was read waits here, nothing more is read from the engine's main socket and pipes, and so
//! the engine's own writes wait: a flood slows itself down and nobody else. The side socket is always read.
//!
//! **Past the window** goes only what must not wait, up to [`OVERDRAFT_BYTES`]: the output of an interrupted task, so
//! that the flood can end, and the last words of an engine that died. It is about what sockets and pipes hold, so that
//! normally nothing is lost. What exceeds it is left out, and a line on standard error says how many bytes were.

use antiphon_protocol::{
    EngineId, HostToController, Message, StreamName, TaskId, limits::STREAM_WINDOW_BYTES,
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Past the window for interrupted tasks and dead engines: a socket's and two pipes' buffers.
pub(crate) const OVERDRAFT_BYTES: i64 = 384 << 10;

/// Most output of one interrupted task that is left out; then it waits again, until the next interrupt. A task that
/// ignores its interrupt and floods on would otherwise keep the host busy with nothing.
const LEFT_OUT_BYTES: u64 = 256 << 20;

/// How much output may go.
#[derive(Debug)]
pub(crate) struct Window {
    open: i64,
    /// An interrupt is under way: may leave out this many bytes.
    pressed: Option<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Window { open: STREAM_WINDOW_BYTES as i64, pressed: None }
    }
}

impl Window {
    pub(crate) fn on_credit(&mut self, bytes: u64) {
        // A controller that grants more than it got gains nothing.
        self.open = self.open.saturating_add_unsigned(bytes).min(STREAM_WINDOW_BYTES as i64);
    }

    pub(crate) fn on_interrupt(&mut self) {
        self.pressed = Some(LEFT_OUT_BYTES);
    }

    pub(crate) fn on_start(&mut self) {
        self.pressed = None;
    }

    /// The running task ended; says whether it was interrupted, so that what it printed last goes out as that.
    pub(crate) fn on_finish(&mut self) -> bool {
        self.pressed.take().is_some()
    }
}

/// What waits to be sent.
#[derive(Debug)]
enum Item {
    Text {
        stream: StreamName,
        task: Option<TaskId>,
        text: Bytes,
    },
    /// An answer; `pressed` says that what waits before it goes as an interrupted task's.
    Done {
        message: Message<HostToController>,
        pressed: bool,
    },
}

/// An engine's output that was read and not sent yet.
#[derive(Debug)]
pub(crate) struct Output {
    engine: EngineId,
    items: VecDeque<Item>,
    /// Bytes left out and not told of yet, and whose they were.
    left_out: Option<(u64, Option<TaskId>)>,
    /// The engine is dead: nothing waits any more.
    is_last: bool,
}

impl Output {
    pub(crate) fn new(engine: EngineId) -> Output {
        Output { engine, items: VecDeque::new(), left_out: None, is_last: false }
    }

    pub(crate) fn push_text(&mut self, stream: StreamName, task: Option<TaskId>, text: Bytes) {
        if !text.is_empty() {
            self.items.push_back(Item::Text { stream, task, text });
        }
    }

    pub(crate) fn push_done(&mut self, message: Message<HostToController>, pressed: bool) {
        self.items.push_back(Item::Done { message, pressed });
    }

    /// From here on everything goes or is left out.
    pub(crate) fn close(&mut self) {
        self.is_last = true;
    }

    /// For the next life.
    pub(crate) fn reopen(&mut self) {
        self.is_last = false;
    }

    /// True if nothing waits for the window: the engine may be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The next message that may go now.
    pub(crate) fn next(&mut self, window: &mut Window) -> Option<Message<HostToController>> {
        loop {
            match self.items.front()? {
                Item::Done { .. } => {
                    if let Some(notice) = self.notice(window) {
                        return Some(notice);
                    }
                    if let Some(Item::Done { message, .. }) = self.items.pop_front() {
                        return Some(message);
                    }
                }
                Item::Text { .. } => {
                    let pressed = self.is_last || window.pressed.is_some() || self.is_before_interrupted();
                    if let Some(message) = self.text(window, pressed)? {
                        return Some(message);
                    }
                }
            }
        }
    }

    /// At the very end: what was left out is told.
    pub(crate) fn last_notice(&mut self, window: &mut Window) -> Option<Message<HostToController>> {
        self.notice(window)
    }

    /// True if the answer that ends the waiting text is an interrupted task's.
    fn is_before_interrupted(&self) -> bool {
        let mut answers = self.items.iter().filter_map(|item| match item {
            Item::Done { pressed, .. } => Some(*pressed),
            Item::Text { .. } => None,
        });
        answers.next().unwrap_or(false)
    }

    /// The text in front, or as much of it as may go. The outer `None`: it has to wait; the inner: it was left out.
    #[allow(clippy::option_option)]
    fn text(&mut self, window: &mut Window, pressed: bool) -> Option<Option<Message<HostToController>>> {
        let room = window.open + if pressed { OVERDRAFT_BYTES } else { 0 };
        if room > 0 && self.left_out.is_some() {
            return Some(self.notice(window));
        }
        let Some(Item::Text { stream, task, text }) = self.items.front_mut() else { return None };
        let length = fitting(text, room);
        if length > 0 {
            let piece = text.split_to(length);
            window.open -= length as i64;
            let header = HostToController::Stream { engine: self.engine, task: *task, stream: *stream };
            if text.is_empty() {
                self.items.pop_front();
            }
            return Some(Some(Message::new(header, vec![piece])));
        }
        if !pressed {
            return None;
        }
        let bytes = text.len() as u64;
        if let (Some(left), false) = (&mut window.pressed, self.is_last) {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                window.pressed = None;
            }
        }
        let (so_far, _) = self.left_out.unwrap_or_default();
        self.left_out = Some((so_far + bytes, *task));
        self.items.pop_front();
        Some(None)
    }

    /// The line that tells what was left out.
    fn notice(&mut self, window: &mut Window) -> Option<Message<HostToController>> {
        let (bytes, task) = self.left_out.take()?;
        let text = Bytes::from(format!("[antiphon: {bytes} bytes of output were left out here]\n"));
        window.open -= text.len() as i64;
        let stream = StreamName::Stderr;
        Some(Message::new(HostToController::Stream { engine: self.engine, task, stream }, vec![text]))
    }
}

/// How much of the text fits into the room, whole characters.
fn fitting(text: &[u8], room: i64) -> usize {
    let room = usize::try_from(room).unwrap_or(0);
    if text.len() <= room {
        return text.len();
    }
    let is_inside = |byte: u8| byte & 0xc0 == 0x80;
    (0..=room).rev().find(|at| !is_inside(text[*at])).unwrap_or(0)
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
