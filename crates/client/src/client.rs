//! A connection to a cluster.

use crate::{
    Answer, ClientError, Event, Pickled, Reply, Request,
    link::{self, Link, Reader},
};
use antiphon_protocol::{
    Ask, ClientId, ClientToController, ClusterStatus, ControllerToClient, EngineStatus, Interruption, Lane,
    Message, Notice, OnLeave, Refusal, RequestId, Target, Want, Work,
    hello::{self, Hello, Role},
};
use antiphon_transport::{Address, Connected};
use bytes::Bytes;
use std::{future::poll_fn, sync::Arc, time::Duration};
use tokio::sync::broadcast;

/// How long a question that the controller answers itself may take. It never computes; a swamped machine may be slow.
const STATUS_DEADLINE: Duration = Duration::from_secs(10);

/// How long an interpreter's side thread may take: native code that holds its lock can keep it from answering.
const QUERY_DEADLINE: Duration = Duration::from_secs(5);

/// How long engines may take to come back after a restart: as long as an interpreter may take to start on a machine
/// where hundreds do so at once.
const RESTART_DEADLINE: Duration = Duration::from_secs(120);

/// A connection to a cluster. Clones share it; it ends with the last one and the last of its requests.
#[derive(Clone, Debug)]
pub struct Client {
    link: Arc<Link>,
    cluster: String,
    id: Option<ClientId>,
    reader: Arc<Reader>,
}

/// How a statement is to be run.
#[derive(Clone, Debug)]
pub struct ExecuteOptions {
    /// What to send back.
    pub want: Want,
    /// The name of the source in tracebacks, as `<all:12>`.
    pub name: String,
    /// What becomes of it if this client leaves first.
    pub on_leave: OnLeave,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        ExecuteOptions { want: Want::REPR, name: "<antiphon>".to_owned(), on_leave: OnLeave::Cancel }
    }
}

