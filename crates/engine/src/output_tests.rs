#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use antiphon_protocol::Outcome;

const WINDOW: i64 = STREAM_WINDOW_BYTES as i64;

fn output() -> (Output, Window) {
    (Output::new(EngineId(0)), Window::default())
}

fn push(output: &mut Output, text: impl Into<Bytes>) {
    output.push_text(StreamName::Stdout, Some(TaskId(1)), text.into());
}

fn push_done(output: &mut Output, pressed: bool) {
    let outcome = Outcome::Done { repr: false, value: false, cut: None };
    let done = HostToController::Done { task: TaskId(1), engine: EngineId(0), outcome, elapsed_us: 0 };
    output.push_done(done.into(), pressed);
}

/// What goes now: the bytes of standard output, what is said on standard error, and how many answers.
fn released(output: &mut Output, window: &mut Window) -> (usize, String, usize) {
    let (mut bytes, mut said, mut answers) = (0, String::new(), 0);
    while let Some(Message { header, segments }) = output.next(window) {
        match header {
            HostToController::Stream { stream: StreamName::Stdout, .. } => bytes += segments[0].len(),
            HostToController::Stream { .. } => said.push_str(std::str::from_utf8(&segments[0]).unwrap()),
            HostToController::Done { .. } => answers += 1,
            other => panic!("{other:?}"),
        }
    }
    (bytes, said, answers)
}

fn big(bytes: i64) -> Bytes {
    vec![b'x'; bytes as usize].into()
}

#[test]
fn the_window_is_kept_to_the_byte_and_answers_stay_behind_their_output() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW + 10));
    push_done(&mut output, false);
    assert_eq!(released(&mut output, &mut window), (WINDOW as usize, String::new(), 0));
    assert!(!output.is_empty());
    window.on_credit(4);
    assert_eq!(released(&mut output, &mut window), (4, String::new(), 0));
    window.on_credit(100);
    assert_eq!(released(&mut output, &mut window), (6, String::new(), 1));
    assert!(output.is_empty());
}

#[test]
fn credit_never_opens_more_than_the_window() {
    let (mut output, mut window) = output();
    window.on_credit(u64::MAX);
    push(&mut output, big(WINDOW + 1));
    assert_eq!(released(&mut output, &mut window).0, WINDOW as usize);
}

#[test]
fn text_is_cut_between_characters() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW - 4));
    push(&mut output, "€€");
    assert_eq!(released(&mut output, &mut window).0, WINDOW as usize - 1);
    window.on_credit(1);
    assert_eq!(released(&mut output, &mut window).0, 0);
    window.on_credit(1);
    assert_eq!(released(&mut output, &mut window).0, 3);
}

#[test]
fn an_interrupted_flood_goes_past_the_window_and_the_rest_is_told() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW));
    released(&mut output, &mut window);
    window.on_interrupt();
    push(&mut output, big(OVERDRAFT_BYTES));
    push(&mut output, big(1000));
    push(&mut output, big(234));
    assert_eq!(released(&mut output, &mut window), (OVERDRAFT_BYTES as usize, String::new(), 0));
    assert!(output.is_empty(), "the engine is read on");
    let pressed = window.on_finish();
    assert!(pressed);
    push_done(&mut output, pressed);
    let (bytes, said, answers) = released(&mut output, &mut window);
    assert_eq!((bytes, answers), (0, 1));
    assert_eq!(said, "[antiphon: 1234 bytes of output were left out here]\n");
}

#[test]
fn what_was_left_out_is_told_where_it_is_missing() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW));
    window.on_interrupt();
    push(&mut output, big(OVERDRAFT_BYTES + 5));
    released(&mut output, &mut window);
    push(&mut output, "lost");
    released(&mut output, &mut window);
    window.on_credit(u64::MAX);
    push(&mut output, "on");
    let Some(first) = output.next(&mut window) else { panic!("something goes") };
    assert!(first.segments[0].starts_with(b"[antiphon: 9 bytes"), "{first:?}");
    assert_eq!(released(&mut output, &mut window), (2, String::new(), 0));
}

#[test]
fn a_task_that_ignores_its_interrupt_waits_again_after_a_while() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW));
    released(&mut output, &mut window);
    window.on_interrupt();
    let piece = big(1 << 20);
    for _ in 0..=LEFT_OUT_BYTES >> 20 {
        push(&mut output, piece.clone());
        released(&mut output, &mut window);
    }
    push(&mut output, "more");
    released(&mut output, &mut window);
    assert!(!output.is_empty());
}

#[test]
fn the_last_words_of_the_dead_do_not_wait() {
    let (mut output, mut window) = output();
    push(&mut output, big(WINDOW));
    released(&mut output, &mut window);
    push(&mut output, big(100));
    output.close();
    assert_eq!(released(&mut output, &mut window).0, 100);
    push(&mut output, big(OVERDRAFT_BYTES));
    released(&mut output, &mut window);
    assert!(output.is_empty());
    let notice = output.last_notice(&mut window).unwrap();
    assert!(notice.segments[0].starts_with(b"[antiphon: 100 bytes"), "{notice:?}");
    assert!(output.last_notice(&mut window).is_none());
}
