//! Sees a request to its end: output as it comes, who is still running, Ctrl-C.

use super::{
    Answers, Cluster, Evaluator, Event, Local, Running, Sink, Status,
    aim::Aim,
    backend::LocalError,
    evaluator::{fail, status_of},
    streams::Streams,
};
use crate::{Answer, ClientError, Event as RequestEvent, Reply};
use antiphon_protocol::{EngineId, Interruption, StreamName, Work, target::compact};
use bytes::Bytes;
use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, interval_at};

/// How long a statement runs before it is said who still does, and how often then.
const RUNNING_PERIOD: Duration = Duration::from_secs(1);

/// Statements left in the background at once; of one more the answers are given up.
const BACKGROUND_LIMIT: usize = 64;

/// A statement that was left running.
#[derive(Debug)]
pub(crate) struct Background<R> {
    pub(crate) number: u64,
    pub(crate) target: String,
    pub(crate) request: R,
    answers: Vec<Answer>,
    streams: Streams,
    began: Instant,
}

type Interrupting<'a> = Pin<Box<dyn Future<Output = Result<u32, ClientError>> + 'a>>;

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// Awaits a request's answers. On the second Ctrl-C it is left in the background instead.
    pub(crate) async fn drive(
        &mut self,
        mut request: C::Request,
        aim: &Aim,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Answer>, Status> {
        let began = Instant::now();
        let asked_engines = request.engines().to_vec();
        let asked = asked_engines.len().max(1);
        let mut answers = Vec::with_capacity(asked);
        let mut streams = Streams::default();
        let mut ticks = interval_at(Instant::now() + RUNNING_PERIOD, RUNNING_PERIOD);
        let mut interrupting: Option<Interrupting<'_>> = None;
        let mut presses = 0;
        let mut was_told = false;
        let interrupter = self.interrupter.clone();
        loop {
            tokio::select! {
                biased;
                () = interrupter.pressed() => {
                    presses += 1;
                    if presses > 1 {
                        break;
                    }
                    let what = Interruption::Request(request.id());
                    interrupting = Some(Box::pin(self.cluster.interrupt(what)));
                }
                event = poll_fn(|cx| request.poll_event(cx)) => match event {
                    None => {
                        streams.flush(sink);
                        answers.sort_by_key(|answer: &Answer| answer.position);
                        return Ok(answers);
                    }
                    Some(Ok(event)) => {
                        self.news.on_answer(&event);
                        on_event(event, asked, &mut answers, &mut streams, sink);
                    }
                    Some(Err(error)) => {
                        streams.flush(sink);
                        return Err(fail_midway(&error, &asked_engines, &answers, sink));
                    }
                },
                result = optional(&mut interrupting) => {
                    interrupting = None;
                    if let Err(error) = result {
                        fail(&error, sink);
                    }
                }
                event = late(&self.cluster) => sink.on_event(event),
                news = self.news.next() => sink.on_event(Event::News(news)),
                _ = ticks.tick() => {
                    streams.flush(sink);
                    let waiting = request.waiting();
                    if presses == 1 && !was_told {
                        was_told = true;
                        self.tell_patience(&waiting, sink);
                    }
                    sink.on_event(Event::Running { waiting, asked, elapsed: began.elapsed() });
                }
            }
        }
        drop(interrupting);
        let target = aim.text.clone();
        let number = self.number;
        self.leave(Background { number, target, request, answers, streams, began }, sink);
        Err(Status::Interrupted)
    }

    /// An interrupt was sent and has not helped yet.
    fn tell_patience(&self, waiting: &[EngineId], sink: &mut dyn Sink) {
        let who = compact(waiting.iter().copied());
        let then = if self.options.interactive { "leaves it running in the background" } else { "gives up" };
        sink.on_event(Event::Info(format!("engine[{who}] has not stopped yet; Ctrl-C again {then}")));
    }

    /// Does not wait for a request any longer. A script's ends with the script.
    fn leave(&mut self, job: Background<C::Request>, sink: &mut dyn Sink) {
        let who = compact(job.request.waiting());
        if !self.options.interactive || self.background.len() >= BACKGROUND_LIMIT {
            let message = format!("engine[{who}] did not stop when it was interrupted");
            sink.on_event(Event::Error {
                message,
                hint: Some("%restart kills it and starts it again".to_owned()),
            });
            return;
        }
        let number = job.number;
        sink.on_event(Event::Info(format!(
            "statement {number} is left running in the background on engine[{who}]; %result {number} shows its answers"
        )));
        self.background.push(job);
    }

    /// To be awaited while nothing is evaluated: shows what happens meanwhile. Never ends by itself; safe to drop and call
    /// again.
    pub async fn idle(&mut self, sink: &mut dyn Sink) {
        loop {
            tokio::select! {
                ended = poll_fn(|cx| poll_ended(&mut self.background, sink, cx)) => self.on_background_end(ended, sink),
                event = late(&self.cluster) => sink.on_event(event),
                news = self.news.next() => sink.on_event(Event::News(news)),
            }
        }
    }

    /// Takes what came of the background while nobody looked.
    pub(crate) async fn catch_up(&mut self, sink: &mut dyn Sink) {
        while !self.background.is_empty() {
            let polled = poll_fn(|cx| Poll::Ready(poll_ended(&mut self.background, sink, cx))).await;
            let Poll::Ready(ended) = polled else { return };
            self.on_background_end(ended, sink);
        }
    }

    fn on_background_end(&mut self, (index, result): (usize, Result<(), ClientError>), sink: &mut dyn Sink) {
        let mut job = self.background.swap_remove(index);
        job.streams.flush(sink);
        if let Err(error) = result {
            fail(&error, sink);
            return;
        }
        job.answers.sort_by_key(|answer| answer.position);
        let answers = Answers {
            statement: job.number,
            target: job.target,
            answers: job.answers,
            elapsed: job.began.elapsed(),
        };
        let how = match status_of(&answers) {
            Status::Done => "has ended",
            Status::Interrupted => "was interrupted",
            _ => "has failed",
        };
        self.history.add_answers(Arc::new(answers));
        let number = job.number;
        sink.on_event(Event::Info(format!("statement {number} {how}; %result {number} shows its answers")));
    }

    /// Has the local interpreter do something.
    pub(crate) async fn work_locally(
        &mut self,
        work: Work,
        segments: Vec<Bytes>,
        sink: &mut dyn Sink,
    ) -> Result<Answer, Status> {
        let began = Instant::now();
        let shared = Mutex::new(sink);
        let mut on_stream = |stream: StreamName, bytes: Bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut sink = shared.lock().unwrap_or_else(PoisonError::into_inner);
            sink.on_event(Event::Stream { engine: None, stream, text });
        };
        let mut run = Box::pin(self.local.run(work, segments, &mut on_stream));
        let mut presses = 0;
        let result = loop {
            tokio::select! {
                biased;
                () = self.interrupter.pressed() => {
                    presses += 1;
                    if presses > PATIENCE_PRESSES {
                        break Err(LocalError::Lost("it did not react to Ctrl-C and was ended".to_owned()));
                    }
                    self.local.interrupt();
                }
                result = &mut run => break result,
            }
        };
        drop(run);
        if presses > PATIENCE_PRESSES {
            self.local.discard();
        }
        let sink = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok((outcome, segments)) => Ok(Answer {
                position: 0,
                engine: EngineId(0),
                reply: Reply::new(outcome, segments),
                elapsed: began.elapsed(),
            }),
            Err(error) => {
                let hint = matches!(error, LocalError::Lost(_))
                    .then(|| "the next local statement starts a new one, with an empty namespace".to_owned());
                sink.on_event(Event::Error { message: error.to_string(), hint });
                Err(Status::Lost)
            }
        }
    }
}

