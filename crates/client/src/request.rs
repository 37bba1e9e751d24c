//! A request under way: its events as they come, or all its answers at once.

use crate::{
    Answer, ClientError, Event,
    inbox::Inbox,
    link::{Link, Reader},
};
use antiphon_protocol::{EngineId, RequestId};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// A request that was accepted. Dropping it does not stop it: its answers are then thrown away.
#[derive(Debug)]
pub struct Request {
    id: RequestId,
    engines: Vec<EngineId>,
    answered: Vec<bool>,
    left: usize,
    inbox: Arc<Inbox>,
    link: Arc<Link>,
    _reader: Arc<Reader>,
}

impl Request {
    pub(crate) fn new(
        id: RequestId,
        engines: Vec<EngineId>,
        inbox: Arc<Inbox>,
        link: Arc<Link>,
        reader: Arc<Reader>,
    ) -> Request {
        // A farmed request names no engines and gets one answer.
        let left = engines.len().max(1);
        Request { id, engines, answered: vec![false; left], left, inbox, link, _reader: reader }
    }

    /// Its name on this connection.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Who will answer, in target order; empty if whichever engine is free will.
    pub fn engines(&self) -> &[EngineId] {
        &self.engines
    }

    /// Who has not answered yet.
    pub fn waiting(&self) -> Vec<EngineId> {
        let places = self.engines.iter().zip(&self.answered);
        places.filter(|(_, answered)| !**answered).map(|(engine, _)| *engine).collect()
    }

    /// The next event; `None` after the last answer. Safe to drop and call again. What is returned counts as consumed,
    /// and its engine may write as much again.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// [`next`](Self::next), for those who wait for several requests.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ClientError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let event = match ready!(self.inbox.poll_event(cx)) {
            Ok(event) => event,
            Err(error) => {
                self.left = 0;
                return Poll::Ready(Some(Err(error)));
            }
        };
        match &event {
            Event::Stream { engine, text, .. } => self.link.consumed(*engine, text.len()),
            Event::Answer(answer) => self.on_answer(answer),
        }
        Poll::Ready(Some(Ok(event)))
    }

    fn on_answer(&mut self, answer: &Answer) {
        if let Some(answered) = self.answered.get_mut(answer.position)
            && !*answered
        {
            *answered = true;
            self.left -= 1;
        }
        if self.left == 0 {
            self.link.forget(self.id);
            self.link.flush_credit();
        }
    }

    /// All answers, in target order. Output is thrown away.
    pub async fn answers(mut self) -> Result<Vec<Answer>, ClientError> {
        let mut answers = Vec::with_capacity(self.left);
        while let Some(event) = self.next().await {
            if let Event::Answer(answer) = event? {
                answers.push(answer);
            }
        }
        answers.sort_by_key(|answer| answer.position);
        Ok(answers)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.link.forget(self.id);
        for event in self.inbox.drain() {
            if let Event::Stream { engine, text, .. } = event {
                self.link.consumed(engine, text.len());
            }
        }
    }
}
