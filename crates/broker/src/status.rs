//! What is up, for people and programs.

use crate::{
    broker::Broker,
    engines::{Engine, Life},
    requests::RequestKey,
};
use antiphon_protocol::{ClusterStatus, ControllerToClient, EngineId, EngineState, EngineStatus, HostStatus};

impl Broker {
    pub(crate) fn on_status(&mut self, key: RequestKey) {
        let status = self.status();
        self.tell_client(key.client, ControllerToClient::Status { request: key.request, status });
    }

    /// The cluster as it is now.
    pub fn status(&self) -> ClusterStatus {
        let hosts =
            self.hosts.iter().map(|(&host, known)| HostStatus { host, info: known.info.clone() }).collect();
        ClusterStatus {
            cluster: self.config.cluster.clone(),
            version: self.config.version.clone(),
            pid: self.config.pid,
            uptime_ms: self.now_ms - self.started_ms.unwrap_or(self.now_ms),
            hosts,
            engines: self.engines.iter().map(|(id, engine)| self.engine_status(id, engine)).collect(),
            clients: self.clients.len() as u32,
            requests: self.requests.len() as u32,
        }
    }

    fn engine_status(&self, id: EngineId, engine: &Engine) -> EngineStatus {
        let sent = engine.sent().filter(|sent| !sent.tasks.is_empty());
        let state = match &engine.life {
            Life::Starting | Life::Restarting(_) => EngineState::Starting,
            Life::Up(sent) if sent.tasks.is_empty() => EngineState::Idle,
            Life::Up(_) => EngineState::Busy,
            Life::Dead(_) => EngineState::Dead,
        };
        let host = self.hosts.get(&engine.host);
        EngineStatus {
            engine: id,
            host: engine.host,
            host_name: host.map_or_else(String::new, |host| host.info.name.clone()),
            labels: host.map_or_else(Vec::new, |host| host.info.labels.clone()),
            state,
            queued: (engine.queue.len() + sent.map_or(0, |sent| sent.tasks.len() - 1)) as u32,
            busy_ms: sent.map(|sent| self.now_ms - sent.since_ms),
            finished: engine.finished,
            restarts: engine.starts.saturating_sub(1),
            info: engine.info.clone(),
        }
    }
}
