//! Engines forked from one warmed CPython.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use antiphon_interpreter::{
    ForkServer, ForkedEngine, InterpreterConfig, Python, PythonChoice, bridge::MainEvent, find,
};
use antiphon_protocol::{LossCause, Outcome, Want, Work};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use std::{future::Future, time::Duration};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a test on the machine's Python; without one it passes and says so.
fn with_python<F: Future<Output = ()>>(test: impl FnOnce(Python) -> F) {
    let Ok(python) = find(&PythonChoice::Auto) else {
        eprintln!("no Python here: passed without being run");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(DEADLINE, test(python)).await.expect("in time") });
}

fn config(engine: u32) -> InterpreterConfig {
    InterpreterConfig { engine_id: Some(engine), n_engines: 4, ..InterpreterConfig::default() }
}

async fn ready(server: &ForkServer, engine: u32) -> ForkedEngine {
    let mut forked = server.fork(&config(engine)).await.unwrap();
    match forked.bridge.main.next().await.unwrap() {
        MainEvent::Ready(info) => assert_eq!(info.pid, forked.pid),
        other => panic!("{other:?}"),
    }
    forked
}

fn send(engine: &mut ForkedEngine, source: &str) {
    let work = Work::Execute { want: Want::REPR, script: false };
    let segments = [Bytes::copy_from_slice(source.as_bytes()), Bytes::from_static(b"<test>")];
    engine.bridge.work.send(1, &work, &segments).unwrap();
}

async fn value(engine: &mut ForkedEngine, source: &str) -> String {
    send(engine, source);
    match engine.bridge.main.next().await.unwrap() {
        MainEvent::Result { outcome: Outcome::Done { .. }, segments, .. } => {
            String::from_utf8(segments[0].to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// A zombie that nobody has reaped yet does not run.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

async fn gone(pids: &[u32]) {
    while pids.iter().any(|pid| is_running(*pid)) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn with_grandchild(engine: &mut ForkedEngine) -> [u32; 2] {
    let grandchild = value(engine, "import subprocess; subprocess.Popen(['sleep', '1000']).pid").await;
    [engine.pid, grandchild.parse().unwrap()]
}

#[test]
fn thirty_two_forks_as_a_pipeline() {
    with_python(|python| async move {
        let server = ForkServer::start(&python).await.unwrap();
        let start = std::time::Instant::now();
        let forks = (0..32).map(|engine| ready(&server, engine));
        let mut engines = Vec::new();
        let mut pending: Vec<_> = forks.map(Box::pin).collect();
        // All are polled together: the requests are under way at once.
        std::future::poll_fn(|context| {
            pending.retain_mut(|fork| match fork.as_mut().poll(context) {
                std::task::Poll::Ready(engine) => {
                    engines.push(engine);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        eprintln!("32 engines forked and ready in {:?}", start.elapsed());
        let mut seen = Vec::new();
        for engine in &mut engines {
            let id = value(engine, "import antiphon; antiphon.engine_id").await;
            seen.push(id.parse::<u32>().unwrap());
            assert_eq!(value(engine, "import os; os.getpid()").await, engine.pid.to_string());
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..32).collect::<Vec<_>>());
        server.stop().await;
        gone(&engines.iter().map(|engine| engine.pid).collect::<Vec<_>>()).await;
    });
}

#[test]
fn ends_are_told_with_their_status() {
    with_python(|python| async move {
        let server = ForkServer::start(&python).await.unwrap();
        for (source, cause) in [
            ("import os; os._exit(3)", LossCause::Exit(3)),
            ("import os; os.kill(os.getpid(), 11)", LossCause::Signal(11)),
        ] {
            let mut engine = ready(&server, 0).await;
            send(&mut engine, source);
            assert_eq!(engine.exit.await.unwrap().cause(), cause);
        }
        let engine = ready(&server, 1).await;
        server.signal(engine.fork, Signal::KILL.as_raw());
        assert_eq!(engine.exit.await.unwrap().cause(), LossCause::Signal(9));
    });
}

#[test]
fn a_closed_bridge_ends_the_engine_and_its_children() {
    with_python(|python| async move {
        let server = ForkServer::start(&python).await.unwrap();
        let mut engine = ready(&server, 0).await;
        let pids = with_grandchild(&mut engine).await;
        drop(engine);
        gone(&pids).await;
    });
}

#[test]
fn a_dropped_server_takes_engines_and_grandchildren() {
    with_python(|python| async move {
        let server = ForkServer::start(&python).await.unwrap();
        let mut engine = ready(&server, 0).await;
        let pids = with_grandchild(&mut engine).await;
        drop(server);
        gone(&pids).await;
        assert_eq!(engine.exit.await.ok().map(|exit| exit.cause()), None);
    });
}

#[test]
fn a_killed_server_takes_its_engines() {
    with_python(|python| async move {
        let server = ForkServer::start(&python).await.unwrap();
        let mut engine = ready(&server, 0).await;
        let pids = with_grandchild(&mut engine).await;
        send(&mut engine, "while True: pass");
        kill_process(Pid::from_raw(server.pid() as i32).unwrap(), Signal::KILL).unwrap();
        assert_eq!(server.gone().await.cause(), LossCause::Signal(9));
        assert!(server.is_gone());
        assert!(engine.exit.await.is_err());
        gone(&pids[..1]).await;
        assert!(server.fork(&config(1)).await.is_err());
        let _ = kill_process(Pid::from_raw(pids[1] as i32).unwrap(), Signal::KILL);
    });
}
