//! Where a request's events wait for whoever asked.
//!
//! Bounded without a bound of its own: there is one answer per position, and output is under way only within the
//! engines' windows, which this side refills as it is consumed. Pieces of one stream are joined while they wait.

use crate::{ClientError, Event};
use antiphon_protocol::EngineId;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Longest piece of a stream that later pieces are joined to.
const JOIN_LIMIT_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    accepted: Option<Vec<EngineId>>,
    queue: VecDeque<Event>,
    failed: Option<ClientError>,
    waker: Option<Waker>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The request was accepted.
    pub(crate) fn accept(&self, engines: Vec<EngineId>) {
        self.change(|state| state.accepted = Some(engines));
    }

    /// The request was refused, or the connection is gone. What is queued can still be taken.
    pub(crate) fn fail(&self, error: ClientError) {
        self.change(|state| {
            state.failed.get_or_insert(error);
        });
    }

    /// Something came.
    pub(crate) fn push(&self, event: Event) {
        self.change(|state| match (state.queue.back_mut(), event) {
            (
                Some(Event::Stream { engine: last_engine, stream: last_stream, text: waiting }),
                Event::Stream { engine, stream, text },
            ) if engine == *last_engine
                && stream == *last_stream
                && waiting.len() + text.len() <= JOIN_LIMIT_BYTES =>
            {
                waiting.extend_from_slice(&text);
            }
            (_, event) => state.queue.push_back(event),
        });
    }

    /// The engines that will answer, once that is known.
    pub(crate) fn poll_accepted(&self, cx: &mut Context<'_>) -> Poll<Result<Vec<EngineId>, ClientError>> {
        let mut state = self.lock();
        if let Some(engines) = state.accepted.take() {
            return Poll::Ready(Ok(engines));
        }
        if let Some(error) = &state.failed {
            return Poll::Ready(Err(error.clone()));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next event; after the last one the failure, if there was one.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Result<Event, ClientError>> {
        let mut state = self.lock();
        if let Some(event) = state.queue.pop_front() {
            return Poll::Ready(Ok(event));
        }
        if let Some(error) = &state.failed {
            return Poll::Ready(Err(error.clone()));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes everything that waits.
    pub(crate) fn drain(&self) -> VecDeque<Event> {
        std::mem::take(&mut self.lock().queue)
    }
}
