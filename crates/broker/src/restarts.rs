//! Restarts: engines killed and started again on request.

use crate::{
    broker::Broker,
    engines::{Awaits, Life},
    requests::{Request, RequestKey},
};
use antiphon_protocol::{ControllerToClient, ControllerToHost, EngineId, HostId, LossCause, Target};
use std::collections::{BTreeMap, BTreeSet};

/// A restart that is not finished.
#[derive(Debug)]
pub(crate) struct Restart {
    /// Engines that are neither back nor known dead.
    pub waiting: BTreeSet<EngineId>,
    /// Engines that are back.
    pub back: u32,
}

impl Broker {
    pub(crate) fn on_restart(&mut self, key: RequestKey, target: &Target) {
        let engines = match self.admit_lasting(key).and_then(|()| self.resolve(target)) {
            Ok(engines) => engines,
            Err(refusal) => return self.refuse(key, refusal),
        };
        let waiting = engines.iter().copied().collect();
        self.requests.insert(key, Request::Restart(Restart { waiting, back: 0 }));
        self.charge(key.client, 0);
        let mut by_host: BTreeMap<HostId, Vec<EngineId>> = BTreeMap::new();
        for engine in engines {
            if let Some(host) = self.begin_restart(engine, key) {
                by_host.entry(host).or_default().push(engine);
            }
        }
        for (host, engines) in by_host {
            self.tell_host(host, ControllerToHost::Restart { engines });
        }
    }

    /// What waits for the engine was meant for the namespace that ends now. What comes from now on is for the next one.
    /// Returns the host that is to be told.
    fn begin_restart(&mut self, engine: EngineId, key: RequestKey) -> Option<HostId> {
        let known = self.engines.get_mut(engine)?;
        let host = known.host;
        let mut is_told = true;
        let awaits = match &mut known.life {
            Life::Up(sent) => {
                let sent = std::mem::take(sent);
                self.engines.set_life(engine, Life::Restarting(sent));
                self.lose_queued(engine, &LossCause::Restarted);
                Awaits::Down
            }
            Life::Restarting(_) => Awaits::Down,
            // The life that begins is the one asked for. It may have begun without the broker having heard of it: told
            // now, the host would end it after the restart was reported as carried out.
            Life::Starting => {
                is_told = false;
                Awaits::Up
            }
            Life::Dead(_) => {
                self.engines.set_life(engine, Life::Starting);
                Awaits::Up
            }
        };
        self.engines.get_mut(engine)?.restarts.insert(key, awaits);
        is_told.then_some(host)
    }

    /// An engine is down: restarts that waited for that wait for it to come up, or no longer, if it will not.
    pub(crate) fn restarts_saw_down(&mut self, engine: EngineId, restarting: bool, was_up: bool) {
        let Some(known) = self.engines.get_mut(engine) else { return };
        if restarting {
            if was_up {
                known.restarts.values_mut().for_each(|awaits| *awaits = Awaits::Up);
            }
            return;
        }
        let over: Vec<RequestKey> = known.restarts.keys().copied().collect();
        for key in over {
            self.restart_ended(key, engine, false);
        }
    }

    /// One engine of a restart is back, or will not come back.
    pub(crate) fn restart_ended(&mut self, key: RequestKey, engine: EngineId, back: bool) {
        if let Some(known) = self.engines.get_mut(engine) {
            known.restarts.remove(&key);
        }
        let Some(Request::Restart(restart)) = self.requests.get_mut(&key) else { return };
        restart.waiting.remove(&engine);
        restart.back += u32::from(back);
        if restart.waiting.is_empty() {
            let reached = restart.back;
            self.close(key);
            self.tell_client(key.client, ControllerToClient::Carried { request: key.request, reached });
        }
    }

    /// Its client has left: the engines restart all the same.
    pub(crate) fn forget_restart(&mut self, key: RequestKey) {
        if let Some(Request::Restart(restart)) = self.requests.remove(&key) {
            for engine in restart.waiting {
                if let Some(known) = self.engines.get_mut(engine) {
                    known.restarts.remove(&key);
                }
            }
        }
    }
}
