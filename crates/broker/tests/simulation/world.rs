//! The world around the broker: who is there, what is under way, and what happens next.

use antiphon_broker::{Action, Broker, Config, Input};
use antiphon_protocol::{
    ClientId, ClientToController, ControllerToClient, ControllerToHost, EngineId, HostId, HostToController,
    Lane, LossCause, Message, Outcome, RequestId,
};
use antiphon_testkit::simulation::{FakeClient, FakeHost, Link, Rng, Start, host_lane};
use std::collections::{BTreeMap, VecDeque};

pub struct Guest {
    pub fake: FakeClient,
    pub up: Link<ClientToController>,
    pub down: Link<ControllerToClient>,
}

#[derive(Default)]
pub struct Machine {
    pub fake: FakeHost,
    pub up: Link<HostToController>,
    pub down: Link<ControllerToHost>,
}

/// How often things happened over all worlds: a simulation that never reaches a case proves nothing about it.
#[derive(Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Tally) {
        for (what, n) in &other.0 {
            *self.0.entry(what).or_default() += n;
        }
    }

    pub fn assert_everything_happened(&self) {
        for what in [
            "accepted",
            "farmed",
            "refused",
            "done",
            "raised",
            "lost",
            "lost unstarted",
            "stream",
            "carried",
            "replied",
            "host dropped",
            "host left",
            "client left",
            "credit",
            "engine down",
            "interrupt",
            "restarted",
        ] {
            let n = self.0.get(what).copied().unwrap_or(0);
            assert!(n >= 30, "`{what}` happened {n} times only: {:?}", self.0);
        }
    }
}

/// One line of the diary; made into text only when somebody reads it.
enum Line {
    Said(Input),
    Done(Action),
    FaultsStop,
}

pub struct World {
    pub broker: Broker,
    pub clients: BTreeMap<ClientId, Guest>,
    pub hosts: BTreeMap<HostId, Machine>,
    /// Requests in the order in which the broker accepted them, per engine; of farmed ones only who asked.
    pub arrivals: BTreeMap<(HostId, EngineId), Vec<(ClientId, RequestId)>>,
    pub farmed: Vec<(ClientId, RequestId)>,
    /// Losses that clients were told of.
    pub losses: Vec<(ClientId, RequestId, EngineId, antiphon_protocol::Loss)>,
    /// Everything that engines of hosts that are gone began.
    pub past_starts: Vec<(HostId, Start)>,
    /// What must not have happened.
    pub breaches: Vec<String>,
    pub tally: Tally,
    pub rng: Rng,
    pub now_ms: u64,
    pub next_client: u32,
    pub next_host: u32,
    diary: VecDeque<Line>,
}

impl World {
    pub fn new(seed: u64) -> World {
        let config = Config { cluster: "sim".into(), version: "0".into(), pid: 1 };
        World {
            broker: Broker::new(config),
            clients: BTreeMap::new(),
            hosts: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            farmed: Vec::new(),
            losses: Vec::new(),
            past_starts: Vec::new(),
            breaches: Vec::new(),
            tally: Tally::default(),
            rng: Rng::new(seed),
            now_ms: 1000,
            next_client: 0,
            next_host: 0,
            diary: VecDeque::new(),
        }
    }

    /// The last things that happened, for whoever looks into a failure.
    pub fn diary(&self) -> impl Iterator<Item = String> {
        self.diary.iter().map(|line| match line {
            Line::Said(input) => short(&format!("-> {input:?}")),
            Line::Done(action) => short(&format!("     {action:?}")),
            Line::FaultsStop => "---- the faults stop".into(),
        })
    }

    fn note(&mut self, line: Line) {
        self.diary.push_back(line);
        if self.diary.len() > 60 {
            self.diary.pop_front();
        }
    }

    pub fn tell(&mut self, input: Input) {
        self.now_ms += self.rng.below(20) as u64;
        self.note(Line::Said(input.clone()));
        self.check_restart(&input);
        self.broker.handle(self.now_ms, input);
        while let Some(action) = self.broker.next_action() {
            self.note(Line::Done(action.clone()));
            self.carry_out(action);
        }
    }

    /// An engine that ends by a restart is one whose restart was asked for in this life and not yet reported as done.
    fn check_restart(&mut self, input: &Input) {
        let Input::FromHost { message, .. } = input else { return };
        let HostToController::EngineDown { engine, cause: LossCause::Restarted, .. } = message.header else {
            return;
        };
        self.tally.count("restarted");
        if !self.broker.census().engines.iter().any(|known| known.engine == engine && known.restarting) {
            self.breaches.push(format!("engine {engine} was restarted after that was said to be done"));
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::ToClient { client, message } => self.deliver(client, message),
            Action::ToHost { host, message } => match self.hosts.get_mut(&host) {
                Some(machine) => {
                    if matches!(message.header, ControllerToHost::Interrupt { .. }) {
                        self.tally.count("interrupt");
                    }
                    machine.down.push(host_lane(&message.header), message);
                }
                None => self.breaches.push(format!("sent to host {host}, which is gone: {message:?}")),
            },
            Action::DropHost { host, .. } => {
                self.tally.count("host dropped");
                self.bury(host);
            }
            Action::DropClient { .. } | Action::Stop => self.breaches.push(format!("{action:?}")),
        }
    }

