//! The connection as requests share it: what is pending, the credit to return, and the task that reads.
//!
//! One task reads the socket and puts what it finds where it is awaited; nothing else stands between the socket and
//! whoever asked.

use crate::{Answer, ClientError, Event, Reply, inbox::Inbox};
use antiphon_protocol::{
    ClientToController, ControllerToClient, EngineId, Interruption, Lane, Message, Notice, RequestId,
    limits::STREAM_WINDOW_BYTES,
};
use antiphon_transport::{Receiver, SendError, Sender};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{broadcast, oneshot, watch},
    task::AbortHandle,
};

/// Consumed output is reported in portions of this size: an eighth of the window, so that an engine hardly ever waits
/// and a flood costs few messages.
const CREDIT_PORTION_BYTES: u64 = STREAM_WINDOW_BYTES / 8;

/// Notices kept for a reader that is slow; it is told how many it missed.
const NOTICE_QUEUE: usize = 1024;

/// How long the reading task may take to find out why the connection takes nothing more.
const REASON_DEADLINE: Duration = Duration::from_secs(1);

/// An orderly end without a word, as the kernel makes it for a controller that is killed.
const CLOSED: &str = "the controller closed it without a word";

/// A message that answers a plain question.
pub(crate) type Plain = Result<Message<ControllerToClient>, ClientError>;

#[derive(Debug)]
enum Pending {
    /// A submitted request.
    Request(Arc<Inbox>),
    /// A question with one answer.
    Question(oneshot::Sender<Plain>),
}

#[derive(Debug, Default)]
struct State {
    pending: HashMap<RequestId, Pending>,
    credit: HashMap<EngineId, u64>,
}

#[derive(Debug)]
pub(crate) struct Link {
    sender: Sender<ClientToController>,
    state: Mutex<State>,
    next: AtomicU64,
    /// Output of requests that nobody awaits any more.
    stray: Inbox,
    stray_wanted: AtomicBool,
    notices: broadcast::Sender<Notice>,
    /// Why the connection is lost, once it is.
    lost: watch::Sender<Option<ClientError>>,
}

impl Link {
    pub(crate) fn new(sender: Sender<ClientToController>) -> Link {
        Link {
            sender,
            state: Mutex::default(),
            next: AtomicU64::new(1),
            stray: Inbox::default(),
            stray_wanted: AtomicBool::new(false),
            notices: broadcast::channel(NOTICE_QUEUE).0,
            lost: watch::Sender::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_id(&self) -> RequestId {
        RequestId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// From the first call on, stray output is kept for whoever calls; before, it is thrown away, so that no engine
    /// waits for a reader that does not exist.
    pub(crate) fn stray(&self) -> &Inbox {
        self.stray_wanted.store(true, Ordering::Relaxed);
        &self.stray
    }

    pub(crate) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Announces a submitted request, before it is sent.
    pub(crate) fn expect(&self, id: RequestId) -> Result<Arc<Inbox>, ClientError> {
        let inbox = Arc::new(Inbox::default());
        self.enter(id, Pending::Request(inbox.clone()))?;
        Ok(inbox)
    }

    fn enter(&self, id: RequestId, pending: Pending) -> Result<(), ClientError> {
        self.lock().pending.insert(id, pending);
        // Looked at after the entry, so that whoever loses the connection meanwhile sees the one or the other.
        match self.lost.borrow().clone() {
            None => Ok(()),
            Some(error) => {
                self.forget(id);
                Err(error)
            }
        }
    }

    /// The request's answers are not awaited any more.
    pub(crate) fn forget(&self, id: RequestId) {
        self.lock().pending.remove(&id);
    }

    /// Sends; if the connection is gone, says why it is.
    pub(crate) async fn send(
        &self,
        id: RequestId,
        lane: Lane,
        message: Message<ClientToController>,
    ) -> Result<(), ClientError> {
        let Err(error) = self.sender.send(lane, message).await else { return Ok(()) };
        self.forget(id);
        Err(match error {
            SendError::Closed => self.why_lost().await,
            error => ClientError::Send(Arc::new(error)),
        })
    }

    /// Asks a question with one answer.
    pub(crate) async fn ask(
        &self,
        id: RequestId,
        message: Message<ClientToController>,
        what: &'static str,
        deadline: Option<Duration>,
    ) -> Result<Message<ControllerToClient>, ClientError> {
        let (sender, answer) = oneshot::channel();
        self.enter(id, Pending::Question(sender))?;
        self.send(id, Lane::Urgent, message).await?;
        let answer = async { answer.await.unwrap_or(Err(ClientError::Unexpected { what })) };
        let Some(deadline) = deadline else { return answer.await };
        match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.forget(id);
                Err(ClientError::Silent { what, seconds: deadline.as_secs() })
            }
        }
    }

    /// Output was consumed: its engine may write as much again.
    pub(crate) fn consumed(&self, engine: EngineId, bytes: usize) {
        let mut state = self.lock();
        let owed = state.credit.entry(engine).or_default();
        *owed += bytes as u64;
        if *owed >= CREDIT_PORTION_BYTES {
            let bytes = std::mem::take(owed);
            drop(state);
            self.grant(engine, bytes);
        }
    }

    /// Returns what is left, so that quiet clients together never hold an engine's whole window.
    pub(crate) fn flush_credit(&self) {
        let owed: Vec<_> = self.lock().credit.drain().collect();
        for (engine, bytes) in owed {
            if bytes > 0 {
                self.grant(engine, bytes);
            }
        }
    }

    fn grant(&self, engine: EngineId, bytes: u64) {
        // If this fails the connection has ended, and the controller grants what is outstanding itself.
        let _ = self.sender.try_send(Lane::Urgent, ClientToController::Credit { engine, bytes });
    }

    /// Why a connection that takes nothing more is lost: what the task that reads finds out, if it does so soon.
    async fn why_lost(&self) -> ClientError {
        match tokio::time::timeout(REASON_DEADLINE, self.lost()).await {
            Ok(error) => error,
            Err(_) => ClientError::ConnectionLost { reason: CLOSED.to_owned() },
        }
    }

    /// Waits until the connection is lost.
    pub(crate) async fn lost(&self) -> ClientError {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|error| error.clone()) {
            Ok(Some(error)) => error,
            _ => std::future::pending().await,
        }
    }

