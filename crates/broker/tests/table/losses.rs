//! Engines that die, hosts and clients that leave.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::*;

#[test]
fn everything_an_engine_had_is_lost_and_only_the_running_task_was_started() {
    let mut table = Table::with(2);
    table.submitted(1, "all");
    table.submitted(2, "0");
    table.submitted(3, "0");
    let cause = LossCause::Signal(9);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), Some(1), true)),
        [
            seen(H, 0),
            loss(A, 1, 0, 0, lost(cause.clone(), true)),
            loss(A, 2, 0, 0, lost(cause.clone(), false)),
            loss(A, 3, 0, 0, lost(cause.clone(), false)),
            went_down(A, 0, cause, true),
        ]
    );
    // The others' answers stand.
    assert_eq!(table.host_says(H, done(2, 1)), [answer(A, 1, 1, 1)]);
}

#[test]
fn what_comes_later_waits_for_the_restart() {
    let mut table = Table::with(1);
    table.host_says(H, down(0, LossCause::Exit(3), None, true));
    assert_eq!(table.says(A, submit(1, "0")), [accepted(A, 1, &[0])]);
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), run(H, &[(1, 0)])]);
}

#[test]
fn what_waits_for_an_engine_outlives_its_failed_starts() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 1);
    table.submitted(1, "0");
    let cause = LossCause::NotStarted("busy".into());
    let actions = table.host_says(H, down(0, cause.clone(), None, true));
    assert_eq!(actions, [seen(H, 0), went_down(A, 0, cause.clone(), true)]);
    let actions = table.host_says(H, down(0, cause.clone(), None, false));
    assert_eq!(
        actions,
        [seen(H, 0), loss(A, 1, 0, 0, lost(cause.clone(), false)), went_down(A, 0, cause, false)]
    );
}

#[test]
fn what_comes_for_a_dead_engine_is_lost_at_once() {
    let mut table = Table::with(2);
    let cause = LossCause::NotStarted("no memory".into());
    table.host_says(H, down(1, cause.clone(), None, false));
    assert_eq!(
        table.says(A, submit(1, "all")),
        [accepted(A, 1, &[0, 1]), run(H, &[(1, 0)]), loss(A, 1, 1, 1, lost(cause, false))]
    );
}

#[test]
fn an_answer_that_crossed_the_loss_is_ignored() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.host_says(H, down(0, LossCause::Exit(1), None, true));
    assert_eq!(table.host_says(H, done(1, 0)), []);
    assert!(!table.0.has_work());
}

#[test]
fn a_running_task_that_is_not_the_engines_starts_nothing() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    let cause = LossCause::Exit(1);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), Some(77), true)),
        [seen(H, 0), loss(A, 1, 0, 0, lost(cause.clone(), false)), went_down(A, 0, cause, true)]
    );
}

#[test]
fn a_host_that_leaves_loses_its_engines_and_what_they_had() {
    let mut table = Table::with(1);
    table.host(G, 2);
    table.up(G, 1);
    for request in 1..=4 {
        table.submitted(request, "1");
    }
    table.submitted(5, "2");
    let cause = LossCause::HostLost("host2".into());
    assert_eq!(
        table.input(Input::HostLeft { host: G }),
        [
            // What the host had may have run; what was still here did not.
            loss(A, 1, 0, 1, lost(cause.clone(), true)),
            loss(A, 2, 0, 1, lost(cause.clone(), true)),
            loss(A, 3, 0, 1, lost(cause.clone(), false)),
            loss(A, 4, 0, 1, lost(cause.clone(), false)),
            loss(A, 5, 0, 2, lost(cause, false)),
            notice(A, Notice::HostDown { name: "host2".into(), engines: ids(&[1, 2]) }),
        ]
    );
    let hint = "%engines shows the engines; all is every one of them";
    let refusal = no_target("engine 1 is not in this cluster (0)", hint);
    assert_eq!(table.says(A, submit(6, "1")), [refused(A, 6, refusal)]);
    assert_eq!(table.input(Input::HostLeft { host: G }), []);
}

#[test]
fn a_client_that_leaves_cancels_what_it_wanted_cancelled() {
    let mut table = Table::with(2);
    table.submitted(1, "all");
    table.submitted(2, "all");
    table.submitted(3, "all");
    table.submitted(4, "any");
    assert_eq!(table.input(Input::ClientLeft { client: A }), [stop(H, &[(1, 0), (2, 1), (3, 0), (4, 1)])]);
    assert_eq!(table.host_says(H, done(1, 0)), []);
    for (task, engine) in [(2, 1), (3, 0), (4, 1)] {
        assert_eq!(table.host_says(H, done(task, engine)), []);
    }
    assert!(!table.0.has_work());
}

#[test]
fn a_client_that_leaves_keeps_what_it_wanted_kept() {
    let mut table = Table::with(1);
    for request in 1..=3 {
        table.says(A, submit_with(request, "0", OnLeave::Keep));
    }
    assert_eq!(table.input(Input::ClientLeft { client: A }), []);
    assert_eq!(table.host_says(H, done(1, 0)), [run(H, &[(3, 0)])]);
    assert_eq!(table.host_says(H, done(2, 0)), []);
    assert!(table.0.has_work());
    assert_eq!(table.host_says(H, done(3, 0)), []);
    assert!(!table.0.has_work());
}

#[test]
fn a_number_that_a_client_left_requests_under_is_taken() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    let again = Input::ClientJoined { client: A, name: "again".into() };
    let reason = "client 1 has left requests behind: its number is taken".into();
    assert_eq!(table.input(again.clone()), [stop(H, &[(1, 0)]), Action::DropClient { client: A, reason }]);
    assert_eq!(table.host_says(H, done(1, 0)), []);
    assert_eq!(table.input(again), []);
    assert_eq!(table.says(A, submit(1, "0")), [accepted(A, 1, &[0]), run(H, &[(2, 0)])]);
}