    fn deliver(&mut self, client: ClientId, message: Message<ControllerToClient>) {
        let Some(guest) = self.clients.get_mut(&client) else {
            return self.breaches.push(format!("sent to client {client}, which is gone: {message:?}"));
        };
        self.tally.count(match &message.header {
            ControllerToClient::Accepted { engines, .. } if engines.is_empty() => "farmed",
            ControllerToClient::Accepted { .. } => "accepted",
            ControllerToClient::Refused { .. } => "refused",
            ControllerToClient::Answer { outcome: Outcome::Done { .. }, .. } => "done",
            ControllerToClient::Answer { outcome: Outcome::Raised { .. }, .. } => "raised",
            ControllerToClient::Answer { outcome: Outcome::Lost(loss), .. } if loss.started => "lost",
            ControllerToClient::Answer { .. } => "lost unstarted",
            ControllerToClient::Stream { .. } => "stream",
            ControllerToClient::Replied { .. } => "replied",
            ControllerToClient::Carried { .. } => "carried",
            _ => "other",
        });
        if let ControllerToClient::Answer { request, engine, outcome: Outcome::Lost(loss), .. } =
            &message.header
        {
            self.losses.push((client, *request, *engine, loss.clone()));
        }
        let lane = match message.header {
            ControllerToClient::Replied { .. } | ControllerToClient::Status { .. } => Lane::Urgent,
            _ => Lane::Ordinary,
        };
        if let ControllerToClient::Accepted { request, engines } = &message.header {
            let census = self.broker.census();
            for engine in engines {
                let host =
                    census.engines.iter().find(|known| known.engine == *engine).map(|known| known.host);
                let host = host.unwrap_or(HostId(0));
                self.arrivals.entry((host, *engine)).or_default().push((client, *request));
            }
            if engines.is_empty() {
                self.farmed.push((client, *request));
            }
        }
        guest.down.push(lane, message);
    }

    pub fn bury(&mut self, host: HostId) {
        if let Some(machine) = self.hosts.remove(&host) {
            self.breaches.extend(machine.fake.breaches);
            self.past_starts.extend(machine.fake.starts.into_iter().map(|start| (host, start)));
        }
    }

    /// The faults stop: everything arrives, every task ends, everything is read.
    pub fn drain(&mut self) -> Result<(), String> {
        self.note(Line::FaultsStop);
        for _ in 0..5000 {
            let clients: Vec<ClientId> = self.clients.keys().copied().collect();
            let hosts: Vec<HostId> = self.hosts.keys().copied().collect();
            for client in clients {
                self.drain_client(client);
            }
            for host in hosts {
                self.drain_host(host);
            }
            crate::invariants::check(self)?;
            if self.is_quiet() {
                return Ok(());
            }
        }
        let waits: Vec<String> = self.clients.values().map(|guest| guest.fake.waits_for()).collect();
        Err(format!("it never came to rest: clients wait for {waits:?}, {:#?}", self.broker.census()))
    }

    fn drain_client(&mut self, client: ClientId) {
        let Some(guest) = self.clients.get_mut(&client) else { return };
        while let Some(message) = guest.down.pop(false) {
            guest.fake.hear(&message);
        }
        while let Some((engine, bytes)) = guest.fake.unread.pop_first() {
            guest.up.push(Lane::Urgent, ClientToController::Credit { engine, bytes });
        }
        while let Some(message) = self.clients.get_mut(&client).and_then(|guest| guest.up.pop(false)) {
            self.tell(Input::FromClient { client, message });
        }
    }

    fn drain_host(&mut self, host: HostId) {
        let Some(machine) = self.hosts.get_mut(&host) else { return };
        while let Some(message) = machine.down.pop(false) {
            machine.fake.hear(message);
        }
        machine.fake.settle(&mut self.rng);
        Self::post(machine, &mut self.tally);
        while let Some(message) = self.hosts.get_mut(&host).and_then(|machine| machine.up.pop(false)) {
            self.tell(Input::FromHost { host, message });
        }
    }

    fn is_quiet(&self) -> bool {
        let clients = self
            .clients
            .values()
            .all(|guest| guest.fake.is_quiet() && guest.up.is_empty() && guest.down.is_empty());
        let hosts = self
            .hosts
            .values()
            .all(|machine| machine.fake.is_quiet() && machine.up.is_empty() && machine.down.is_empty());
        clients && hosts
    }
}

/// Data makes long lines.
fn short(line: &str) -> String {
    line.chars().take(240).collect()
}
