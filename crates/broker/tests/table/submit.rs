//! Direct requests: accepted, queued, sent, answered.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::*;

#[test]
fn a_request_to_all_is_one_message_per_host() {
    let mut table = Table::with(2);
    table.host(G, 1);
    table.up(G, 2);
    let actions = table.says(A, submit(1, "all"));
    assert_eq!(actions, [accepted(A, 1, &[0, 1, 2]), run(H, &[(1, 0), (2, 1)]), run(G, &[(3, 2)])]);
}

#[test]
fn answers_go_back_as_they_come_each_to_its_position() {
    let mut table = Table::with(3);
    assert_eq!(table.says(A, submit(1, "2,0")), [accepted(A, 1, &[2, 0]), run(H, &[(1, 2), (2, 0)])]);
    assert_eq!(table.host_says(H, done(2, 0)), [answer(A, 1, 1, 0)]);
    assert_eq!(table.host_says(H, done(1, 2)), [answer(A, 1, 0, 2)]);
    assert!(!table.0.has_work());
}

#[test]
fn two_tasks_are_sent_ahead_and_the_third_waits() {
    let mut table = Table::with(1);
    assert_eq!(table.says(A, submit(1, "0")), [accepted(A, 1, &[0]), run(H, &[(1, 0)])]);
    assert_eq!(table.says(A, submit(2, "0")), [accepted(A, 2, &[0]), run(H, &[(2, 0)])]);
    assert_eq!(table.says(A, submit(3, "0")), [accepted(A, 3, &[0])]);
    assert_eq!(table.says(A, submit(4, "0")), [accepted(A, 4, &[0])]);
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0), run(H, &[(3, 0)])]);
    assert_eq!(table.host_says(H, done(2, 0)), [answer(A, 2, 0, 0), run(H, &[(4, 0)])]);
    assert_eq!(table.host_says(H, done(3, 0)), [answer(A, 3, 0, 0)]);
}

#[test]
fn a_starting_engine_counts_as_there_and_its_tasks_wait() {
    let mut table = Table::new();
    table.client(A);
    table.host(H, 2);
    table.up(H, 0);
    assert_eq!(table.says(A, submit(1, "all")), [accepted(A, 1, &[0, 1]), run(H, &[(1, 0)])]);
    assert_eq!(table.says(A, submit(2, "1")), [accepted(A, 2, &[1])]);
    let actions = table.host_says(H, up(1));
    assert_eq!(actions, [came_up(A, 1, 0), run(H, &[(2, 1)]), run(H, &[(3, 1)])]);
}

#[test]
fn two_clients_may_use_the_same_number() {
    let mut table = Table::with(1);
    table.client(B);
    table.submitted(1, "0");
    assert_eq!(table.says(B, submit(1, "0")), [accepted(B, 1, &[0]), run(H, &[(2, 0)])]);
    assert_eq!(table.host_says(H, done(1, 0)), [answer(A, 1, 0, 0)]);
    assert_eq!(table.host_says(H, done(2, 0)), [answer(B, 1, 0, 0)]);
}

#[test]
fn a_number_in_use_is_refused_and_free_again_afterwards() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    let in_use = Refusal::Invalid("request 1 is still in use: its number cannot be used again yet".into());
    assert_eq!(table.says(A, submit(1, "0")), [refused(A, 1, in_use.clone())]);
    assert_eq!(table.says(A, query(1, "0")), [refused(A, 1, in_use.clone())]);
    assert_eq!(table.says(A, restart(1, "0")), [refused(A, 1, in_use.clone())]);
    assert_eq!(table.says(A, interrupt(1, 1)), [refused(A, 1, in_use)]);
    table.host_says(H, done(1, 0));
    assert_eq!(table.says(A, submit(1, "0")), [accepted(A, 1, &[0]), run(H, &[(2, 0)])]);
}

#[test]
fn a_target_that_is_not_there_is_refused_in_words() {
    let mut table = Table::with(4);
    let hint = "%engines shows the engines; all is every one of them";
    let refusal = no_target("engine 9 is not in this cluster (0-3)", hint);
    assert_eq!(table.says(A, submit(1, "9")), [refused(A, 1, refusal.clone())]);
    assert_eq!(table.says(A, restart(2, "9")), [refused(A, 2, refusal.clone())]);
    assert_eq!(table.says(A, interrupt_engines(3, "9")), [refused(A, 3, refusal.clone())]);
    assert_eq!(table.says(A, query(4, "9")), [refused(A, 4, refusal)]);
    assert!(!table.0.has_work());
}

