//! What the evaluator needs of a cluster and of the local interpreter, so that tests can put others in their place.

use crate::{Client, ClientError, Event, Request};
use antiphon_protocol::{
    Ask, ClusterStatus, EngineId, Interruption, Notice, OnLeave, Outcome, RequestId, StreamName, Target, Work,
};
use bytes::Bytes;
use std::task::{Context, Poll};
use tokio::sync::broadcast;

/// A cluster, as the evaluator uses it.
#[allow(async_fn_in_trait, reason = "the evaluator stays on one thread")]
pub trait Cluster {
    /// A request under way.
    type Request: Running;

    /// Gives work to the target's engines.
    async fn submit(
        &self,
        target: &Target,
        work: Work,
        segments: Vec<Bytes>,
    ) -> Result<Self::Request, ClientError>;
    /// What is up.
    async fn status(&self) -> Result<ClusterStatus, ClientError>;
    /// Interrupts, and says how many tasks were reached.
    async fn interrupt(&self, what: Interruption) -> Result<u32, ClientError>;
    /// Kills engines and starts them again; says how many.
    async fn restart(&self, target: &Target) -> Result<u32, ClientError>;
    /// Asks the target's first engine.
    async fn query(
        &self,
        target: &Target,
        ask: Ask,
        json: Bytes,
    ) -> Result<Result<Bytes, String>, ClientError>;
    /// Output that belongs to no request any more. Safe to drop and call again.
    async fn late_output(&self) -> Result<Event, ClientError>;
    /// What happens to the cluster.
    fn notices(&self) -> broadcast::Receiver<Notice>;
}

/// A request under way.
pub trait Running {
    /// Its name on its connection.
    fn id(&self) -> RequestId;
    /// Who will answer; empty if whichever engine is free will.
    fn engines(&self) -> &[EngineId];
    /// Who has not answered yet.
    fn waiting(&self) -> Vec<EngineId>;
    /// The next event; `None` after the last answer.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ClientError>>>;
}

/// The local interpreter, as the evaluator uses it.
#[allow(async_fn_in_trait, reason = "the evaluator stays on one thread")]
pub trait Local {
    /// Does one piece of work; the segments are those of the bridge's frames.
    async fn run(
        &self,
        work: Work,
        segments: Vec<Bytes>,
        on_stream: &mut (dyn FnMut(StreamName, Bytes) + Send),
    ) -> Result<(Outcome, Vec<Bytes>), LocalError>;
    /// Asks something it answers while it is busy.
    async fn ask(&self, ask: Ask, json: Bytes) -> Result<Result<Bytes, String>, LocalError>;
    /// Interrupts what it runs.
    fn interrupt(&self);
    /// Ends it; the next piece of work starts a new one.
    fn discard(&self);
}

/// Why the local interpreter did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is none.
    #[error("the local interpreter could not be started: {0}")]
    NotStarted(String),
    /// It is gone.
    #[error("the local interpreter is lost: {0}")]
    Lost(String),
}

impl Cluster for Client {
    type Request = Request;

    async fn submit(
        &self,
        target: &Target,
        work: Work,
        segments: Vec<Bytes>,
    ) -> Result<Request, ClientError> {
        Client::submit(self, target, work, segments, OnLeave::Cancel).await
    }

    async fn status(&self) -> Result<ClusterStatus, ClientError> {
        Client::status(self).await
    }

    async fn interrupt(&self, what: Interruption) -> Result<u32, ClientError> {
        Client::interrupt(self, what).await
    }

    async fn restart(&self, target: &Target) -> Result<u32, ClientError> {
        Client::restart(self, target).await
    }

    async fn query(
        &self,
        target: &Target,
        ask: Ask,
        json: Bytes,
    ) -> Result<Result<Bytes, String>, ClientError> {
        Client::query(self, target, ask, json).await
    }

    async fn late_output(&self) -> Result<Event, ClientError> {
        Client::late_output(self).await
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        Client::notices(self)
    }
}

impl Running for Request {
    fn id(&self) -> RequestId {
        Request::id(self)
    }

    fn engines(&self) -> &[EngineId] {
        Request::engines(self)
    }

    fn waiting(&self) -> Vec<EngineId> {
        Request::waiting(self)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ClientError>>> {
        Request::poll_event(self, cx)
    }
}
