//! Interrupts: of requests and of engines.

use crate::{
    broker::Broker,
    requests::{Request, RequestKey},
    tasks::Place,
};
use antiphon_protocol::{
    ControllerToClient, ControllerToHost, EngineId, HostId, Interruption, LossCause, Refusal, RequestId,
    Target, TaskId,
};
use std::collections::BTreeMap;

/// Tasks to be interrupted, one message per host.
type Interrupts = BTreeMap<HostId, Vec<(TaskId, EngineId)>>;

impl Broker {
    pub(crate) fn on_interrupt(&mut self, key: RequestKey, what: &Interruption) {
        if let Err(refusal) = self.admit(key) {
            return self.refuse(key, refusal);
        }
        let reached = match what {
            Interruption::Request(request) => self.interrupt_request(key, *request),
            Interruption::Engines(target) => match self.interrupt_engines(target) {
                Ok(reached) => reached,
                Err(refusal) => return self.refuse(key, refusal),
            },
        };
        self.tell_client(key.client, ControllerToClient::Carried { request: key.request, reached });
    }

    fn interrupt_request(&mut self, key: RequestKey, request: RequestId) -> u32 {
        self.cancel(&[RequestKey { client: key.client, request }])
    }

    /// Answers the waiting tasks of these requests and interrupts the others; returns how many tasks there were.
    pub(crate) fn cancel(&mut self, keys: &[RequestKey]) -> u32 {
        let mut interrupts = Interrupts::new();
        let mut waiting = Vec::new();
        let mut reached = 0;
        for key in keys {
            let Some(Request::Work(request)) = self.requests.get(key) else { continue };
            let tasks = request.first..TaskId(request.first.0.saturating_add(request.n));
            for (&task, known) in self.tasks.range(tasks) {
                reached += 1;
                match known.place {
                    Place::Farmed | Place::Queued(_) => waiting.push(task),
                    Place::Sent(engine) => {
                        if let Some(known) = self.engines.get(engine) {
                            interrupts.entry(known.host).or_default().push((task, engine));
                        }
                    }
                }
            }
        }
        for task in waiting {
            self.lose(task, LossCause::Cancelled, false);
        }
        self.send_interrupts(interrupts);
        reached
    }

    fn interrupt_engines(&mut self, target: &Target) -> Result<u32, Refusal> {
        let mut interrupts = Interrupts::new();
        let mut reached = 0;
        for engine in self.resolve(target)? {
            let Some(known) = self.engines.get(engine) else { continue };
            if let Some(task) = known.running() {
                interrupts.entry(known.host).or_default().push((task, engine));
                reached += 1;
            }
        }
        self.send_interrupts(interrupts);
        Ok(reached)
    }

    fn send_interrupts(&mut self, interrupts: Interrupts) {
        for (host, tasks) in interrupts {
            self.tell_host(host, ControllerToHost::Interrupt { tasks });
        }
    }
}