#[test]
fn local_and_failed_are_not_for_the_broker() {
    let mut table = Table::with(1);
    let words = "`local` is the client's own interpreter, not an engine of this cluster";
    let refusal = no_target(words, "write all, or the engines' numbers");
    assert_eq!(table.says(A, submit(1, "local")), [refused(A, 1, refusal)]);
    let words = "`failed` is known only to the shell in which a statement failed";
    let refusal = no_target(words, "write the engines' numbers");
    assert_eq!(table.says(A, submit(1, "failed")), [refused(A, 1, refusal)]);
}

#[test]
fn a_cluster_without_engines_refuses_everything_with_a_hint() {
    let mut table = Table::new();
    table.client(A);
    let nobody = || no_target("there are no engines in this cluster", "start some: antiphon engines -n 4");
    for on in ["all", "any", "0", "gpu"] {
        assert_eq!(table.says(A, submit(1, on)), [refused(A, 1, nobody())], "{on}");
        assert_eq!(table.says(A, query(2, on)), [refused(A, 2, nobody())], "{on}");
    }
    assert_eq!(table.says(A, restart(3, "all")), [refused(A, 3, nobody())]);
}

#[test]
fn bind_is_not_for_engines() {
    let mut table = Table::with(1);
    let header = ClientToController::Submit {
        request: RequestId(1),
        target: target("0"),
        work: Work::Bind,
        on_leave: OnLeave::Keep,
    };
    let refusal = Refusal::Invalid("bind is for the client's own interpreter, not for engines".into());
    assert_eq!(table.says(A, header), [refused(A, 1, refusal)]);
}

#[test]
fn a_client_that_never_joined_is_not_heard() {
    let mut table = Table::with(1);
    assert_eq!(table.says(B, submit(1, "0")), []);
    assert_eq!(table.input(Input::ClientLeft { client: B }), []);
}

#[test]
fn data_is_passed_on_untouched_and_uncopied() {
    let mut table = Table::with(2);
    let message = submit(1, "all");
    let data = message.segments[0].clone();
    let actions = table.says(A, message);
    let Action::ToHost { message: sent, .. } = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(sent.segments[0].as_ptr(), data.as_ptr());
}

#[test]
fn a_broadcast_to_many_engines_is_one_message() {
    let mut table = Table::with(128);
    let actions = table.says(A, submit(1, "all"));
    assert_eq!(actions.len(), 2);
    let tasks: Vec<(u64, u32)> = (0..128).map(|n| (u64::from(n) + 1, n)).collect();
    assert_eq!(actions[1], run(H, &tasks));
}

#[test]
fn after_the_end_was_asked_for_nothing_is_accepted() {
    let mut table = Table::with(1);
    table.client(B);
    table.host(G, 1);
    let goodbye = "the cluster was shut down by another client (shell 1)".to_owned();
    assert_eq!(
        table.says(A, ClientToController::Shutdown { request: RequestId(9) }),
        [
            order(H, ControllerToHost::Shutdown),
            order(G, ControllerToHost::Shutdown),
            carried(A, 9, 2),
            tell(B, ControllerToClient::Goodbye { reason: goodbye }),
            Action::Stop,
        ]
    );
    for message in [submit(1, "all"), query(1, "0"), restart(1, "0").into(), interrupt(1, 1).into()] {
        assert_eq!(table.says(B, message), [refused(B, 1, Refusal::Stopping)]);
    }
    let again = ClientToController::Shutdown { request: RequestId(1) };
    assert_eq!(table.says(B, again), [refused(B, 1, Refusal::Stopping)]);
    let reason = "the cluster is shutting down".to_owned();
    let late = HostId(3);
    assert_eq!(table.input(joins(late, 1)), [Action::DropHost { host: late, reason: reason.clone() }]);
    let client = ClientId(3);
    let joined = Input::ClientJoined { client, name: "late".into() };
    assert_eq!(table.input(joined), [Action::DropClient { client, reason }]);
}
