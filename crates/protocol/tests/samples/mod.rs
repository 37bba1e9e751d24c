//! One value at least of every kind of message.

use antiphon_protocol::{codec::encode_head, target::*, *};
use serde::Serialize;

pub struct Sample {
    pub name: String,
    pub encoded: Vec<u8>,
}

/// Every kind. The functions below that name a message's kind do not compile when one is missing there.
pub const KINDS: &[&str] = &[
    "client/submit",
    "client/interrupt",
    "client/restart",
    "client/query",
    "client/status",
    "client/credit",
    "client/shutdown",
    "to-client/accepted",
    "to-client/refused",
    "to-client/answer",
    "to-client/stream",
    "to-client/replied",
    "to-client/status",
    "to-client/carried",
    "to-client/notice",
    "to-client/goodbye",
    "to-host/welcome",
    "to-host/run",
    "to-host/interrupt",
    "to-host/query",
    "to-host/restart",
    "to-host/credit",
    "to-host/shutdown",
    "to-host/down-seen",
    "host/engine-up",
    "host/engine-down",
    "host/done",
    "host/stream",
    "host/replied",
];

fn from_client_kind(message: &ClientToController) -> &'static str {
    match message {
        ClientToController::Submit { .. } => "client/submit",
        ClientToController::Interrupt { .. } => "client/interrupt",
        ClientToController::Restart { .. } => "client/restart",
        ClientToController::Query { .. } => "client/query",
        ClientToController::Status { .. } => "client/status",
        ClientToController::Credit { .. } => "client/credit",
        ClientToController::Shutdown { .. } => "client/shutdown",
    }
}

fn to_client_kind(message: &ControllerToClient) -> &'static str {
    match message {
        ControllerToClient::Accepted { .. } => "to-client/accepted",
        ControllerToClient::Refused { .. } => "to-client/refused",
        ControllerToClient::Answer { .. } => "to-client/answer",
        ControllerToClient::Stream { .. } => "to-client/stream",
        ControllerToClient::Replied { .. } => "to-client/replied",
        ControllerToClient::Status { .. } => "to-client/status",
        ControllerToClient::Carried { .. } => "to-client/carried",
        ControllerToClient::Notice(_) => "to-client/notice",
        ControllerToClient::Goodbye { .. } => "to-client/goodbye",
    }
}

fn to_host_kind(message: &ControllerToHost) -> &'static str {
    match message {
        ControllerToHost::Welcome { .. } => "to-host/welcome",
        ControllerToHost::Run { .. } => "to-host/run",
        ControllerToHost::Interrupt { .. } => "to-host/interrupt",
        ControllerToHost::Query { .. } => "to-host/query",
        ControllerToHost::Restart { .. } => "to-host/restart",
        ControllerToHost::Credit { .. } => "to-host/credit",
        ControllerToHost::Shutdown => "to-host/shutdown",
        ControllerToHost::DownSeen { .. } => "to-host/down-seen",
    }
}

fn from_host_kind(message: &HostToController) -> &'static str {
    match message {
        HostToController::EngineUp { .. } => "host/engine-up",
        HostToController::EngineDown { .. } => "host/engine-down",
        HostToController::Done { .. } => "host/done",
        HostToController::Stream { .. } => "host/stream",
        HostToController::Replied { .. } => "host/replied",
    }
}

fn sampled<H: Serialize>(messages: Vec<H>, kind: fn(&H) -> &'static str) -> impl Iterator<Item = Sample> {
    messages.into_iter().enumerate().map(move |(n, message)| Sample {
        name: format!("{}/{n}", kind(&message)),
        encoded: encode_head(&message, &[]).unwrap().to_vec(),
    })
}

pub fn all() -> Vec<Sample> {
    sampled(from_client(), from_client_kind)
        .chain(sampled(to_client(), to_client_kind))
        .chain(sampled(to_host(), to_host_kind))
        .chain(sampled(from_host(), from_host_kind))
        .collect()
}

