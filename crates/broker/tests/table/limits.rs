//! What is too much is refused, and changes nothing.

use crate::says::*;
use antiphon_broker::limits;
use antiphon_protocol::*;

fn is_full(table: &mut Table, message: Message<ClientToController>, queue: &str) {
    let actions = table.says(A, message);
    let [antiphon_broker::Action::ToClient { message, .. }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    let ControllerToClient::Refused { refusal: Refusal::Full { queue: which, .. }, .. } = &message.header
    else {
        panic!("{actions:?}")
    };
    assert_eq!(which, queue);
}

#[test]
fn an_engines_queue_is_bounded_and_others_are_unaffected() {
    let mut table = Table::with(2);
    let room = limits::MAX_TASKS_QUEUED_PER_ENGINE + limits::TASKS_AHEAD;
    for request in 0..room as u64 {
        table.submitted(request, "0");
    }
    is_full(&mut table, submit(1 << 40, "all"), "the queue of engine 0");
    assert_eq!(table.0.census().tasks.len(), room);
    assert_eq!(table.says(A, submit(1 << 40, "1")).len(), 2);
    table.host_says(H, done(1, 0));
    assert_eq!(table.says(A, submit(1 << 41, "0")).len(), 1);
}

#[test]
fn a_clients_requests_are_bounded() {
    let mut table = Table::with(1);
    for request in 0..limits::MAX_REQUESTS_PER_CLIENT as u64 {
        table.submitted(request, "any");
    }
    is_full(&mut table, submit(1 << 40, "any"), "this client's list of unfinished requests");
    is_full(&mut table, query(1 << 40, "0"), "this client's list of unfinished requests");
    is_full(&mut table, restart(1 << 40, "0").into(), "this client's list of unfinished requests");
    // What helps is not refused, and others are not concerned.
    assert_eq!(table.says(A, interrupt(1 << 40, 5)).len(), 2);
    assert_eq!(table.says(A, submit(1 << 40, "any")).len(), 1);
    table.client(B);
    assert_eq!(table.says(B, submit(1, "any")).len(), 1);
}

#[test]
fn a_clients_data_is_bounded_and_comes_free_with_the_answer() {
    let mut table = Table::with(1);
    let large = bytes::Bytes::from(vec![0; 1 << 20]);
    let pieces = (limits::MAX_BYTES_PER_CLIENT >> 20) as usize;
    let mut message = submit(1, "0");
    message.segments = vec![large.clone(); pieces];
    assert_eq!(table.says(A, message).len(), 2);
    is_full(&mut table, submit(2, "0"), "the data of this client's unfinished requests, in bytes,");
    table.host_says(H, done(1, 0));
    assert_eq!(table.says(A, submit(2, "0")).len(), 2);
}

#[test]
fn the_data_of_clients_that_have_left_still_counts() {
    let mut table = Table::with(1);
    let large = bytes::Bytes::from(vec![0; 1 << 20]);
    let pieces = (limits::MAX_BYTES_PER_CLIENT >> 20) as usize;
    for id in 10..14 {
        let client = ClientId(id);
        table.client(client);
        let mut message = submit_with(1, "0", OnLeave::Keep);
        message.segments = vec![large.clone(); pieces];
        assert_eq!(table.says(client, message).len(), if id < 12 { 2 } else { 1 });
        table.input(antiphon_broker::Input::ClientLeft { client });
    }
    is_full(&mut table, submit(2, "0"), "the data of all unfinished requests, in bytes,");
    table.host_says(H, done(1, 0));
    assert_eq!(table.says(A, submit(2, "0")).len(), 1);
}
