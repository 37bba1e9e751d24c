//! Questions answered while an engine is busy.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::*;

fn asks(host: HostId, query: u64, engine: u32) -> Action {
    let header =
        ControllerToHost::Query { query: TaskId(query), engine: EngineId(engine), ask: Ask::Complete };
    Action::ToHost { host, message: Message::new(header, text("{}")) }
}

fn reply(query: u64, ok: bool, what: &str) -> Message<HostToController> {
    Message::new(HostToController::Replied { query: TaskId(query), ok }, text(what))
}

#[test]
fn the_first_engine_of_the_target_is_asked() {
    let mut table = Table::with(3);
    table.submitted(1, "2");
    assert_eq!(table.says(A, query(2, "2,0")), [asks(H, 2, 2)]);
    assert_eq!(table.host_says(H, reply(2, true, "[]")), [replied(A, 2, true, "[]")]);
    assert_eq!(table.host_says(H, reply(2, true, "[]")), []);
}

#[test]
fn a_failure_is_passed_on_in_its_words() {
    let mut table = Table::with(1);
    table.says(A, query(1, "0"));
    assert_eq!(table.host_says(H, reply(1, false, "no")), [replied(A, 1, false, "no")]);
}

#[test]
fn of_any_the_first_that_can_answer_is_asked() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 2);
    assert_eq!(table.says(A, query(1, "any")), [replied(A, 1, false, "engine 0 is still starting")]);
    table.up(H, 1);
    assert_eq!(table.says(A, query(2, "any")), [asks(H, 1, 1)]);
}

#[test]
fn an_engine_that_cannot_answer_is_not_asked() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 1);
    assert_eq!(table.says(A, query(1, "0")), [replied(A, 1, false, "engine 0 is still starting")]);
    table.host_says(H, down(0, LossCause::Exit(1), None, false));
    assert_eq!(table.says(A, query(2, "0")), [replied(A, 2, false, "engine 0 is dead")]);
    assert!(!table.0.has_work());
}

#[test]
fn an_engine_that_dies_answers_nothing_and_the_broker_says_so() {
    let mut table = Table::with(1);
    table.says(A, query(1, "0"));
    let cause = LossCause::Signal(9);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), None, true)),
        [
            seen(H, 0),
            replied(A, 1, false, "engine 0 is gone: killed by signal 9 (SIGKILL)"),
            went_down(A, 0, cause, true),
        ]
    );
    // It crossed.
    assert_eq!(table.host_says(H, reply(1, true, "[]")), []);
}

#[test]
fn a_host_that_leaves_answers_nothing_and_the_broker_says_so() {
    let mut table = Table::with(1);
    table.says(A, query(1, "0"));
    let actions = table.input(Input::HostLeft { host: H });
    assert_eq!(actions[0], replied(A, 1, false, "engine 0 is gone: the host host1 is gone"));
}

#[test]
fn a_reply_from_the_wrong_host_is_no_reply() {
    let mut table = Table::with(1);
    table.host(G, 1);
    table.says(A, query(1, "0"));
    let actions = table.host_says(G, reply(1, true, "[]"));
    let reason = "it spoke of engine 0, which is not its own".into();
    assert_eq!(actions[0], Action::DropHost { host: G, reason });
    assert_eq!(table.host_says(H, reply(1, true, "[]")), [replied(A, 1, true, "[]")]);
}

#[test]
fn nobody_waits_for_the_reply_of_a_client_that_left() {
    let mut table = Table::with(1);
    table.says(A, query(1, "0"));
    assert_eq!(table.input(Input::ClientLeft { client: A }), []);
    assert!(!table.0.has_work());
    assert_eq!(table.host_says(H, reply(1, true, "[]")), []);
}
