//! What may happen next, and how often: everything a cluster's day can bring, and what no day should.

use crate::world::{Guest, Machine, Tally, World};
use antiphon_broker::Input;
use antiphon_protocol::{
    Ask, ClientId, ClientToController, EngineId, EngineInfo, HostId, HostInfo, HostToController,
    Interruption, Lane, LossCause, Message, OnLeave, Outcome, Target, TaskId, Want, Work,
};
use antiphon_testkit::simulation::{FakeClient, Link, mark};

impl World {
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
                cause: LossCause::Exit(0),
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

    pub fn post(machine: &mut Machine, tally: &mut Tally) {
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

    fn some_client(&mut self) -> Option<ClientId> {
        let ids: Vec<_> = self.clients.keys().copied().collect();
        self.rng.pick(&ids)
    }

    fn some_host(&mut self) -> Option<HostId> {
        let ids: Vec<_> = self.hosts.keys().copied().collect();
        self.rng.pick(&ids)
    }
}