const REQUEST: RequestId = RequestId(7);
const ENGINE: EngineId = EngineId(3);

fn every_selector() -> Target {
    let selectors = vec![
        Selector::All,
        Selector::Any,
        Selector::Local,
        Selector::One(-1),
        Selector::Range(0, 300),
        Selector::Slice(None, Some(-2), Some(2)),
        Selector::Host("m1".into()),
        Selector::Idle,
        Selector::Failed,
        Selector::OnePerHost,
        Selector::Label("gpu".into()),
    ];
    Target { terms: selectors.into_iter().map(|selector| Term { exclude: false, selector }).collect() }
}

fn info() -> EngineInfo {
    EngineInfo {
        implementation: "CPython".into(),
        version: "3.11.7".into(),
        executable: "/usr/bin/python3".into(),
        pid: 4711,
        packages: vec![("numpy".into(), "2.0.1".into())],
    }
}

pub fn from_client() -> Vec<ClientToController> {
    let submit = |work, on_leave| ClientToController::Submit {
        request: REQUEST,
        target: Target::all(),
        work,
        on_leave,
    };
    let want = Want { repr: Some(1000), value: true };
    let query = |ask| ClientToController::Query { request: REQUEST, target: Target::engines([ENGINE]), ask };
    vec![
        submit(Work::Execute { want: Want::REPR, script: false }, OnLeave::Cancel),
        submit(Work::Execute { want, script: true }, OnLeave::Keep),
        submit(Work::Call { want: Want::VALUE }, OnLeave::Cancel),
        submit(Work::Put, OnLeave::Cancel),
        submit(Work::Get, OnLeave::Cancel),
        submit(Work::Reset, OnLeave::Cancel),
        submit(Work::Bind, OnLeave::Cancel),
        ClientToController::Submit {
            request: RequestId(u64::MAX),
            target: every_selector(),
            work: Work::Reset,
            on_leave: OnLeave::Keep,
        },
        ClientToController::Interrupt { request: REQUEST, what: Interruption::Request(RequestId(6)) },
        ClientToController::Interrupt {
            request: REQUEST,
            what: Interruption::Engines("!0".parse().unwrap()),
        },
        ClientToController::Restart { request: REQUEST, target: Target::all() },
        query(Ask::Complete),
        query(Ask::Inspect),
        query(Ask::Check),
        query(Ask::Who),
        ClientToController::Status { request: REQUEST },
        ClientToController::Credit { engine: ENGINE, bytes: 70_000 },
        ClientToController::Shutdown { request: REQUEST },
    ]
}

pub fn outcomes() -> Vec<Outcome> {
    let lost = |cause, started| Outcome::Lost(Loss { cause, started });
    vec![
        Outcome::Done { repr: true, value: false, cut: None },
        Outcome::Done { repr: true, value: true, cut: Some(1 << 20) },
        Outcome::Raised { interrupted: true, exit: None },
        Outcome::Raised { interrupted: false, exit: Some(-1) },
        lost(LossCause::Signal(9), true),
        lost(LossCause::Exit(3), true),
        lost(LossCause::Restarted, false),
        lost(LossCause::NotStarted("no memory".into()), false),
        lost(LossCause::HostLost("m1".into()), true),
        lost(LossCause::Cancelled, false),
        lost(LossCause::TooLarge(1 << 40), true),
        lost(LossCause::Bridge("torn".into()), true),
    ]
}

