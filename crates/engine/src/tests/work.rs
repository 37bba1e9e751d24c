//! What engines do when nothing goes wrong.

use super::controller::Controller;
use antiphon_protocol::{
    Ask, ControllerToHost, EngineId, HostToController, Loss, LossCause, Outcome, StreamName, TaskId, Work,
};
use bytes::Bytes;
use std::time::{Duration, Instant};

#[test]
fn four_engines_answer_with_their_own_state() {
    Controller::run(4, |mut controller| async move {
        let mut pids: Vec<_> = controller.infos.iter().map(|info| info.pid).collect();
        pids.dedup();
        assert_eq!(pids.len(), 4);
        for engine in 0..4 {
            let ended = controller.execute(engine, "import antiphon\nantiphon.engine_id").await;
            assert_eq!((ended.repr(), ended.engine), (&*engine.to_string(), EngineId(engine)));
        }
        let tasks = controller.submit(&[0, 1, 2, 3], "x = antiphon.engine_id * 2\nx");
        for (task, expected) in tasks.into_iter().zip(["0", "2", "4", "6"]) {
            assert_eq!(controller.done(task).await.repr(), expected);
        }
        assert_eq!(controller.execute(1, "antiphon.n_engines").await.repr(), "4");
    });
}

#[test]
fn tasks_of_one_engine_run_in_order() {
    Controller::run(1, |mut controller| async move {
        controller.execute(0, "seen = []").await;
        let tasks: Vec<_> =
            (0..100).map(|n| controller.submit(&[0], &format!("seen.append({n}); len(seen)"))[0]).collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(controller.done(task).await.repr(), (n + 1).to_string());
        }
        assert_eq!(controller.execute(0, "seen == list(range(100))").await.repr(), "True");
    });
}

#[test]
fn errors_are_answers() {
    Controller::run(1, |mut controller| async move {
        let ended = controller.execute(0, "1/0").await;
        assert_eq!(ended.outcome, Outcome::Raised { interrupted: false, exit: None });
        assert_eq!(ended.segments[0], "ZeroDivisionError");
        let ended = controller.execute(0, "exit(3)").await;
        assert_eq!(ended.outcome, Outcome::Raised { interrupted: false, exit: Some(3) });
        assert_eq!(controller.execute(0, "1").await.repr(), "1");
    });
}

#[test]
fn output_comes_before_its_answer() {
    Controller::run(1, |mut controller| async move {
        for turn in 0..20 {
            let source = format!(
                "import subprocess, sys\nprint('p{turn}')\nprint('e{turn}', file=sys.stderr)\n_ = subprocess.run(['echo', 's{turn}'])"
            );
            controller.execute(0, &source).await;
            let stdout = controller.printed(StreamName::Stdout);
            let mut lines: Vec<_> = stdout.lines().collect();
            lines.sort_unstable();
            assert_eq!(lines, [format!("p{turn}"), format!("s{turn}")]);
            assert_eq!(controller.printed(StreamName::Stderr), format!("e{turn}\n"));
        }
    });
}

#[test]
fn a_character_split_between_two_writes_stays_whole() {
    Controller::run(1, |mut controller| async move {
        let source = "import os, time\nfor byte in 'aé€😀'.encode():\n os.write(1, bytes([byte])); time.sleep(0.01)\nos.write(1, b'\\xff.')";
        controller.execute(0, source).await;
        assert_eq!(controller.printed(StreamName::Stdout), "aé€😀\u{fffd}.");
    });
}

#[test]
fn interrupts_end_loops_and_sleeps() {
    Controller::run(2, |mut controller| async move {
        for source in ["while True: pass", "import time\ntime.sleep(100)"] {
            let task = controller.begin(0, source).await;
            let waiting = controller.submit(&[0], "'ran'")[0];
            assert_eq!(controller.execute(1, "7").await.repr(), "7");
            controller.interrupt(waiting, 0);
            let cancelled = Outcome::Lost(Loss { cause: LossCause::Cancelled, started: false });
            assert_eq!(controller.done(waiting).await.outcome, cancelled);
            controller.interrupt(task, 0);
            let ended = controller.done(task).await;
            assert_eq!(ended.outcome, Outcome::Raised { interrupted: true, exit: None });
            controller.interrupt(task, 0); // too late: hits nothing
            assert_eq!(controller.execute(0, "6 * 7").await.repr(), "42");
        }
    });
}

#[test]
fn an_interrupt_right_behind_its_task_hits_it() {
    Controller::run(1, |mut controller| async move {
        for _ in 0..50 {
            let task = controller.submit(&[0], "import time\ntime.sleep(100)")[0];
            controller.interrupt(task, 0);
            let ended = controller.done(task).await;
            assert_eq!(ended.outcome, Outcome::Raised { interrupted: true, exit: None });
        }
    });
}

#[test]
fn questions_are_answered_while_it_is_busy() {
    Controller::run(1, |mut controller| async move {
        controller.execute(0, "abcdef = 1").await;
        let task = controller.begin(0, "while True: pass").await;
        let query = TaskId(1000);
        let json = Bytes::from(r#"{"code": "abcd", "cursor": 4}"#);
        controller
            .say(ControllerToHost::Query { query, engine: EngineId(0), ask: Ask::Complete }, vec![json]);
        let (ok, answer) = controller
            .find(|said| match &said.header {
                HostToController::Replied { query: of, ok } if *of == query => {
                    Some((*ok, String::from_utf8_lossy(&said.segments[0]).into_owned()))
                }
                _ => None,
            })
            .await;
        assert!(ok && answer.contains("abcdef"), "{answer}");
        controller.interrupt(task, 0);
        controller.done(task).await;
    });
}

#[test]
fn large_work_and_large_answers() {
    Controller::run(2, |mut controller| async move {
        let source = format!("s = {:?}\nlen(s)", "x".repeat(20 << 20));
        let tasks = controller.submit(&[0, 1], &source);
        for task in tasks {
            assert_eq!(controller.done(task).await.repr(), (20 << 20).to_string());
        }
        assert_eq!(controller.execute(1, "s").await.repr().len(), (20 << 20) + 2);
        controller
            .say(ControllerToHost::Run { tasks: vec![(TaskId(99), EngineId(0))], work: Work::Reset }, vec![]);
        controller.done(TaskId(99)).await;
        assert!(matches!(controller.execute(0, "s").await.outcome, Outcome::Raised { .. }));
    });
}

#[test]
fn thirty_two_engines_in_a_moment() {
    let start = Instant::now();
    Controller::run(32, |mut controller| async move {
        eprintln!("32 engines up after {:?}", start.elapsed());
        let all: Vec<_> = (0..32).collect();
        let tasks = controller.submit(&all, "import antiphon\nantiphon.engine_id");
        for (engine, task) in tasks.into_iter().enumerate() {
            assert_eq!(controller.done(task).await.repr(), engine.to_string());
        }
    });
    assert!(start.elapsed() < Duration::from_secs(30));
}
