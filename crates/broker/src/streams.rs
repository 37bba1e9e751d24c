//! Output: whose it is, and the credit that keeps it bounded.
//!
//! A host may have [`STREAM_WINDOW_BYTES`](antiphon_protocol::limits::STREAM_WINDOW_BYTES) of an engine's output under
//! way. Every byte a host sends is granted back exactly once: when the client that got it says so, when that client
//! leaves, or at once if nobody reads it. The window belongs to the engine's id: it outlives restarts.

use crate::{broker::Broker, limits::STREAM_OVERRUN_BYTES, requests::RequestKey};
use antiphon_protocol::{
    ClientId, ControllerToClient, ControllerToHost, EngineId, HostId, Message, StreamName, TaskId,
};
use bytes::Bytes;

impl Broker {
    pub(crate) fn on_stream(
        &mut self,
        host: HostId,
        engine: EngineId,
        task: Option<TaskId>,
        stream: StreamName,
        segments: Vec<Bytes>,
    ) -> Result<(), String> {
        self.own_engine(host, engine)?;
        let bytes: u64 = segments.iter().map(|segment| segment.len() as u64).sum();
        let Some(known) = self.engines.get_mut(engine) else { return Ok(()) };
        if known.under_way_bytes.saturating_add(bytes) > STREAM_OVERRUN_BYTES {
            return Err(format!("it sent more output of engine {engine} than its window allows"));
        }
        known.under_way_bytes += bytes;
        let reader = self.whose_output(engine, task).filter(|key| self.clients.contains_key(&key.client));
        let Some(key) = reader else {
            self.grant(engine, bytes);
            return Ok(());
        };
        if let Some(client) = self.clients.get_mut(&key.client)
            && bytes > 0
        {
            *client.unread_bytes.entry(engine).or_default() += bytes;
        }
        let header = ControllerToClient::Stream { request: key.request, engine, stream };
        self.tell_client(key.client, Message::new(header, segments));
        Ok(())
    }

    /// The request that runs there, or ran last. A host that names no task leaves the broker to know.
    fn whose_output(&self, engine: EngineId, task: Option<TaskId>) -> Option<RequestKey> {
        let known = self.engines.get(engine)?;
        let sent = known.sent().map(|sent| &sent.tasks);
        let of = |task: TaskId| self.tasks.get(&task).map(|task| task.key);
        match task {
            Some(task) if sent.is_some_and(|sent| sent.contains(&task)) => of(task),
            Some(task) => known.last.filter(|(last, _)| *last == task).map(|(_, key)| key),
            None => known.running().and_then(of).or(known.last.map(|(_, key)| key)),
        }
    }

    /// Remembers who reads what an engine says after its task has ended.
    pub(crate) fn note_last(&mut self, engine: EngineId, task: TaskId) {
        let Some(key) = self.tasks.get(&task).map(|task| task.key) else { return };
        if let Some(known) = self.engines.get_mut(engine) {
            known.last = Some((task, key));
        }
    }

    /// A client has read: never more is granted than it was sent.
    pub(crate) fn on_credit(&mut self, client: ClientId, engine: EngineId, bytes: u64) {
        let Some(reader) = self.clients.get_mut(&client) else { return };
        let Some(unread) = reader.unread_bytes.get_mut(&engine) else { return };
        let granted = bytes.min(*unread);
        *unread -= granted;
        if *unread == 0 {
            reader.unread_bytes.remove(&engine);
        }
        self.grant(engine, granted);
    }

    /// Lets an engine's host send this many bytes more.
    pub(crate) fn grant(&mut self, engine: EngineId, bytes: u64) {
        let Some(known) = self.engines.get_mut(engine) else { return };
        known.under_way_bytes = known.under_way_bytes.saturating_sub(bytes);
        let host = known.host;
        if bytes > 0 {
            self.tell_host(host, ControllerToHost::Credit { engine, bytes });
        }
    }

    /// The engines are gone, and with them the windows: what was unread of them grants nothing.
    pub(crate) fn forget_unread(&mut self, engines: &[EngineId]) {
        for client in self.clients.values_mut() {
            for engine in engines {
                client.unread_bytes.remove(engine);
            }
        }
    }
}
