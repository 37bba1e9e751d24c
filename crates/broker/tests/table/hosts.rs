//! Hosts: joining, numbering, and those that speak nonsense.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::{limits::MAX_ENGINES_PER_HOST, *};

fn welcome(host: HostId, engines: &[u32], n_engines: u32) -> Action {
    order(host, ControllerToHost::Welcome { host, engines: ids(engines), n_engines })
}

fn host_up(name: &str, engines: &[u32]) -> Action {
    notice(A, Notice::HostUp { name: name.into(), engines: ids(engines) })
}

fn dropped(host: HostId, reason: &str) -> Action {
    Action::DropHost { host, reason: reason.into() }
}

fn host_down(name: &str, engines: &[u32]) -> Action {
    notice(A, Notice::HostDown { name: name.into(), engines: ids(engines) })
}

#[test]
fn a_host_gets_the_lowest_free_ids() {
    let mut table = Table::new();
    table.client(A);
    assert_eq!(table.input(joins(H, 2)), [welcome(H, &[0, 1], 2), host_up("host1", &[0, 1])]);
    assert_eq!(table.input(joins(G, 2)), [welcome(G, &[2, 3], 4), host_up("host2", &[2, 3])]);
    table.input(Input::HostLeft { host: H });
    let third = HostId(3);
    assert_eq!(table.input(joins(third, 3)), [welcome(third, &[0, 1, 4], 5), host_up("host3", &[0, 1, 4])]);
}

#[test]
fn a_host_with_too_many_engines_is_dropped_before_it_is_in() {
    let mut table = Table::new();
    table.client(A);
    let reason = "it offers 4097 engines; the limit is 4096 a host and 65536 a cluster";
    assert_eq!(table.input(joins(H, MAX_ENGINES_PER_HOST + 1)), [dropped(H, reason)]);
    assert_eq!(table.host_says(H, up(0)), []);
}

#[test]
fn a_host_that_comes_again_under_its_old_id_was_lost() {
    let mut table = Table::with(1);
    let actions = table.input(joins(H, 1));
    assert_eq!(actions, [host_down("host1", &[0]), welcome(H, &[0], 1), host_up("host1", &[0])]);
}

#[test]
fn an_engine_of_another_host_is_not_its_to_speak_of() {
    let reason = "it spoke of engine 0, which is not its own";
    let messages: [Message<HostToController>; 4] =
        [up(0).into(), down(0, LossCause::Exit(0), None, true).into(), done(1, 0), stream(0, None, "x")];
    for message in messages {
        let mut table = Table::with(1);
        table.host(G, 1);
        table.submitted(1, "0");
        assert_eq!(table.host_says(G, message), [dropped(G, reason), host_down("host2", &[1])]);
        assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    }
}

#[test]
fn an_engine_that_is_not_there_costs_the_host_its_place() {
    let mut table = Table::with(1);
    let reason = "it spoke of engine 5000, which is not its own";
    assert_eq!(table.host_says(H, up(5000)), [dropped(H, reason), host_down("host1", &[0])]);
    // It is not heard any more, and its leaving is no news.
    assert_eq!(table.host_says(H, up(0)), []);
    assert_eq!(table.input(Input::HostLeft { host: H }), []);
}

#[test]
fn a_task_that_never_was_costs_the_host_its_place_and_loses_what_it_had() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    let cause = LossCause::HostLost("host1".into());
    assert_eq!(
        table.host_says(H, done(99, 0)),
        [
            dropped(H, "it answered task 99, which never was"),
            loss(A, 1, 0, 0, lost(cause, true)),
            host_down("host1", &[0]),
        ]
    );
}

#[test]
fn a_task_answered_twice_is_answered_once() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    assert_eq!(table.host_says(H, done(1, 0)), []);
}

#[test]
fn a_task_answered_for_the_wrong_engine_is_no_answer() {
    let mut table = Table::with(2);
    table.submitted(1, "0");
    let cause = LossCause::HostLost("host1".into());
    assert_eq!(
        table.host_says(H, done(1, 1)),
        [
            dropped(H, "it answered task 1 for engine 1, which does not have it"),
            loss(A, 1, 0, 0, lost(cause, true)),
            host_down("host1", &[0, 1]),
        ]
    );
}

#[test]
fn a_task_answered_before_it_was_sent_is_no_answer() {
    let mut table = Table::with(1);
    for request in 1..=3 {
        table.submitted(request, "0");
    }
    let actions = table.host_says(H, done(3, 0));
    assert_eq!(actions[0], dropped(H, "it answered task 3 for engine 0, which does not have it"));
    let cause = LossCause::HostLost("host1".into());
    assert_eq!(actions[3], loss(A, 3, 0, 0, lost(cause, false)));
}

#[test]
fn an_engine_that_is_up_cannot_come_up() {
    let mut table = Table::with(1);
    let reason = "it said twice that engine 0 is up";
    assert_eq!(table.host_says(H, up(0)), [dropped(H, reason), host_down("host1", &[0])]);
}

#[test]
fn a_dead_engine_may_come_back_by_itself() {
    let mut table = Table::with(1);
    let cause = LossCause::Exit(1);
    table.host_says(H, down(0, cause.clone(), None, false));
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), None, true)),
        [seen(H, 0), went_down(A, 0, cause, true)]
    );
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1)]);
}

#[test]
fn a_query_that_never_was_costs_the_host_its_place() {
    let mut table = Table::with(1);
    let header = HostToController::Replied { query: TaskId(5), ok: true };
    let reason = "it answered query 5, which never was";
    assert_eq!(table.host_says(H, header), [dropped(H, reason), host_down("host1", &[0])]);
}
