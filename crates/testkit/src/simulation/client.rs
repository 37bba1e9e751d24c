//! A client that keeps account of what it was promised.

use antiphon_protocol::{
    ClientToController, ControllerToClient, EngineId, Interruption, Loss, Message, Outcome, RequestId,
};
use std::collections::BTreeMap;

/// A fake client.
#[derive(Debug, Default)]
pub struct FakeClient {
    next: u64,
    pending: BTreeMap<RequestId, Pending>,
    /// Every request that was accepted, with its engines.
    pub accepted: Vec<(RequestId, Vec<EngineId>)>,
    /// Every loss it was told of.
    pub losses: Vec<(RequestId, EngineId, Loss)>,
    /// Output read and not yet acknowledged.
    pub unread: BTreeMap<EngineId, u64>,
    /// Breaches of the protocol by the controller.
    pub breaches: Vec<String>,
}

#[derive(Debug)]
enum Pending {
    /// Work, not yet accepted.
    Asked,
    /// Which positions have no answer, and whose they are.
    Accepted(BTreeMap<u32, Option<EngineId>>),
    Query,
    /// Interrupt, restart.
    Command,
    Status,
}

impl FakeClient {
    /// A fresh request id.
    pub fn fresh(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    /// One of its unfinished requests, or one that never was.
    pub fn some_request(&self, nth: usize) -> RequestId {
        let keys: Vec<_> = self.pending.keys().copied().collect();
        keys.get(nth % keys.len().max(1)).copied().unwrap_or(RequestId(u64::MAX))
    }

    /// Notes what it says.
    pub fn note_said(&mut self, said: &ClientToController) {
        let (request, pending) = match said {
            ClientToController::Submit { request, .. } => (request, Pending::Asked),
            ClientToController::Interrupt {
                request,
                what: Interruption::Request(_) | Interruption::Engines(_),
            }
            | ClientToController::Restart { request, .. }
            | ClientToController::Shutdown { request } => (request, Pending::Command),
            ClientToController::Query { request, .. } => (request, Pending::Query),
            ClientToController::Status { request } => (request, Pending::Status),
            ClientToController::Credit { .. } => return,
        };
        self.pending.insert(*request, pending);
    }

    /// Hears the controller.
    pub fn hear(&mut self, message: &Message<ControllerToClient>) {
        let fits = match &message.header {
            ControllerToClient::Accepted { request, engines } => self.on_accepted(*request, engines),
            ControllerToClient::Refused { request, .. } => {
                !matches!(self.pending.remove(request), None | Some(Pending::Accepted(_) | Pending::Status))
            }
            ControllerToClient::Answer { request, position, engine, outcome, .. } => {
                self.on_answer(*request, *position, *engine, outcome)
            }
            ControllerToClient::Stream { engine, .. } => {
                *self.unread.entry(*engine).or_default() += message.data_bytes();
                true
            }
            ControllerToClient::Replied { request, .. } => {
                matches!(self.pending.remove(request), Some(Pending::Query))
            }
            ControllerToClient::Status { request, .. } => {
                matches!(self.pending.remove(request), Some(Pending::Status))
            }
            ControllerToClient::Carried { request, .. } => {
                matches!(self.pending.remove(request), Some(Pending::Command))
            }
            ControllerToClient::Notice(_) => true,
            ControllerToClient::Goodbye { .. } => false,
        };
        if !fits {
            self.breaches.push(format!("an answer to nothing: {:?}", message.header));
        }
    }

    fn on_accepted(&mut self, request: RequestId, engines: &[EngineId]) -> bool {
        if !matches!(self.pending.get(&request), Some(Pending::Asked)) {
            return false;
        }
        let open = if engines.is_empty() {
            BTreeMap::from([(0, None)])
        } else {
            (0..).zip(engines.iter().map(|&engine| Some(engine))).collect()
        };
        self.pending.insert(request, Pending::Accepted(open));
        self.accepted.push((request, engines.to_vec()));
        true
    }

    fn on_answer(&mut self, request: RequestId, position: u32, engine: EngineId, outcome: &Outcome) -> bool {
        let Some(Pending::Accepted(open)) = self.pending.get_mut(&request) else { return false };
        let Some(expected) = open.remove(&position) else { return false };
        if open.is_empty() {
            self.pending.remove(&request);
        }
        if let Outcome::Lost(loss) = outcome {
            self.losses.push((request, engine, loss.clone()));
        }
        expected.is_none_or(|expected| expected == engine)
    }

    /// Whether everything it asked for is answered and everything it read is acknowledged.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty() && self.unread.is_empty()
    }

    /// What it still waits for, for messages.
    pub fn waits_for(&self) -> String {
        format!("{:?}", self.pending)
    }
}
