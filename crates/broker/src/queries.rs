//! Queries: questions an engine answers while it is busy.

use crate::{
    broker::Broker,
    requests::{Request, RequestKey},
};
use antiphon_protocol::{
    Ask, ControllerToClient, ControllerToHost, EngineId, HostId, Message, Refusal, Target, TaskId,
};
use bytes::Bytes;

/// An unanswered question.
#[derive(Debug)]
pub(crate) struct Query {
    pub key: RequestKey,
    pub engine: EngineId,
}

impl Broker {
    pub(crate) fn on_query(&mut self, key: RequestKey, target: &Target, ask: Ask, segments: Vec<Bytes>) {
        let engine = match self.admit_lasting(key).and_then(|()| self.whom_to_ask(target)) {
            Ok(engine) => engine,
            Err(refusal) => return self.refuse(key, refusal),
        };
        let Some(known) = self.engines.get(engine) else { return };
        let host = known.host;
        if known.sent().is_none() {
            let state = if known.is_dead() { "dead" } else { "still starting" };
            return self.reply(key, false, vec![Bytes::from(format!("engine {engine} is {state}"))]);
        }
        let query = self.fresh_id();
        self.queries.insert(query, Query { key, engine });
        if let Some(known) = self.engines.get_mut(engine) {
            known.queries.insert(query);
        }
        self.requests.insert(key, Request::Query(query));
        self.charge(key.client, 0);
        self.tell_host(host, Message::new(ControllerToHost::Query { query, engine, ask }, segments));
    }

    /// The first of the target's engines; of `any`, the first that can answer.
    fn whom_to_ask(&self, target: &Target) -> Result<EngineId, Refusal> {
        let up = self.engines.iter().find(|(_, engine)| engine.sent().is_some()).map(|(id, _)| id);
        if let (true, Some(engine)) = (target.is_any(), up) {
            return Ok(engine);
        }
        let all = Target::all();
        let engines = self.resolve(if target.is_any() { &all } else { target })?;
        engines.first().copied().ok_or_else(|| Refusal::Invalid("the target is empty".into()))
    }

    pub(crate) fn on_replied(
        &mut self,
        host: HostId,
        query: TaskId,
        ok: bool,
        segments: Vec<Bytes>,
    ) -> Result<(), String> {
        let Some(known) = self.queries.get(&query) else {
            // Whoever asked may have left, or the engine have died since.
            return if self.was_issued(query) {
                Ok(())
            } else {
                Err(format!("it answered query {query}, which never was"))
            };
        };
        let (key, engine) = (known.key, known.engine);
        self.own_engine(host, engine)?;
        self.forget_query(query);
        self.reply(key, ok, segments);
        Ok(())
    }

    /// Answers what a lost engine was asked.
    pub(crate) fn fail_queries(&mut self, engine: EngineId, why: &str) {
        let Some(known) = self.engines.get_mut(engine) else { return };
        for query in std::mem::take(&mut known.queries) {
            let Some(key) = self.queries.get(&query).map(|query| query.key) else { continue };
            self.forget_query(query);
            self.reply(key, false, vec![Bytes::from(why.to_owned())]);
        }
    }

    pub(crate) fn forget_query(&mut self, query: TaskId) {
        let Some(Query { key, engine }) = self.queries.remove(&query) else { return };
        if let Some(known) = self.engines.get_mut(engine) {
            known.queries.remove(&query);
        }
        self.close(key);
    }

    fn reply(&mut self, key: RequestKey, ok: bool, segments: Vec<Bytes>) {
        let header = ControllerToClient::Replied { request: key.request, ok };
        self.tell_client(key.client, Message::new(header, segments));
    }
}