impl Client {
    /// Connects. `name` is for people: what this client is.
    pub async fn connect(address: &Address, token: &str, name: &str) -> Result<Client, ClientError> {
        let hello = Hello {
            token: token.to_owned(),
            role: Role::Client { name: name.to_owned() },
            release: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let connected = antiphon_transport::connect(address, &hello).await;
        let Connected { reply, sender, receiver } =
            connected.map_err(|error| ClientError::Connect(Arc::new(error)))?;
        let (cluster, id) = match reply {
            hello::Reply::Accepted { cluster, client } => (cluster, client),
            hello::Reply::Refused { reason } => return Err(ClientError::Refused(Refusal::Invalid(reason))),
        };
        let link = Arc::new(Link::new(sender));
        let reader = tokio::spawn(link::read(receiver, link.clone())).abort_handle();
        Ok(Client { link, cluster, id, reader: Arc::new(Reader(reader)) })
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The id the controller gave this client.
    pub fn id(&self) -> Option<ClientId> {
        self.id
    }

    /// Runs source on the target's engines.
    pub async fn execute(
        &self,
        target: &Target,
        source: impl Into<Bytes>,
        options: ExecuteOptions,
    ) -> Result<Request, ClientError> {
        let work = Work::Execute { want: options.want, script: false };
        let segments = vec![source.into(), Bytes::from(options.name)];
        self.submit(target, work, segments, options.on_leave).await
    }

    /// Gives the target's engines work of any kind; the segments are those of the bridge's frame. If the future is dropped
    /// before it is done, the work is interrupted.
    pub async fn submit(
        &self,
        target: &Target,
        work: Work,
        segments: Vec<Bytes>,
        on_leave: OnLeave,
    ) -> Result<Request, ClientError> {
        let request = self.link.next_id();
        let inbox = self.link.expect(request)?;
        let mut guard = Submitting { link: &self.link, request, is_sent: false };
        let header = ClientToController::Submit { request, target: target.clone(), work, on_leave };
        self.link.send(request, Lane::Ordinary, Message::new(header, segments)).await?;
        guard.is_sent = true;
        let accepted = poll_fn(|cx| inbox.poll_accepted(cx)).await;
        std::mem::forget(guard);
        let engines = accepted.inspect_err(|_| self.link.forget(request))?;
        Ok(Request::new(request, engines, inbox, self.link.clone(), self.reader.clone()))
    }

    /// Binds `name` to a value on the target's engines.
    pub async fn push(
        &self,
        target: &Target,
        name: &str,
        value: &Pickled,
    ) -> Result<Vec<Answer>, ClientError> {
        let mut segments = vec![names(&[name])];
        segments.extend(value.0.iter().cloned());
        self.submit(target, Work::Put, segments, OnLeave::Cancel).await?.answers().await
    }

    /// Fetches from each of the target's engines the value of one name, or the list of the values of several.
    pub async fn pull(&self, target: &Target, wanted: &[&str]) -> Result<Vec<Answer>, ClientError> {
        self.submit(target, Work::Get, vec![names(wanted)], OnLeave::Cancel).await?.answers().await
    }

    /// Empties the namespaces of the target's engines.
    pub async fn reset(&self, target: &Target) -> Result<Vec<Answer>, ClientError> {
        self.submit(target, Work::Reset, Vec::new(), OnLeave::Cancel).await?.answers().await
    }

    /// Interrupts, and says how many tasks were reached.
    pub async fn interrupt(&self, what: Interruption) -> Result<u32, ClientError> {
        let request = self.link.next_id();
        let header = ClientToController::Interrupt { request, what };
        self.carried(request, header, "an interrupt", STATUS_DEADLINE).await
    }

    /// Kills engines and starts them again under their ids; says how many, once they answer again.
    pub async fn restart(&self, target: &Target) -> Result<u32, ClientError> {
        let request = self.link.next_id();
        let header = ClientToController::Restart { request, target: target.clone() };
        self.carried(request, header, "a restart", RESTART_DEADLINE).await
    }

    /// Ends the whole cluster.
    pub async fn shutdown(&self) -> Result<u32, ClientError> {
        let request = self.link.next_id();
        self.carried(request, ClientToController::Shutdown { request }, "a shutdown", STATUS_DEADLINE).await
    }

    /// What is up.
    pub async fn status(&self) -> Result<ClusterStatus, ClientError> {
        let request = self.link.next_id();
        let message = ClientToController::Status { request }.into();
        let answer =
            self.link.ask(request, message, "a question for the status", Some(STATUS_DEADLINE)).await?;
        match answer.header {
            ControllerToClient::Status { status, .. } => Ok(status),
            _ => Err(ClientError::Unexpected { what: "a question for the status" }),
        }
    }

    /// The engines that are up or starting, by id.
    pub async fn engines(&self) -> Result<Vec<EngineStatus>, ClientError> {
        Ok(self.status().await?.engines)
    }

    /// Asks the target's first engine something it answers while it is busy. JSON in and out, as ARCHITECTURE.md lays
    /// it out; the inner error is the engine's message.
    pub async fn query(
        &self,
        target: &Target,
        ask: Ask,
        json: Bytes,
    ) -> Result<Result<Bytes, String>, ClientError> {
        let request = self.link.next_id();
        let header = ClientToController::Query { request, target: target.clone(), ask };
        let message = Message::new(header, vec![json]);
        let answer = self.link.ask(request, message, "a question to an engine", Some(QUERY_DEADLINE)).await?;
        let ControllerToClient::Replied { ok, .. } = answer.header else {
            return Err(ClientError::Unexpected { what: "a question to an engine" });
        };
        let json = answer.segments.into_iter().next().unwrap_or_default();
        Ok(if ok { Ok(json) } else { Err(String::from_utf8_lossy(&json).into_owned()) })
    }

    /// Completions of `code` at `cursor` (in characters) in the namespace of the target's first engine.
    pub async fn complete(
        &self,
        target: &Target,
        code: &str,
        cursor: usize,
    ) -> Result<Result<Bytes, String>, ClientError> {
        let json = serde_json::json!({ "code": code, "cursor": cursor }).to_string();
        self.query(target, Ask::Complete, json.into()).await
    }

    /// What an expression is, in the namespace of the target's first engine.
    pub async fn inspect(
        &self,
        target: &Target,
        expr: &str,
        detail: u8,
    ) -> Result<Result<Bytes, String>, ClientError> {
        let json = serde_json::json!({ "expr": expr, "detail": detail }).to_string();
        self.query(target, Ask::Inspect, json.into()).await
    }

    /// The user's names in the namespace of the target's first engine.
    pub async fn who(&self, target: &Target) -> Result<Result<Bytes, String>, ClientError> {
        self.query(target, Ask::Who, Bytes::from_static(b"{}")).await
    }

    /// What happens to the cluster from now on. A reader that is slow is told how many it missed.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.link.notices()
    }

    /// Waits until the connection is lost, and says why.
    pub async fn lost(&self) -> ClientError {
        self.link.lost().await
    }

    /// Output of requests whose answers are all in or not awaited any more: what threads they started still print. For one
    /// caller at a time. Until the first call such output is thrown away.
    pub async fn late_output(&self) -> Result<Event, ClientError> {
        let event = poll_fn(|cx| self.link.stray().poll_event(cx)).await?;
        if let Event::Stream { engine, text, .. } = &event {
            self.link.consumed(*engine, text.len());
        }
        Ok(event)
    }

    async fn carried(
        &self,
        request: RequestId,
        header: ClientToController,
        what: &'static str,
        deadline: Duration,
    ) -> Result<u32, ClientError> {
        let answer = self.link.ask(request, header.into(), what, Some(deadline)).await?;
        match answer.header {
            ControllerToClient::Carried { reached, .. } => Ok(reached),
            _ => Err(ClientError::Unexpected { what }),
        }
    }
}

/// The pickled values of answers, if every engine gave one.
pub fn values(answers: &[Answer]) -> Option<Vec<&Pickled>> {
    answers.iter().map(|answer| Reply::value(&answer.reply)).collect()
}

/// If submitting a request is given up before it was accepted, it is taken off the list and, if it was sent, interrupted.
struct Submitting<'a> {
    link: &'a Link,
    request: RequestId,
    is_sent: bool,
}

impl Drop for Submitting<'_> {
    fn drop(&mut self) {
        self.link.forget(self.request);
        if self.is_sent {
            self.link.give_up(self.request);
        }
    }
}

/// A JSON list of names, as the bridge wants it.
pub(crate) fn names(names: &[&str]) -> Bytes {
    serde_json::json!(names).to_string().into()
}