pub fn to_client() -> Vec<ControllerToClient> {
    let refused = |refusal| ControllerToClient::Refused { request: REQUEST, refusal };
    let status = |state| EngineStatus {
        engine: ENGINE,
        host: HostId(1),
        host_name: "m1".into(),
        labels: vec!["gpu".into()],
        state,
        queued: 2,
        busy_ms: Some(1500),
        finished: 12,
        restarts: 1,
        info: info(),
    };
    let cluster = ClusterStatus {
        cluster: "default".into(),
        version: "0.1.0".into(),
        pid: 99,
        uptime_ms: 123_456,
        hosts: vec![HostStatus {
            host: HostId(1),
            info: HostInfo { name: "m1".into(), pid: 5, engines: 4, labels: vec!["gpu".into()] },
        }],
        engines: [EngineState::Starting, EngineState::Idle, EngineState::Busy, EngineState::Dead]
            .map(status)
            .to_vec(),
        clients: 2,
        requests: 3,
    };
    let answers = outcomes().into_iter().map(|outcome| ControllerToClient::Answer {
        request: REQUEST,
        position: 1,
        engine: ENGINE,
        outcome,
        elapsed_us: 1234,
    });
    let mut messages = vec![
        ControllerToClient::Accepted { request: REQUEST, engines: vec![EngineId(0), EngineId(300)] },
        refused(Refusal::Target {
            message: "engine 9 is not in this cluster (0-3)".into(),
            hint: Some("h".into()),
        }),
        refused(Refusal::Full { queue: "q".into(), limit: 16 }),
        refused(Refusal::Invalid("what".into())),
        refused(Refusal::Stopping),
    ];
    messages.extend(answers);
    messages.extend([
        ControllerToClient::Stream { request: REQUEST, engine: ENGINE, stream: StreamName::Stdout },
        ControllerToClient::Stream { request: REQUEST, engine: ENGINE, stream: StreamName::Stderr },
        ControllerToClient::Replied { request: REQUEST, ok: true },
        ControllerToClient::Status { request: REQUEST, status: cluster },
        ControllerToClient::Carried { request: REQUEST, reached: 4 },
        ControllerToClient::Notice(Notice::EngineUp { engine: ENGINE, info: info(), restarts: 1 }),
        ControllerToClient::Notice(Notice::EngineDown {
            engine: ENGINE,
            cause: LossCause::Signal(11),
            restarting: true,
        }),
        ControllerToClient::Notice(Notice::HostUp { name: "m1".into(), engines: vec![ENGINE] }),
        ControllerToClient::Notice(Notice::HostDown { name: "m1".into(), engines: vec![ENGINE] }),
        ControllerToClient::Goodbye { reason: "bye".into() },
    ]);
    messages
}

pub fn to_host() -> Vec<ControllerToHost> {
    let tasks = vec![(TaskId(1), EngineId(0)), (TaskId(300), ENGINE)];
    vec![
        ControllerToHost::Welcome { host: HostId(1), engines: vec![EngineId(0), ENGINE], n_engines: 4 },
        ControllerToHost::Run { tasks: tasks.clone(), work: Work::Get },
        ControllerToHost::Interrupt { tasks },
        ControllerToHost::Query { query: TaskId(2), engine: ENGINE, ask: Ask::Who },
        ControllerToHost::Restart { engines: vec![ENGINE] },
        ControllerToHost::Credit { engine: ENGINE, bytes: 70_000 },
        ControllerToHost::Shutdown,
        ControllerToHost::DownSeen { engine: ENGINE },
    ]
}

pub fn from_host() -> Vec<HostToController> {
    let outcome = Outcome::Done { repr: true, value: false, cut: None };
    vec![
        HostToController::EngineUp { engine: ENGINE, info: info() },
        HostToController::EngineDown {
            engine: ENGINE,
            cause: LossCause::Signal(9),
            running: Some(TaskId(5)),
            restarting: true,
        },
        HostToController::Done { task: TaskId(5), engine: ENGINE, outcome, elapsed_us: 1234 },
        HostToController::Stream { engine: ENGINE, task: Some(TaskId(5)), stream: StreamName::Stdout },
        HostToController::Stream { engine: ENGINE, task: None, stream: StreamName::Stderr },
        HostToController::Replied { query: TaskId(2), ok: false },
    ]
}
