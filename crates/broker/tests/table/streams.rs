//! Output and its credit.

use crate::says::*;
use antiphon_broker::{Action, Input};
use antiphon_protocol::{limits::STREAM_WINDOW_BYTES, *};
use bytes::Bytes;

fn streamed(client: ClientId, request: u64, engine: u32, what: &str) -> Action {
    let (request, engine) = (RequestId(request), EngineId(engine));
    let header = ControllerToClient::Stream { request, engine, stream: StreamName::Stdout };
    Action::ToClient { client, message: Message::new(header, text(what)) }
}

fn reads(engine: u32, bytes: u64) -> ClientToController {
    ClientToController::Credit { engine: EngineId(engine), bytes }
}

#[test]
fn output_goes_to_the_client_whose_task_runs() {
    let mut table = Table::with(1);
    table.client(B);
    table.submitted(1, "0");
    table.says(B, submit(7, "0"));
    assert_eq!(table.host_says(H, stream(0, Some(1), "a")), [streamed(A, 1, 0, "a")]);
    table.host_says(H, done(1, 0));
    assert_eq!(table.host_says(H, stream(0, Some(2), "b")), [streamed(B, 7, 0, "b")]);
}

#[test]
fn late_output_goes_to_whose_task_ran_last() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.host_says(H, done(1, 0));
    assert_eq!(table.host_says(H, stream(0, Some(1), "a")), [streamed(A, 1, 0, "a")]);
    assert_eq!(table.host_says(H, stream(0, None, "b")), [streamed(A, 1, 0, "b")]);
}

#[test]
fn output_of_no_task_goes_to_whose_task_runs() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    assert_eq!(table.host_says(H, stream(0, None, "a")), [streamed(A, 1, 0, "a")]);
}

#[test]
fn last_words_of_a_dead_engine_reach_whose_task_it_was() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.host_says(H, down(0, LossCause::Signal(11), Some(1), true));
    assert_eq!(table.host_says(H, stream(0, Some(1), "boom")), [streamed(A, 1, 0, "boom")]);
}

#[test]
fn output_that_is_nobodys_is_granted_back_at_once() {
    let mut table = Table::with(1);
    assert_eq!(table.host_says(H, stream(0, None, "abc")), [credit(H, 0, 3)]);
    assert_eq!(table.host_says(H, stream(0, Some(77), "abc")), [credit(H, 0, 3)]);
}

#[test]
fn what_is_read_is_granted_and_never_more() {
    let mut table = Table::with(1);
    table.client(B);
    table.submitted(1, "0");
    table.host_says(H, stream(0, Some(1), "12345"));
    assert_eq!(table.says(A, reads(0, 2)), [credit(H, 0, 2)]);
    assert_eq!(table.says(B, reads(0, 2)), []);
    assert_eq!(table.says(A, reads(0, 100)), [credit(H, 0, 3)]);
    assert_eq!(table.says(A, reads(0, 1)), []);
    assert_eq!(table.says(A, reads(9, 1)), []);
}

#[test]
fn a_client_that_leaves_holds_up_nobody() {
    let mut table = Table::with(1);
    table.says(A, submit_with(1, "0", OnLeave::Keep));
    table.host_says(H, stream(0, Some(1), "12345"));
    assert_eq!(table.input(Input::ClientLeft { client: A }), [credit(H, 0, 5)]);
    assert_eq!(table.host_says(H, stream(0, Some(1), "67")), [credit(H, 0, 2)]);
}

#[test]
fn credit_for_a_lost_host_is_not_granted_to_its_successor() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    table.host_says(H, stream(0, Some(1), "12345"));
    table.input(Input::HostLeft { host: H });
    table.host(G, 1);
    table.up(G, 0);
    assert_eq!(table.says(A, reads(0, 5)), []);
}

#[test]
fn a_host_that_ignores_the_window_is_dropped() {
    let mut table = Table::with(1);
    table.submitted(1, "0");
    let much = Bytes::from(vec![0; STREAM_WINDOW_BYTES as usize]);
    let mut message = stream(0, Some(1), "");
    message.segments = vec![much];
    for _ in 0..4 {
        assert_eq!(table.host_says(H, message.clone()).len(), 1);
    }
    let reason = "it sent more output of engine 0 than its window allows".into();
    assert_eq!(table.host_says(H, message)[0], Action::DropHost { host: H, reason });
}
