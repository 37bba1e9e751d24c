//! One real CPython as a child, over the bridge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use antiphon_interpreter::{
    BridgeError, Interpreter, InterpreterConfig, InterpreterRole, Python, PythonChoice, StartError, find,
};
use antiphon_protocol::{Ask, LossCause, Outcome, StreamName, Want, Work};
use bytes::Bytes;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);
const REPR: Work = Work::Execute { want: Want::REPR, script: false };

/// Runs a test on the machine's Python; without one it passes and says so.
fn with_python<F: Future<Output = ()>>(test: impl FnOnce(Python) -> F) {
    let Ok(python) = find(&PythonChoice::Auto) else {
        eprintln!("no Python here: passed without being run");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(DEADLINE, test(python)).await.expect("in time") });
}

async fn started(python: &Python) -> Interpreter {
    let config = InterpreterConfig { role: InterpreterRole::Local, ..InterpreterConfig::default() };
    Interpreter::start(python, config).await.unwrap()
}

type Ran = (Outcome, Vec<Bytes>, String, String);

async fn try_run(interpreter: &Interpreter, source: &str) -> Result<Ran, BridgeError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let segments = vec![Bytes::copy_from_slice(source.as_bytes()), Bytes::from_static(b"<test>")];
    let mut on_stream = |name, text: Bytes| match name {
        StreamName::Stdout => stdout.extend_from_slice(&text),
        StreamName::Stderr => stderr.extend_from_slice(&text),
    };
    let (outcome, segments) = interpreter.run(REPR, segments, &mut on_stream).await?;
    Ok((outcome, segments, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap()))
}

async fn run(interpreter: &Interpreter, source: &str) -> Ran {
    try_run(interpreter, source).await.unwrap()
}

async fn value(interpreter: &Interpreter, source: &str) -> String {
    let (outcome, segments, ..) = run(interpreter, source).await;
    assert_eq!(outcome, Outcome::Done { repr: true, value: false, cut: None }, "{source}: {segments:?}");
    String::from_utf8(segments[0].to_vec()).unwrap()
}

#[test]
fn statements_answer_print_and_raise() {
    with_python(|python| async move {
        let interpreter = started(&python).await;
        assert_eq!(interpreter.info().implementation, "CPython");
        assert_eq!(value(&interpreter, "x = 21\nx * 2").await, "42");
        let (outcome, _, stdout, stderr) =
            run(&interpreter, "import sys\nprint('é', 1)\nprint('e', file=sys.stderr)").await;
        assert_eq!(outcome, Outcome::Done { repr: false, value: false, cut: None });
        assert_eq!((stdout.as_str(), stderr.as_str()), ("é 1\n", "e\n"));
        let (outcome, segments, ..) = run(&interpreter, "1/0").await;
        assert_eq!(outcome, Outcome::Raised { interrupted: false, exit: None });
        assert_eq!(segments[0], "ZeroDivisionError");
        assert_eq!(segments.len(), 3);
        assert_eq!(value(&interpreter, "x").await, "21");
    });
}

#[test]
fn subprocesses_and_native_writes_come_before_the_answer() {
    with_python(|python| async move {
        let interpreter = started(&python).await;
        for turn in 0..20 {
            let source = format!(
                "import os, subprocess\nsubprocess.run(['echo', 'sub{turn}'])\nos.write(2, b'raw\\n')"
            );
            let (_, _, stdout, stderr) = run(&interpreter, &source).await;
            assert_eq!((stdout, stderr), (format!("sub{turn}\n"), "raw\n".to_owned()));
        }
    });
}

#[test]
fn an_interrupt_ends_loops_and_sleeps_and_nothing_else() {
    with_python(|python| async move {
        let interpreter = Arc::new(started(&python).await);
        interpreter.interrupt(); // nothing runs: nothing happens
        for source in [
            "print('on', flush=True)\nwhile True: pass",
            "import time\nprint('on', flush=True)\ntime.sleep(100)",
        ] {
            let (on, mut is_on) = tokio::sync::mpsc::unbounded_channel();
            let running = interpreter.clone();
            let task = tokio::spawn(async move {
                let segments = vec![Bytes::from(source), Bytes::from_static(b"<test>")];
                running.run(REPR, segments, &mut |_, _| _ = on.send(())).await.unwrap()
            });
            is_on.recv().await.unwrap();
            interpreter.interrupt();
            let (outcome, _) = task.await.unwrap();
            assert_eq!(outcome, Outcome::Raised { interrupted: true, exit: None });
            assert_eq!(value(&interpreter, "6 * 7").await, "42");
        }
    });
}

