//! Peers that say anything at all, in any order, about ids that may or may not be. Nobody keeps to any book, so only
//! the broker's own books are checked: they must balance after every word, and nobody may be told who is not there.

use crate::invariants;
use antiphon_broker::{Action, Broker, Config, Input};
use antiphon_protocol::*;
use antiphon_testkit::simulation::Rng;
use bytes::Bytes;
use std::collections::BTreeSet;

const SEEDS: u64 = 100;
const STEPS: usize = 300;

#[test]
fn the_books_balance_whatever_is_said() {
    let mut answers = 0;
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed ^ 0x0bad_0bad);
        let mut broker = Broker::new(Config { cluster: "rave".into(), version: "0".into(), pid: 1 });
        let mut present = Present::default();
        for step in 0..STEPS {
            let input = input(&mut rng);
            present.note(&input);
            broker.handle(rng.below(1 << 20) as u64, input.clone());
            while let Some(action) = broker.next_action() {
                answers += usize::from(is_answer(&action));
                present
                    .check(&action)
                    .unwrap_or_else(|what| panic!("seed {seed}, step {step}: {what} after {input:?}"));
            }
            invariants::check_books(&broker.census())
                .unwrap_or_else(|what| panic!("seed {seed}, step {step}: {what} after {input:?}"));
            let _ = broker.status();
        }
    }
    assert!(answers > 200, "{answers} answers only: nothing was tried");
}

fn is_answer(action: &Action) -> bool {
    matches!(action, Action::ToClient { message, .. } if matches!(message.header, ControllerToClient::Answer { .. }))
}

/// Who is there.
#[derive(Default)]
struct Present {
    clients: BTreeSet<ClientId>,
    hosts: BTreeSet<HostId>,
}

impl Present {
    fn note(&mut self, input: &Input) {
        match input {
            Input::ClientJoined { client, .. } => {
                self.clients.insert(*client);
            }
            Input::ClientLeft { client } => {
                self.clients.remove(client);
            }
            Input::HostJoined { host, .. } => {
                self.hosts.insert(*host);
            }
            Input::HostLeft { host } => {
                self.hosts.remove(host);
            }
            Input::FromClient { .. } | Input::FromHost { .. } => {}
        }
    }

    fn check(&mut self, action: &Action) -> Result<(), String> {
        let fits = match action {
            Action::ToClient { client, .. } => self.clients.contains(client),
            Action::ToHost { host, .. } => self.hosts.contains(host),
            Action::DropHost { host, .. } => self.hosts.remove(host),
            Action::DropClient { client, .. } => self.clients.remove(client),
            Action::Stop => true,
        };
        if fits { Ok(()) } else { Err(format!("{action:?} for somebody who is not there")) }
    }
}

fn input(rng: &mut Rng) -> Input {
    let client = ClientId(rng.below(3) as u32);
    let host = HostId(rng.below(3) as u32);
    match rng.below(100) {
        0..4 => Input::ClientJoined { client, name: "c".into() },
        4 => Input::ClientLeft { client },
        5..9 => {
            let info =
                HostInfo { name: "h".into(), pid: 1, engines: rng.below(4) as u32, labels: Vec::new() };
            Input::HostJoined { host, info }
        }
        9 if rng.chance(50) => Input::HostLeft { host },
        10..50 => Input::FromClient { client, message: from_client(rng) },
        _ => Input::FromHost { host, message: from_host(rng) },
    }
}

fn data(rng: &mut Rng) -> Vec<Bytes> {
    vec![Bytes::from_static(&[b'.'; 64]); rng.below(4)]
}

fn from_client(rng: &mut Rng) -> Message<ClientToController> {
    let request = RequestId(rng.below(12) as u64);
    let texts = ["all", "any", "0", "1,0", "-1", "!0", "::2", "idle", "h", "local", "failed", "0-9"];
    let target: Target = rng.pick(&texts).unwrap().parse().unwrap();
    let header = match rng.below(20) {
        0..9 => {
            let works = [Work::Put, Work::Get, Work::Bind, Work::Reset];
            let on_leave = if rng.chance(50) { OnLeave::Keep } else { OnLeave::Cancel };
            ClientToController::Submit { request, target, work: rng.pick(&works).unwrap(), on_leave }
        }
        9..11 => {
            let of = RequestId(rng.below(12) as u64);
            ClientToController::Interrupt { request, what: Interruption::Request(of) }
        }
        11 => ClientToController::Interrupt { request, what: Interruption::Engines(target) },
        12..14 => ClientToController::Restart { request, target },
        14..16 => ClientToController::Query { request, target, ask: Ask::Who },
        16 => ClientToController::Status { request },
        17 if rng.chance(2) => ClientToController::Shutdown { request },
        _ => {
            let bytes = if rng.chance(20) { u64::MAX } else { rng.below(200) as u64 };
            ClientToController::Credit { engine: EngineId(rng.below(6) as u32), bytes }
        }
    };
    Message::new(header, data(rng))
}

fn from_host(rng: &mut Rng) -> Message<HostToController> {
    // Mostly of what may well be, or everybody is dropped all the time.
    let engine = EngineId(if rng.chance(2) { u32::MAX } else { rng.below(3) as u32 });
    let task = TaskId(if rng.chance(1) { u64::MAX } else { 1 + rng.below(20) as u64 });
    let header = match rng.below(20) {
        0..6 => HostToController::EngineUp { engine, info: EngineInfo::default() },
        6..10 => {
            let running = rng.chance(50).then_some(task);
            let cause = LossCause::Signal(9);
            HostToController::EngineDown { engine, cause, running, restarting: rng.chance(70) }
        }
        10..15 => {
            let outcome = Outcome::Done { repr: false, value: true, cut: None };
            HostToController::Done { task, engine, outcome, elapsed_us: 1 }
        }
        15..18 => {
            let task = rng.chance(70).then_some(task);
            HostToController::Stream { engine, task, stream: StreamName::Stderr }
        }
        _ => HostToController::Replied { query: task, ok: rng.chance(50) },
    };
    Message::new(header, data(rng))
}
