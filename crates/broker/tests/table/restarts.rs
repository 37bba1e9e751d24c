//! Restarts on request.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::*;

fn restarts(host: HostId, engines: &[u32]) -> Action {
    order(host, ControllerToHost::Restart { engines: ids(engines) })
}

#[test]
fn carried_when_every_engine_is_back() {
    let mut table = Table::with(2);
    table.host(G, 1);
    table.up(G, 2);
    assert_eq!(table.says(A, restart(1, "all")), [restarts(H, &[0, 1]), restarts(G, &[2])]);
    let cause = LossCause::Restarted;
    for (host, engine) in [(H, 0), (H, 1), (G, 2)] {
        let actions = table.host_says(host, down(engine, cause.clone(), None, true));
        assert_eq!(actions, [seen(host, engine), went_down(A, engine, cause.clone(), true)]);
    }
    assert_eq!(table.host_says(H, up(1)), [came_up(A, 1, 1)]);
    assert_eq!(table.host_says(G, up(2)), [came_up(A, 2, 1)]);
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), carried(A, 1, 3)]);
    assert!(!table.0.has_work());
}

#[test]
fn what_waited_is_lost_and_what_comes_later_is_for_the_next_life() {
    let mut table = Table::with(1);
    for request in 1..=3 {
        table.submitted(request, "0");
    }
    let cause = LossCause::Restarted;
    assert_eq!(
        table.says(A, restart(9, "0")),
        [loss(A, 3, 0, 0, lost(cause.clone(), false)), restarts(H, &[0])]
    );
    assert_eq!(table.says(A, submit(4, "0")), [accepted(A, 4, &[0])]);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), Some(1), true)),
        [
            seen(H, 0),
            loss(A, 1, 0, 0, lost(cause.clone(), true)),
            loss(A, 2, 0, 0, lost(cause.clone(), false)),
            went_down(A, 0, cause, true),
        ]
    );
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), carried(A, 9, 1), run(H, &[(4, 0)])]);
}

#[test]
fn an_answer_that_crossed_the_restart_counts_and_sends_nothing_more() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.says(A, restart(9, "0"));
    table.submitted(2, "0");
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
}

#[test]
fn a_farmed_task_is_not_given_to_an_engine_about_to_restart() {
    let mut table = Table::with(1);
    table.says(A, restart(9, "0"));
    assert_eq!(table.says(A, submit(1, "any")), [accepted(A, 1, &[])]);
}

#[test]
fn an_engine_that_does_not_come_back_is_not_counted() {
    let mut table = Table::with(2);
    table.says(A, restart(1, "all"));
    let cause = LossCause::NotStarted("no memory".into());
    table.host_says(H, down(0, LossCause::Restarted, None, true));
    table.host_says(H, down(1, LossCause::Restarted, None, true));
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1)]);
    assert_eq!(
        table.host_says(H, down(1, cause.clone(), None, false)),
        [seen(H, 1), carried(A, 1, 1), went_down(A, 1, cause, false)]
    );
}

#[test]
fn a_host_that_leaves_ends_the_wait() {
    let mut table = Table::with(1);
    table.says(A, restart(1, "0"));
    let engines = ids(&[0]);
    assert_eq!(
        table.input(Input::HostLeft { host: H }),
        [carried(A, 1, 0), notice(A, Notice::HostDown { name: "host1".into(), engines })]
    );
}

#[test]
fn a_dead_engine_can_be_restarted() {
    let mut table = Table::with(1);
    table.host_says(H, down(0, LossCause::Exit(1), None, false));
    assert_eq!(table.says(A, restart(1, "0")), [restarts(H, &[0])]);
    assert_eq!(table.says(A, submit(2, "0")), [accepted(A, 2, &[0])]);
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), carried(A, 1, 1), run(H, &[(1, 0)])]);
}

#[test]
fn a_starting_engine_is_what_a_restart_asks_for_and_keeps_what_waits_for_it() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 1);
    table.submitted(1, "0");
    assert_eq!(table.says(A, restart(2, "0")), []);
    let cause = LossCause::Exit(1);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), None, true)),
        [seen(H, 0), went_down(A, 0, cause, true)]
    );
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 0), carried(A, 2, 1), run(H, &[(1, 0)])]);
}

#[test]
fn two_restarts_of_one_engine_both_end() {
    let mut table = Table::with(1);
    table.says(A, restart(1, "0"));
    assert_eq!(table.says(A, restart(2, "0")), [restarts(H, &[0])]);
    table.host_says(H, down(0, LossCause::Restarted, None, true));
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), carried(A, 1, 1), carried(A, 2, 1)]);
}

#[test]
fn a_client_that_leaves_leaves_its_restart_behind() {
    let mut table = Table::with(1);
    table.says(A, restart(1, "0"));
    assert_eq!(table.input(Input::ClientLeft { client: A }), []);
    assert!(!table.0.has_work());
    table.host_says(H, down(0, LossCause::Restarted, None, true));
    assert_eq!(table.host_says(H, up(0)), []);
}