#[test]
fn questions_are_answered_while_it_is_busy() {
    with_python(|python| async move {
        let interpreter = Arc::new(started(&python).await);
        run(&interpreter, "import time; abcdef = 1").await;
        let busy = interpreter.clone();
        let task = tokio::spawn(async move { value(&busy, "time.sleep(1) or 5").await });
        tokio::task::yield_now().await;
        let json = Bytes::from(r#"{"code": "abc", "cursor": 3}"#);
        let answer = interpreter.ask(Ask::Complete, json).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&answer).contains("abcdef"), "{answer:?}");
        assert!(!task.is_finished());
        assert!(interpreter.ask(Ask::Who, Bytes::new()).await.unwrap().is_ok());
        assert!(interpreter.ask(Ask::Inspect, Bytes::from_static(b"nonsense")).await.unwrap().is_err());
        assert_eq!(task.await.unwrap(), "5");
    });
}

#[test]
fn an_end_is_told_with_its_cause_and_its_last_words() {
    with_python(|python| async move {
        for (source, cause) in [
            ("import os\nprint('last', flush=True)\nos._exit(3)", LossCause::Exit(3)),
            ("import os\nprint('last', flush=True)\nos.kill(os.getpid(), 9)", LossCause::Signal(9)),
        ] {
            let interpreter = started(&python).await;
            let mut printed = Vec::new();
            let segments = vec![Bytes::from(source), Bytes::from_static(b"<test>")];
            let ended =
                interpreter.run(REPR, segments, &mut |_, text| printed.extend_from_slice(&text)).await;
            match ended {
                Err(BridgeError::Ended(seen)) => assert_eq!(seen, cause),
                other => panic!("{other:?}"),
            }
            assert_eq!(printed, b"last\n");
            assert!(matches!(try_run(&interpreter, "1").await, Err(BridgeError::Ended(_))));
        }
    });
}

#[test]
fn large_values_go_both_ways() {
    with_python(|python| async move {
        let interpreter = started(&python).await;
        let source = format!("s = {:?}\nlen(s)", "x".repeat(8 << 20));
        assert_eq!(value(&interpreter, &source).await, (8 << 20).to_string());
        let (_, segments, ..) = run(&interpreter, "s").await;
        assert_eq!(segments[0].len(), (8 << 20) + 2);
        let (_, _, stdout, _) = run(&interpreter, "print('y' * 50_000_000)").await;
        assert_eq!(stdout.len(), 50_000_001);
    });
}

#[test]
fn a_dropped_run_leaves_the_bridge_whole() {
    with_python(|python| async move {
        let interpreter = started(&python).await;
        run(&interpreter, "import time").await;
        let slow = timeout(Duration::from_millis(20), run(&interpreter, "time.sleep(0.2); 'late'")).await;
        assert!(slow.is_err());
        assert_eq!(value(&interpreter, "'next'").await, "'next'");
    });
}

#[test]
fn nothing_outlives_a_drop() {
    with_python(|python| async move {
        let interpreter = started(&python).await;
        let pids = value(
            &interpreter,
            "import os, subprocess\n[os.getpid(), subprocess.Popen(['sleep', '1000']).pid]",
        )
        .await;
        let pids: Vec<i32> =
            pids.trim_matches(['[', ']']).split(", ").map(|pid| pid.parse().unwrap()).collect();
        drop(interpreter);
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            while is_running(pid) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
}

/// A zombie that nobody has reaped yet does not run.
fn is_running(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

#[test]
fn a_python_that_does_not_start_says_why() {
    with_python(|_| async {
        // Started as `cat -c BOOT`, which it does not understand.
        let program = std::path::PathBuf::from("/bin/cat");
        let python = Python { program, builtin: false, version: String::new(), origin: "test".to_owned() };
        let error = Interpreter::start(&python, InterpreterConfig::default()).await.unwrap_err();
        assert!(matches!(error, StartError::Ended { cause: LossCause::Exit(1), .. }), "{error:?}");
        assert!(error.to_string().contains("; it printed: "), "{error}");
        let error = antiphon_interpreter::ForkServer::start(&python).await.unwrap_err();
        assert!(error.to_string().contains("; it printed: "), "{error}");
    });
}