    /// Has what a request left behind interrupted; nobody waits for it any more. On the same lane as the request, so that
    /// it cannot overtake it.
    pub(crate) fn give_up(&self, request: RequestId) {
        let what = Interruption::Request(request);
        // If this fails the connection has ended, and the controller does the same by itself.
        let _ = self
            .sender
            .try_send(Lane::Ordinary, ClientToController::Interrupt { request: self.next_id(), what });
    }

    /// Ends the connection: nothing new is accepted, what is pending ends with the reason.
    pub(crate) fn lose(&self, reason: String) {
        let error = ClientError::ConnectionLost { reason };
        self.lost.send_replace(Some(error.clone()));
        let pending = std::mem::take(&mut self.lock().pending);
        self.sender.close();
        self.stray.fail(error.clone());
        for pending in pending.into_values() {
            match pending {
                Pending::Request(inbox) => inbox.fail(error.clone()),
                Pending::Question(answer) => {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn inbox(&self, id: RequestId) -> Option<Arc<Inbox>> {
        match self.lock().pending.get(&id) {
            Some(Pending::Request(inbox)) => Some(inbox.clone()),
            _ => None,
        }
    }

    fn answer(&self, id: RequestId, answer: Plain) {
        let pending = self.lock().pending.remove(&id);
        match (pending, answer) {
            (Some(Pending::Question(sender)), answer) => {
                let _ = sender.send(answer);
            }
            (Some(Pending::Request(inbox)), Err(error)) => inbox.fail(error),
            (Some(Pending::Request(inbox)), Ok(_)) => {
                inbox.fail(ClientError::Unexpected { what: "a request" });
            }
            // Its asker gave up.
            (None, _) => {}
        }
    }
}

/// The task that reads; it ends when nobody can be told any more what it read.
#[derive(Debug)]
pub(crate) struct Reader(pub(crate) AbortHandle);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads the connection to its end.
pub(crate) async fn read(mut receiver: Receiver<ControllerToClient>, link: Arc<Link>) {
    let mut goodbye = None;
    let reason = loop {
        match receiver.recv().await {
            Ok(Some(Message { header: ControllerToClient::Goodbye { reason }, .. })) => {
                goodbye = Some(reason)
            }
            Ok(Some(message)) => on_message(&link, message),
            Ok(None) => break CLOSED.to_owned(),
            Err(error) => break explain(&error),
        }
    };
    link.lose(goodbye.unwrap_or(reason));
}

/// An error and what caused it, on one line.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn on_message(link: &Link, message: Message<ControllerToClient>) {
    match message.header {
        ControllerToClient::Answer { request, position, engine, outcome, elapsed_us } => {
            let Some(inbox) = link.inbox(request) else { return };
            let reply = Reply::new(outcome, message.segments);
            let elapsed = Duration::from_micros(elapsed_us);
            inbox.push(Event::Answer(Answer { position: position as usize, engine, reply, elapsed }));
        }
        ControllerToClient::Stream { request, engine, stream } => {
            let text = message.segments.concat();
            match link.inbox(request) {
                Some(inbox) => inbox.push(Event::Stream { engine, stream, text }),
                None if link.stray_wanted.load(Ordering::Relaxed) => {
                    link.stray.push(Event::Stream { engine, stream, text });
                }
                None => link.consumed(engine, text.len()),
            }
        }
        ControllerToClient::Accepted { request, engines } => {
            if let Some(inbox) = link.inbox(request) {
                inbox.accept(engines);
            }
        }
        ControllerToClient::Refused { request, refusal } => {
            link.answer(request, Err(ClientError::Refused(refusal)));
        }
        ControllerToClient::Notice(notice) => {
            // Nobody may be listening.
            let _ = link.notices.send(notice);
        }
        ControllerToClient::Replied { request, .. }
        | ControllerToClient::Status { request, .. }
        | ControllerToClient::Carried { request, .. } => link.answer(request, Ok(message)),
        ControllerToClient::Goodbye { .. } => {}
    }
}
