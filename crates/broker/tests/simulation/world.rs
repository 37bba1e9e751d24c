//! The world around the broker: who is there, what is under way, and what happens next.

use antiphon_broker::{Action, Broker, Config, Input};
use antiphon_protocol::{
    Ask, ClientId, ClientToController, ControllerToClient, ControllerToHost, EngineId, EngineInfo, HostId,
    HostInfo, HostToController, Interruption, Lane, Message, OnLeave, Outcome, RequestId, Target, TaskId,
    Want, Work,
};
use antiphon_testkit::simulation::{FakeClient, FakeHost, Link, Rng, Start, host_lane, mark};
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
    fn count(&mut self, what: &'static str) {
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
    rng: Rng,
    now_ms: u64,
    next_client: u32,
    next_host: u32,
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

    /// One thing happens somewhere.
    pub fn step(&mut self) {
        match self.rng.below(100) {
            0..3 => self.client_joins(),
            3 => self.client_leaves(),
            4..9 => self.host_joins(),
            9 => self.host_leaves(),
            10 if self.rng.chance(40) => self.host_raves(),
            10..40 => self.host_happens(),
            40..55 => self.client_speaks(),
            _ => self.something_arrives(),
        }
    }

    fn tell(&mut self, input: Input) {
        self.now_ms += self.rng.below(20) as u64;
        self.note(Line::Said(input.clone()));
        self.broker.handle(self.now_ms, input);
        while let Some(action) = self.broker.next_action() {
            self.note(Line::Done(action.clone()));
            self.carry_out(action);
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

    fn bury(&mut self, host: HostId) {
        if let Some(machine) = self.hosts.remove(&host) {
            self.breaches.extend(machine.fake.breaches);
            self.past_starts.extend(machine.fake.starts.into_iter().map(|start| (host, start)));
        }
    }

    fn client_joins(&mut self) {
        if self.clients.len() < 4 {
            self.next_client += 1;
            let client = ClientId(self.next_client);
            let guest = Guest { fake: FakeClient::default(), up: Link::default(), down: Link::default() };
            self.clients.insert(client, guest);
            self.tell(Input::ClientJoined { client, name: "shell".into() });
        }
    }

    fn client_leaves(&mut self) {
        if let Some(client) = self.some_client() {
            self.tally.count("client left");
            if let Some(guest) = self.clients.remove(&client) {
                self.breaches.extend(guest.fake.breaches);
            }
            self.tell(Input::ClientLeft { client });
        }
    }

    fn host_joins(&mut self) {
        if self.hosts.len() < 3 {
            self.next_host += 1;
            let host = HostId(self.next_host);
            let labels = if self.rng.chance(50) { vec!["gpu".to_owned()] } else { Vec::new() };
            let name = format!("h{}", self.next_host % 3);
            let info = HostInfo { name, pid: 9, engines: 1 + self.rng.below(4) as u32, labels };
            self.hosts.insert(host, Machine::default());
            self.tell(Input::HostJoined { host, info });
        }
    }

    fn host_leaves(&mut self) {
        if let Some(host) = self.some_host() {
            self.tally.count("host left");
            self.bury(host);
            self.tell(Input::HostLeft { host });
        }
    }

    /// A host says what no host says: it must be dropped, and nobody else must notice.
    fn host_raves(&mut self) {
        let Some(host) = self.some_host() else { return };
        let nowhere = EngineId(1000);
        let done = Outcome::Done { repr: false, value: false, cut: None };
        let own = self.hosts[&host].fake.windows().next().map_or(nowhere, |(engine, _)| engine);
        let header = match self.rng.below(5) {
            0 => HostToController::Done { task: TaskId(1 << 40), engine: own, outcome: done, elapsed_us: 0 },
            1 => HostToController::EngineUp { engine: nowhere, info: EngineInfo::default() },
            2 => HostToController::Replied { query: TaskId(1 << 40), ok: true },
            3 => HostToController::Done { task: TaskId(1), engine: nowhere, outcome: done, elapsed_us: 0 },
            _ => HostToController::EngineDown {
                engine: nowhere,
                cause: antiphon_protocol::LossCause::Exit(0),
                running: None,
                restarting: true,
            },
        };
        self.tell(Input::FromHost { host, message: header.into() });
        if self.hosts.contains_key(&host) {
            self.breaches.push(format!("host {host} raved and was not dropped"));
        }
    }

    fn host_happens(&mut self) {
        let Some(host) = self.some_host() else { return };
        let Some(machine) = self.hosts.get_mut(&host) else { return };
        machine.fake.happen(&mut self.rng, true);
        Self::post(machine, &mut self.tally);
    }

    fn post(machine: &mut Machine, tally: &mut Tally) {
        while let Some(message) = machine.fake.outbox.pop_front() {
            if matches!(message.header, HostToController::EngineDown { .. }) {
                tally.count("engine down");
            }
            machine.up.push(Lane::Ordinary, message);
        }
    }

    fn client_speaks(&mut self) {
        let Some(client) = self.some_client() else { return };
        let texts = [
            "all",
            "all",
            "any",
            "any",
            "0",
            "1",
            "-1",
            "0-1",
            "::2",
            "::-1",
            "gpu",
            "idle",
            "one-per-host",
            "!0",
            "9",
            "host:h1",
            "local",
        ];
        let target: Target = self.rng.pick(&texts).unwrap().parse().unwrap();
        let Some(guest) = self.clients.get_mut(&client) else { return };
        let (lane, said) = match self.rng.below(26) {
            0..10 => {
                let request = guest.fake.fresh();
                let on_leave = if self.rng.chance(50) { OnLeave::Keep } else { OnLeave::Cancel };
                let work = Work::Execute { want: Want::REPR, script: false };
                let header = ClientToController::Submit { request, target, work, on_leave };
                (Lane::Ordinary, Message::new(header, mark(client, request)))
            }
            10..12 => {
                let what = if self.rng.chance(60) {
                    Interruption::Request(guest.fake.some_request(self.rng.below(8)))
                } else {
                    Interruption::Engines(target)
                };
                (Lane::Urgent, ClientToController::Interrupt { request: guest.fake.fresh(), what }.into())
            }
            12 => {
                (Lane::Ordinary, ClientToController::Restart { request: guest.fake.fresh(), target }.into())
            }
            13..15 => {
                let request = guest.fake.fresh();
                (Lane::Urgent, ClientToController::Query { request, target, ask: Ask::Who }.into())
            }
            15 => (Lane::Urgent, ClientToController::Status { request: guest.fake.fresh() }.into()),
            _ => {
                let Some((engine, unread)) = guest.fake.unread.pop_first() else { return };
                let bytes = 1 + self.rng.below(unread as usize) as u64;
                if bytes < unread {
                    guest.fake.unread.insert(engine, unread - bytes);
                }
                self.tally.count("credit");
                (Lane::Urgent, ClientToController::Credit { engine, bytes }.into())
            }
        };
        guest.fake.note_said(&said.header);
        guest.up.push(lane, said);
    }

    fn something_arrives(&mut self) {
        let urgent_first = self.rng.chance(70);
        match self.rng.below(4) {
            0 => {
                let Some(client) = self.some_client() else { return };
                let message = self.clients.get_mut(&client).and_then(|guest| guest.up.pop(urgent_first));
                if let Some(message) = message {
                    self.tell(Input::FromClient { client, message });
                }
            }
            1 => {
                let Some(guest) = self.some_client().and_then(|client| self.clients.get_mut(&client)) else {
                    return;
                };
                if let Some(message) = guest.down.pop(urgent_first) {
                    guest.fake.hear(&message);
                }
            }
            2 => {
                let Some(host) = self.some_host() else { return };
                let message = self.hosts.get_mut(&host).and_then(|machine| machine.up.pop(urgent_first));
                if let Some(message) = message {
                    self.tell(Input::FromHost { host, message });
                }
            }
            _ => {
                let Some(machine) = self.some_host().and_then(|host| self.hosts.get_mut(&host)) else {
                    return;
                };
                if let Some(message) = machine.down.pop(urgent_first || !machine.fake.is_welcome()) {
                    machine.fake.hear(message);
                    Self::post(machine, &mut self.tally);
                }
            }
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

    fn some_client(&mut self) -> Option<ClientId> {
        let ids: Vec<_> = self.clients.keys().copied().collect();
        self.rng.pick(&ids)
    }

    fn some_host(&mut self) -> Option<HostId> {
        let ids: Vec<_> = self.hosts.keys().copied().collect();
        self.rng.pick(&ids)
    }
}

/// Data makes long lines.
fn short(line: &str) -> String {
    line.chars().take(240).collect()
}
