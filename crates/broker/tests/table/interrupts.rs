//! Interrupts of requests and of engines.

use crate::says::*;
use antiphon_protocol::*;

#[test]
fn what_waits_is_answered_at_once_and_what_was_sent_is_interrupted() {
    let mut table = Table::with(2);
    table.submitted(1, "0");
    table.submitted(2, "0");
    assert_eq!(table.says(A, submit(3, "all")), [accepted(A, 3, &[0, 1]), run(H, &[(4, 1)])]);
    assert_eq!(
        table.says(A, interrupt(9, 3)),
        [loss(A, 3, 0, 0, lost(LossCause::Cancelled, false)), stop(H, &[(4, 1)]), carried(A, 9, 2)]
    );
    // The host says how the running one ended.
    assert_eq!(table.host_says(H, done(4, 1)), [answer(A, 3, 1, 1)]);
    assert_eq!(table.says(A, interrupt(10, 3)), [carried(A, 10, 0)]);
    // What was cancelled never starts.
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    assert_eq!(table.host_says(H, done(2, 0)), [answer(A, 2, 0, 0)]);
}

#[test]
fn one_message_per_host() {
    let mut table = Table::with(2);
    table.host(G, 2);
    table.up(G, 2);
    table.up(G, 3);
    table.submitted(1, "all");
    let actions = table.says(A, interrupt(9, 1));
    assert_eq!(actions, [stop(H, &[(1, 0), (2, 1)]), stop(G, &[(3, 2), (4, 3)]), carried(A, 9, 4)]);
    let actions = table.says(A, interrupt_engines(10, "1-2"));
    assert_eq!(actions, [stop(H, &[(2, 1)]), stop(G, &[(3, 2)]), carried(A, 10, 2)]);
}

#[test]
fn only_own_requests_can_be_interrupted_by_number() {
    let mut table = Table::with(1);
    table.client(B);
    table.submitted(1, "0");
    assert_eq!(table.says(B, interrupt(9, 1)), [carried(B, 9, 0)]);
    assert_eq!(table.says(A, interrupt(9, 1)), [stop(H, &[(1, 0)]), carried(A, 9, 1)]);
}

#[test]
fn engines_are_interrupted_whoever_asked_and_only_what_runs() {
    let mut table = Table::with(2);
    table.client(B);
    table.submitted(1, "0");
    table.submitted(2, "0");
    assert_eq!(table.says(B, interrupt_engines(9, "all")), [stop(H, &[(1, 0)]), carried(B, 9, 1)]);
}

#[test]
fn an_idle_or_starting_engine_has_nothing_to_interrupt() {
    let mut table = Table::with(1);
    table.host(G, 1);
    table.submitted(1, "1");
    assert_eq!(table.says(A, interrupt_engines(9, "all")), [carried(A, 9, 0)]);
}

#[test]
fn a_farmed_task_in_the_line_is_cancelled_in_nobodys_name() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "any");
    let outcome = lost(LossCause::Cancelled, false);
    assert_eq!(table.says(A, interrupt(9, 2)), [loss(A, 2, 0, EngineId::NONE.0, outcome), carried(A, 9, 1)]);
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    assert_eq!(table.0.census().farm, []);
}

#[test]
fn a_farmed_task_that_was_taken_is_interrupted_where_it_is() {
    let mut table = Table::with(1);
    table.submitted(1, "any");
    assert_eq!(table.says(A, interrupt(9, 1)), [stop(H, &[(2, 0)]), carried(A, 9, 1)]);
}

#[test]
fn a_task_may_be_interrupted_again() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.says(A, interrupt(8, 1));
    assert_eq!(table.says(A, interrupt(9, 1)), [stop(H, &[(1, 0)]), carried(A, 9, 1)]);
}

#[test]
fn a_waiting_task_that_the_host_cancelled_may_end_before_the_running_one() {
    let mut table = Table::with(1);
    for request in 1..=3 {
        table.submitted(request, "0");
    }
    let cancelled = lost(LossCause::Cancelled, false);
    let header = HostToController::Done {
        task: TaskId(2),
        engine: EngineId(0),
        outcome: cancelled.clone(),
        elapsed_us: 0,
    };
    assert_eq!(table.host_says(H, header), [loss(A, 2, 0, 0, cancelled), run(H, &[(3, 0)])]);
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
}