/// The connection was lost in the middle: says so, and who had not answered.
fn fail_midway(error: &ClientError, asked: &[EngineId], answers: &[Answer], sink: &mut dyn Sink) -> Status {
    let status = fail(error, sink);
    let is_silent = |engine: &EngineId| !answers.iter().any(|answer| answer.engine == *engine);
    let silent = compact(asked.iter().copied().filter(is_silent));
    if !silent.is_empty() {
        sink.on_event(Event::Warning(format!("engine[{silent}] had not answered")));
    }
    status
}

/// Presses of Ctrl-C after which a local interpreter that does not react is ended.
const PATIENCE_PRESSES: u32 = 2;

fn on_event(
    event: RequestEvent,
    asked: usize,
    answers: &mut Vec<Answer>,
    streams: &mut Streams,
    sink: &mut dyn Sink,
) {
    match event {
        RequestEvent::Stream { engine, stream, text } => {
            streams.feed(engine, stream, &text, asked == 1, sink)
        }
        RequestEvent::Answer(answer) => {
            streams.finish(answer.engine, sink);
            answers.push(answer);
        }
    }
}

/// Follows what runs in the background until one of it ends; says which and how.
fn poll_ended<R: Running>(
    jobs: &mut [Background<R>],
    sink: &mut dyn Sink,
    cx: &mut Context<'_>,
) -> Poll<(usize, Result<(), ClientError>)> {
    for (index, job) in jobs.iter_mut().enumerate() {
        while let Poll::Ready(event) = job.request.poll_event(cx) {
            let asked = job.request.engines().len().max(1);
            match event {
                None => return Poll::Ready((index, Ok(()))),
                Some(Err(error)) => return Poll::Ready((index, Err(error))),
                Some(Ok(event)) => on_event(event, asked, &mut job.answers, &mut job.streams, sink),
            }
        }
    }
    Poll::Pending
}

/// Output that belongs to no statement any more. After the connection is lost there is none; whoever awaits an answer
/// says that it is.
async fn late<C: Cluster>(cluster: &C) -> Event {
    loop {
        match cluster.late_output().await {
            Ok(RequestEvent::Stream { engine, stream, text }) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                return Event::Stream { engine: Some(engine), stream, text };
            }
            Ok(RequestEvent::Answer(_)) => {}
            Err(_) => pending().await,
        }
    }
}

async fn optional<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + '_>>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
