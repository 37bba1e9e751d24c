//! Ctrl-C, as the evaluator hears of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// A handle on what the evaluator is doing; may be used from any thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupter(Arc<Presses>);

#[derive(Debug, Default)]
struct Presses {
    waiting: AtomicUsize,
    /// All that there ever were.
    total: AtomicUsize,
    notify: Notify,
}

impl Interrupter {
    /// Ctrl-C was pressed. The first interrupts what is in flight, the second leaves it running in the background.
    pub fn press(&self) {
        self.0.total.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        self.0.notify.notify_one();
    }

    /// Forgets what was pressed while nothing ran.
    pub(crate) fn clear(&self) {
        self.0.waiting.store(0, Ordering::SeqCst);
    }

    /// How often it was pressed so far: whoever compares sees a press that hit nothing, too.
    pub(crate) fn total(&self) -> usize {
        self.0.total.load(Ordering::SeqCst)
    }

    /// Waits for a press. Safe to drop and call again.
    pub(crate) async fn pressed(&self) {
        loop {
            let taken = self.0.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if taken.is_ok() {
                return;
            }
            self.0.notify.notified().await;
        }
    }
}
