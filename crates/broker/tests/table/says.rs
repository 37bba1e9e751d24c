//! Short words for long messages, and a broker to say them to.

use antiphon_broker::{Action, Broker, Config, Input};
use antiphon_protocol::*;
use bytes::Bytes;

pub const WORK: Work = Work::Execute { want: Want::REPR, script: false };
pub const DONE: Outcome = Outcome::Done { repr: true, value: false, cut: None };
pub const A: ClientId = ClientId(1);
pub const B: ClientId = ClientId(2);
pub const H: HostId = HostId(1);
pub const G: HostId = HostId(2);

pub struct Table(pub Broker);

impl Table {
    pub fn new() -> Table {
        Table(Broker::new(Config { cluster: "c".into(), version: "0.1.0".into(), pid: 42 }))
    }

    /// Client A and host H with `n` engines that are up.
    pub fn with(n: u32) -> Table {
        let mut table = Table::new();
        table.client(A);
        table.host(H, n);
        (0..n).for_each(|engine| table.up(H, engine));
        table
    }

    pub fn client(&mut self, client: ClientId) {
        self.input(Input::ClientJoined { client, name: format!("shell {client}") });
    }

    pub fn host(&mut self, host: HostId, engines: u32) {
        self.input(joins(host, engines));
    }

    pub fn up(&mut self, host: HostId, engine: u32) {
        self.host_says(host, up(engine));
    }

    pub fn input(&mut self, input: Input) -> Vec<Action> {
        self.at(1000, input)
    }

    pub fn at(&mut self, now_ms: u64, input: Input) -> Vec<Action> {
        self.0.handle(now_ms, input);
        std::iter::from_fn(|| self.0.next_action()).collect()
    }

    pub fn says(&mut self, client: ClientId, message: impl Into<Message<ClientToController>>) -> Vec<Action> {
        self.input(Input::FromClient { client, message: message.into() })
    }

    pub fn host_says(&mut self, host: HostId, message: impl Into<Message<HostToController>>) -> Vec<Action> {
        self.input(Input::FromHost { host, message: message.into() })
    }

    /// Client A submits; the actions do not matter here.
    pub fn submitted(&mut self, request: u64, target: &str) {
        self.says(A, submit(request, target));
    }
}

pub fn joins(host: HostId, engines: u32) -> Input {
    let info = HostInfo { name: format!("host{host}"), pid: 7, engines, labels: vec!["gpu".into()] };
    Input::HostJoined { host, info }
}

pub fn target(text: &str) -> Target {
    text.parse().unwrap()
}

pub fn text(text: &str) -> Vec<Bytes> {
    vec![Bytes::from(text.to_owned())]
}

pub fn submit(request: u64, on: &str) -> Message<ClientToController> {
    submit_with(request, on, OnLeave::Cancel)
}

pub fn submit_with(request: u64, on: &str, on_leave: OnLeave) -> Message<ClientToController> {
    let header =
        ClientToController::Submit { request: RequestId(request), target: target(on), work: WORK, on_leave };
    Message::new(header, text("x"))
}

pub fn interrupt(request: u64, of: u64) -> ClientToController {
    let what = Interruption::Request(RequestId(of));
    ClientToController::Interrupt { request: RequestId(request), what }
}

pub fn interrupt_engines(request: u64, on: &str) -> ClientToController {
    let what = Interruption::Engines(target(on));
    ClientToController::Interrupt { request: RequestId(request), what }
}

pub fn restart(request: u64, on: &str) -> ClientToController {
    ClientToController::Restart { request: RequestId(request), target: target(on) }
}

pub fn query(request: u64, on: &str) -> Message<ClientToController> {
    let header =
        ClientToController::Query { request: RequestId(request), target: target(on), ask: Ask::Complete };
    Message::new(header, text("{}"))
}

pub fn up(engine: u32) -> HostToController {
    HostToController::EngineUp { engine: EngineId(engine), info: info(engine) }
}

pub fn info(engine: u32) -> EngineInfo {
    EngineInfo { implementation: "CPython".into(), pid: 100 + engine, ..EngineInfo::default() }
}

pub fn down(engine: u32, cause: LossCause, running: Option<u64>, restarting: bool) -> HostToController {
    HostToController::EngineDown { engine: EngineId(engine), cause, running: running.map(TaskId), restarting }
}

