//! `any`: one line for whichever engine is free.

use crate::says::*;
use antiphon_broker::Input;
use antiphon_protocol::*;

#[test]
fn a_farmed_task_goes_to_an_engine_without_work() {
    let mut table = Table::with(3);
    table.submitted(1, "0");
    assert_eq!(table.says(A, submit(2, "any")), [accepted(A, 2, &[]), run(H, &[(3, 1)])]);
    assert_eq!(table.host_says(H, done(3, 1)), [answer(A, 2, 0, 1)]);
}

#[test]
fn it_waits_while_every_engine_works_and_keeps_its_turn() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    assert_eq!(table.says(A, submit(2, "any")), [accepted(A, 2, &[])]);
    assert_eq!(table.says(A, submit(3, "any")), [accepted(A, 3, &[])]);
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0), run(H, &[(4, 0)])]);
    assert_eq!(table.host_says(H, done(4, 0)), [answer(A, 2, 0, 0), run(H, &[(5, 0)])]);
    assert_eq!(table.host_says(H, done(5, 0)), [answer(A, 3, 0, 0)]);
}

#[test]
fn an_engine_does_its_own_tasks_before_farmed_ones() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "any");
    table.submitted(3, "0");
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    assert_eq!(table.host_says(H, done(3, 0)), [answer(A, 3, 0, 0), run(H, &[(4, 0)])]);
}

#[test]
fn the_first_engine_to_come_up_takes_what_waits() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 2);
    assert_eq!(table.says(A, submit(1, "any")), [accepted(A, 1, &[])]);
    assert_eq!(table.host_says(H, up(1)), [came_up(A, 1, 0), run(H, &[(2, 1)])]);
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 0)]);
}

#[test]
fn the_death_of_the_engine_that_took_it_is_answered_as_a_loss() {
    let mut table = Table::with(2);
    table.submitted(1, "any");
    let cause = LossCause::Signal(9);
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), Some(2), true)),
        [seen(H, 0), loss(A, 1, 0, 0, lost(cause.clone(), true)), went_down(A, 0, cause, true)]
    );
}

#[test]
fn when_the_last_engine_is_gone_for_good_what_waits_is_lost() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "any");
    let cause = LossCause::NotStarted("no memory".into());
    assert_eq!(
        table.host_says(H, down(0, cause.clone(), Some(1), false)),
        [
            seen(H, 0),
            loss(A, 1, 0, 0, lost(cause.clone(), true)),
            loss(A, 2, 0, EngineId::NONE.0, lost(cause.clone(), false)),
            went_down(A, 0, cause, false),
        ]
    );
    let dead = no_target("every engine of this cluster is dead", "bring them back with %restart");
    assert_eq!(table.says(A, submit(3, "any")), [refused(A, 3, dead)]);
    assert!(!table.0.has_work());
}

#[test]
fn while_the_last_engine_restarts_what_waits_waits_on() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "any");
    table.host_says(H, down(0, LossCause::Exit(3), Some(1), true));
    assert_eq!(table.host_says(H, up(0)), [came_up(A, 0, 1), run(H, &[(3, 0)])]);
}

#[test]
fn the_loss_of_the_last_host_loses_what_waits() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.submitted(2, "any");
    let cause = LossCause::HostLost("host1".into());
    assert_eq!(
        table.input(Input::HostLeft { host: H }),
        [
            loss(A, 1, 0, 0, lost(cause.clone(), true)),
            loss(A, 2, 0, EngineId::NONE.0, lost(cause, false)),
            notice(A, Notice::HostDown { name: "host1".into(), engines: ids(&[0]) }),
        ]
    );
}

#[test]
fn any_names_no_engine_to_interrupt_or_restart() {
    let mut table = Table::with(1);
    let refusal = no_target(
        "`any` is whichever engine is free and names none by itself",
        "write all, or the engines' numbers",
    );
    assert_eq!(table.says(A, interrupt_engines(1, "any")), [refused(A, 1, refusal.clone())]);
    assert_eq!(table.says(A, restart(2, "any")), [refused(A, 2, refusal)]);
}
