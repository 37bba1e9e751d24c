//! Floods: windows, credit, interrupts of what prints without end.

use super::controller::Controller;
use crate::output::OVERDRAFT_BYTES;
use antiphon_protocol::{
    HostToController, LossCause, Message, Outcome, StreamName, TaskId, limits::STREAM_WINDOW_BYTES,
};
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of output that a message carries.
fn output_bytes(said: &Message<HostToController>) -> u64 {
    if matches!(said.header, HostToController::Stream { .. }) { said.data_bytes() } else { 0 }
}

fn is_done(said: &Message<HostToController>, of: TaskId) -> bool {
    matches!(said.header, HostToController::Done { task, .. } if task == of)
}

/// Reads output until nothing comes any more.
async fn until_quiet(controller: &mut Controller) -> u64 {
    let mut bytes = 0;
    while let Ok(said) = timeout(Duration::from_millis(300), controller.next()).await {
        bytes += output_bytes(&said);
    }
    bytes
}

#[test]
fn fifty_megabytes_arrive_whole_under_slow_credit() {
    for source in [
        "print('y' * 50_000_000)",
        "import os\nos.write(2, b'')\nfor _ in range(500): os.write(1, b'z' * 100_000)",
    ] {
        Controller::run(2, |mut controller| async move {
            controller.gives_credit = false;
            let task = controller.submit(&[0], source)[0];
            let (mut total, mut under_way) = (0, 0);
            loop {
                let said = controller.next().await;
                let bytes = output_bytes(&said);
                total += bytes;
                under_way += bytes;
                assert!(under_way <= STREAM_WINDOW_BYTES, "{under_way} bytes under way");
                if is_done(&said, task) {
                    break;
                }
                // Credit only when the window is used up, and then not all of it.
                if under_way == STREAM_WINDOW_BYTES {
                    assert_eq!(controller.execute(1, "1").await.repr(), "1");
                    controller.credit(antiphon_protocol::EngineId(0), under_way - 1000);
                    under_way = 1000;
                }
            }
            assert!((50_000_000..=50_000_001).contains(&total), "{total}");
        });
    }
}

#[test]
fn a_closed_window_stops_a_flood_and_an_interrupt_ends_it() {
    for source in ["while True: print('y' * 1000)", "import os\nwhile True: os.write(1, b'y' * 1000)"] {
        Controller::run(1, |mut controller| async move {
            controller.gives_credit = false;
            let task = controller.submit(&[0], source)[0];
            assert_eq!(until_quiet(&mut controller).await, STREAM_WINDOW_BYTES);
            controller.interrupt(task, 0);
            let mut bytes = 0;
            loop {
                let said = controller.next().await;
                bytes += output_bytes(&said);
                if let HostToController::Done { task: of, outcome, .. } = said.header {
                    assert_eq!((of, outcome), (task, Outcome::Raised { interrupted: true, exit: None }));
                    break;
                }
            }
            assert!(bytes <= OVERDRAFT_BYTES as u64 + 200, "{bytes}");
            // The next statement's output waits for credit, its answer too.
            let next = controller.submit(&[0], "print('next')\n5")[0];
            controller.credit(antiphon_protocol::EngineId(0), STREAM_WINDOW_BYTES + bytes);
            controller.gives_credit = true;
            assert_eq!(controller.done(next).await.repr(), "5");
            assert_eq!(controller.printed(StreamName::Stdout), "next\n");
        });
    }
}

#[test]
fn a_flood_that_ignores_its_interrupt_is_left_out_and_told() {
    Controller::run(1, |mut controller| async move {
        controller.gives_credit = false;
        let source = "n = 0\nwhile n < 3000:\n try:\n  while n < 3000: n += 1; print('y' * 999)\n except KeyboardInterrupt: pass";
        let task = controller.submit(&[0], source)[0];
        let before = until_quiet(&mut controller).await;
        assert_eq!(before, STREAM_WINDOW_BYTES);
        controller.interrupt(task, 0);
        let (mut seen, mut notice) = (before, String::new());
        loop {
            let said = controller.next().await;
            if is_done(&said, task) {
                break;
            }
            if let HostToController::Stream { stream: StreamName::Stderr, .. } = said.header {
                notice.push_str(std::str::from_utf8(&said.segments[0]).unwrap());
            } else {
                seen += output_bytes(&said);
            }
        }
        let left_out: u64 = notice.split(' ').nth(1).unwrap().parse().expect(&notice);
        // Every byte was passed on or told as left out; a torn print may be missing its end.
        assert!((2_998_000..=3_000_000).contains(&(seen + left_out)), "{seen} + {left_out}");
    });
}

#[test]
fn a_flooding_engine_that_is_killed_is_told_at_once() {
    Controller::run(1, |mut controller| async move {
        controller.gives_credit = false;
        let pid = controller.infos[0].pid;
        let task = controller.submit(&[0], "while True: print('y' * 1000)")[0];
        until_quiet(&mut controller).await;
        let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(controller.down(0).await, (LossCause::Signal(9), Some(task), true));
        controller.up().await;
    });
}