pub fn done(task: u64, engine: u32) -> Message<HostToController> {
    let header =
        HostToController::Done { task: TaskId(task), engine: EngineId(engine), outcome: DONE, elapsed_us: 5 };
    Message::new(header, text("42"))
}

pub fn stream(engine: u32, task: Option<u64>, what: &str) -> Message<HostToController> {
    let header = HostToController::Stream {
        engine: EngineId(engine),
        task: task.map(TaskId),
        stream: StreamName::Stdout,
    };
    Message::new(header, text(what))
}

pub fn lost(cause: LossCause, started: bool) -> Outcome {
    Outcome::Lost(Loss { cause, started })
}

/// What a client is told.
pub fn tell(client: ClientId, header: ControllerToClient) -> Action {
    Action::ToClient { client, message: header.into() }
}

/// What a host is told.
pub fn order(host: HostId, header: ControllerToHost) -> Action {
    Action::ToHost { host, message: header.into() }
}

pub fn accepted(client: ClientId, request: u64, engines: &[u32]) -> Action {
    let engines = engines.iter().copied().map(EngineId).collect();
    tell(client, ControllerToClient::Accepted { request: RequestId(request), engines })
}

pub fn refused(client: ClientId, request: u64, refusal: Refusal) -> Action {
    tell(client, ControllerToClient::Refused { request: RequestId(request), refusal })
}

pub fn no_target(message: &str, hint: &str) -> Refusal {
    Refusal::Target { message: message.into(), hint: Some(hint.into()) }
}

pub fn carried(client: ClientId, request: u64, reached: u32) -> Action {
    tell(client, ControllerToClient::Carried { request: RequestId(request), reached })
}

pub fn notice(client: ClientId, notice: Notice) -> Action {
    tell(client, ControllerToClient::Notice(notice))
}

pub fn pairs(tasks: &[(u64, u32)]) -> Vec<(TaskId, EngineId)> {
    tasks.iter().map(|&(task, engine)| (TaskId(task), EngineId(engine))).collect()
}

pub fn run(host: HostId, tasks: &[(u64, u32)]) -> Action {
    let header = ControllerToHost::Run { tasks: pairs(tasks), work: WORK };
    Action::ToHost { host, message: Message::new(header, text("x")) }
}

pub fn stop(host: HostId, tasks: &[(u64, u32)]) -> Action {
    order(host, ControllerToHost::Interrupt { tasks: pairs(tasks) })
}

pub fn answer(client: ClientId, request: u64, position: u32, engine: u32) -> Action {
    let header = ControllerToClient::Answer {
        request: RequestId(request),
        position,
        engine: EngineId(engine),
        outcome: DONE,
        elapsed_us: 5,
    };
    Action::ToClient { client, message: Message::new(header, text("42")) }
}

pub fn loss(client: ClientId, request: u64, position: u32, engine: u32, outcome: Outcome) -> Action {
    let (request, engine) = (RequestId(request), EngineId(engine));
    tell(client, ControllerToClient::Answer { request, position, engine, outcome, elapsed_us: 0 })
}

pub fn replied(client: ClientId, request: u64, ok: bool, what: &str) -> Action {
    let header = ControllerToClient::Replied { request: RequestId(request), ok };
    Action::ToClient { client, message: Message::new(header, text(what)) }
}

pub fn credit(host: HostId, engine: u32, bytes: u64) -> Action {
    order(host, ControllerToHost::Credit { engine: EngineId(engine), bytes })
}

pub fn seen(host: HostId, engine: u32) -> Action {
    order(host, ControllerToHost::DownSeen { engine: EngineId(engine) })
}

pub fn went_down(client: ClientId, engine: u32, cause: LossCause, restarting: bool) -> Action {
    notice(client, Notice::EngineDown { engine: EngineId(engine), cause, restarting })
}

pub fn came_up(client: ClientId, engine: u32, restarts: u32) -> Action {
    notice(client, Notice::EngineUp { engine: EngineId(engine), info: info(engine), restarts })
}

pub fn ids(engines: &[u32]) -> Vec<EngineId> {
    engines.iter().copied().map(EngineId).collect()
}
