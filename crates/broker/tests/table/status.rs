//! What is up.

use crate::says::*;
use antiphon_broker::Input;
use antiphon_protocol::*;

#[test]
fn status_tells_everything() {
    let mut table = Table::with(3);
    table.submitted(1, "0");
    table.at(1500, Input::FromClient { client: A, message: submit(2, "0") });
    table.submitted(3, "0");
    table.host_says(H, down(1, LossCause::Exit(1), None, true));
    table.host_says(H, down(2, LossCause::Exit(1), None, false));
    let engine = |id: u32, state, queued, busy_ms| EngineStatus {
        engine: EngineId(id),
        host: H,
        host_name: "host1".into(),
        labels: vec!["gpu".into()],
        state,
        queued,
        busy_ms,
        finished: 0,
        restarts: 0,
        info: info(id),
    };
    let message = ClientToController::Status { request: RequestId(9) }.into();
    let status = ClusterStatus {
        cluster: "c".into(),
        version: "0.1.0".into(),
        pid: 42,
        uptime_ms: 2000,
        hosts: vec![HostStatus {
            host: H,
            info: HostInfo { name: "host1".into(), pid: 7, engines: 3, labels: vec!["gpu".into()] },
        }],
        engines: vec![
            engine(0, EngineState::Busy, 2, Some(2000)),
            engine(1, EngineState::Starting, 0, None),
            engine(2, EngineState::Dead, 0, None),
        ],
        clients: 1,
        requests: 3,
    };
    assert_eq!(
        table.at(3000, Input::FromClient { client: A, message }),
        [tell(A, ControllerToClient::Status { request: RequestId(9), status })]
    );
}

#[test]
fn finished_tasks_and_restarts_are_counted() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.host_says(H, done(1, 0));
    let engine = |table: &Table| table.0.status().engines[0].clone();
    assert_eq!((engine(&table).finished, engine(&table).state), (1, EngineState::Idle));
    table.host_says(H, down(0, LossCause::Exit(1), None, true));
    table.up(H, 0);
    assert_eq!((engine(&table).finished, engine(&table).restarts), (0, 1));
}

#[test]
fn the_time_of_a_task_counts_from_when_it_was_its_turn() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "0");
    table.at(5000, Input::FromHost { host: H, message: done(1, 0) });
    assert_eq!(table.0.status().engines[0].busy_ms, Some(0));
}

#[test]
fn a_clock_that_runs_backwards_is_not_believed() {
    let mut table = Table::with(1);
    table.at(5000, Input::ClientJoined { client: B, name: "b".into() });
    table.at(10, Input::ClientLeft { client: B });
    assert_eq!(table.0.status().uptime_ms, 4000);
}
