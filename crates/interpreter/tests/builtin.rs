//! The built-in interpreter as a process: interrupts, recursion, exits, forks; then over the bridge.
//!
//! This executable is both sides. As `builtin engine …` and `builtin -c SOURCE …` it is the interpreter, which wants the
//! main thread; otherwise it runs the tests whose names contain its first argument.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use antiphon_interpreter::{
    ForkServer, Interpreter, InterpreterConfig, Python, boot,
    bridge::{BridgeError, MainEvent},
    builtin,
};
use antiphon_protocol::{LossCause, Outcome, Want, Work};
use bytes::Bytes;
use std::{
    env, panic,
    process::{Command, ExitCode, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// For anything that happens at all.
const DEADLINE: Duration = Duration::from_secs(60);

/// For an interrupt that takes a millisecond on a machine that has nothing else to do.
const PROMPT: Duration = Duration::from_millis(100);

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("looks_like_python_dash_c", looks_like_python_dash_c),
    ("exits_with_every_status", exits_with_every_status),
    ("interrupts_what_can_be_interrupted", interrupts_what_can_be_interrupted),
    ("asks_once_however_often_it_is_told", asks_once_however_often_it_is_told),
    ("recursion_is_an_error", recursion_is_an_error),
    ("small_and_unlimited_stacks_are_measured", small_and_unlimited_stacks_are_measured),
    ("forks_exit_and_interrupt_like_their_parent", forks_exit_and_interrupt_like_their_parent),
    ("dies_with_its_parent", dies_with_its_parent),
    ("prints_fifty_megabytes", prints_fifty_megabytes),
    ("bridge_interrupts_only_the_named_statement", bridge_interrupts_only_the_named_statement),
    ("bridge_tells_deaths", bridge_tells_deaths),
    ("fork_server_makes_engines", fork_server_makes_engines),
];

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let first = args.next().unwrap_or_default();
    match first.as_str() {
        "engine" => return builtin::run(boot(), args.collect()),
        "-c" => return builtin::run(&args.next().unwrap(), args.collect()),
        _ => {}
    }
    let wanted = if first.starts_with('-') { String::new() } else { first };
    let failed: Vec<&str> = TESTS
        .iter()
        .filter(|(name, _)| name.contains(&wanted))
        .filter(|(name, test)| {
            let passed = panic::catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            !passed
        })
        .map(|(name, _)| *name)
        .collect();
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Python that the scripts below share: `expect(what, wait)` runs `wait` and has it interrupted.
const PRELUDE: &str = r#"
import _antiphon_native as native, os, sys, threading, time

wanted = threading.Event()
runs = 0

def handler():
    global runs
    runs += 1
    if wanted.is_set():
        wanted.clear()
        raise KeyboardInterrupt

native.set_interrupt_callback(handler)

def interrupter(started, asked):
    started.wait()
    wanted.set()
    asked.append(time.monotonic())
    while wanted.is_set():
        native.interrupt()
        time.sleep(0.005)

def expect(what, wait):
    took = []
    for _ in range(5):
        started, asked = threading.Event(), []
        thread = threading.Thread(target=interrupter, args=(started, asked))
        thread.start()
        try:
            started.set()
            wait()
            raise SystemExit(what + " ended by itself")
        except KeyboardInterrupt:
            took.append(time.monotonic() - asked[0])
        thread.join()
    print("interrupted", sorted(took)[2], what, flush=True)
"#;

/// A run of `builtin -c source`, killed when it takes too long.
fn run_with(mut command: Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(DEADLINE).map(Result::unwrap).unwrap_or_else(|_| {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("not within {DEADLINE:?}")
    })
}

fn python(source: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["-c", source]);
    command
}

fn run(source: &str) -> Output {
    run_with(python(source))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Checks the lines that `expect` printed.
fn all_prompt(output: &Output, count: usize) {
    let text = text(output);
    let took: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("interrupted ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(took.len(), count, "{text}");
    assert!(took.iter().all(|seconds| *seconds < PROMPT.as_secs_f64()), "{text}");
}

fn looks_like_python_dash_c() {
    let mut command = python(
        "import sys, threading, json\n\
         print(json.dumps([sys.argv, sys.path[0], __name__, sys.executable, open('/dev/null').encoding,\n\
         sys.displayhook is sys.__displayhook__, threading.current_thread() is threading.main_thread(), exit.__class__.__name__]))",
    );
    command.args(["single", "3"]).env("LC_ALL", "C");
    let output = run_with(command);
    assert_eq!(
        text(&output).trim(),
        r#"[["-c", "single", "3"], "", "__main__", "", "utf-8", true, true, "Quitter"]"#
    );
    assert!(output.status.success());
}

fn exits_with_every_status() {
    use std::os::unix::process::ExitStatusExt;

    for (source, status) in [
        ("pass", 0),
        ("import sys; sys.exit(7)", 7),
        ("import os; os._exit(3)", 3),
        ("1/0", 1),
        ("import threading; threading.Thread(target=lambda: None).start(); raise SystemExit(5)", 5),
    ] {
        let output = run(source);
        assert_eq!(output.status.code(), Some(status), "{source}: {}", text(&output));
    }
    for signal in [9, 11, 15] {
        let output = run(&format!("import os; os.kill(os.getpid(), {signal})"));
        assert_eq!(output.status.signal(), Some(signal), "{}", text(&output));
    }
}

fn interrupts_what_can_be_interrupted() {
    let waits = r#"
def loop():
    while True: pass

def locks():
    lock = threading.Lock()
    while True:
        with lock: pass

import asyncio, select, socket
reader, writer = os.pipe()
one, two = socket.socketpair()
poll = select.poll()
poll.register(reader, select.POLLIN)
expect("loop", loop)
expect("with", locks)
expect("comprehension", lambda: [x for x in iter(int, 1)])
expect("generator", lambda: sum(x for x in iter(int, 1)))
expect("sleep", lambda: time.sleep(100))
expect("read", lambda: os.read(reader, 1))
expect("recv", lambda: one.recv(1))
expect("select", lambda: select.select([reader], [], [], 100))
expect("poll", lambda: poll.poll(100000))
expect("asyncio", lambda: asyncio.run(asyncio.sleep(100)))
"#;
    all_prompt(&run(&format!("{PRELUDE}{waits}")), 10);
}

fn asks_once_however_often_it_is_told() {
    let output = run(&format!(
        r#"{PRELUDE}
busy = threading.Lock()
busy.acquire()
def ask():
    for _ in range(1000): native.interrupt()
    busy.release()
thread = threading.Thread(target=ask)
thread.start()
busy.acquire()  # deaf meanwhile: no instruction of this thread runs
thread.join()
print("runs", runs)
native.set_interrupt_callback(None)
native.interrupt()
time.sleep(0)
print("runs", runs)
try:
    native.set_interrupt_callback(3)
except TypeError as error:
    print(error)
"#
    ));
    let text = text(&output);
    let mut lines = text.lines();
    // One for all, or two if the first was begun just before the lock was waited for.
    let first = lines.next();
    assert!(first == Some("runs 1") || first == Some("runs 2"), "{text}");
    assert_eq!(lines.next(), first, "{text}");
    assert_eq!(lines.next(), Some("the interrupt callback must be callable or None"), "{text}");
}

/// Every way to recurse that goes through native code, and plain calls.
const RECURSIONS: &str = r#"
import sys, threading, json, copy, pickle
class A:
    def __add__(s, o): return s + o
    def __getattr__(s, n): return getattr(s, n + "x")
    def __repr__(s): return repr(s)
    def __eq__(s, o): return s == o
    def __call__(s): return s()
    def __lt__(s, o): return sorted([s, o])
def f(): return f()
def g(): yield from g()
def k(x): return sorted([x], key=k)
def deep():
    l = []
    for _ in range(100000): l = [l]
    return l
compilations = (lambda: eval("-" * 100000 + "1"), lambda: eval("1" + "**1" * 100000), lambda: eval("(" * 1000 + ")" * 1000))
def all():
    for what in (f, lambda: A() + 1, lambda: A().x, lambda: repr(A()), lambda: A() == 1, A(), lambda: sorted([A(), A()]),
                 lambda: list(g()), lambda: k(1), lambda: exec("exec(s)", {"s": "exec(s)"}), lambda: json.dumps(deep()),
                 lambda: repr(deep()), lambda: deep() == deep(), lambda: copy.deepcopy(deep()), lambda: pickle.dumps(deep()),
                 *compilations):
        try: what()
        except (RecursionError, SyntaxError): print("refused")
all()
thread = threading.Thread(target=all)
thread.start()
thread.join()
sys.setrecursionlimit(10 ** 6)
f = lambda: A() + 1
compilations = ()  # these go as deep as the limit says
all()
print("survived")
"#;

fn all_refused(output: &Output) {
    assert!(output.status.success(), "{:?} {}", output.status, text(output));
    let text = text(output);
    // With the limit raised, some of it ends well.
    assert!(text.starts_with(&"refused\n".repeat(18 + 18)) && text.ends_with("survived\n"), "{text}");
}

fn recursion_is_an_error() {
    all_refused(&run(RECURSIONS));
}

fn small_and_unlimited_stacks_are_measured() {
    for limit in ["1024", "unlimited"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -Ss \"$0\" || exit 77; exec \"$@\"", limit]);
        let mut command = python(RECURSIONS);
        shell.arg(command.get_program()).args(command.get_args());
        command = shell;
        let output = run_with(command);
        // Where the system's own limit is lower, there is nothing to test.
        if output.status.code() != Some(77) {
            all_refused(&output);
        }
    }
}

fn forks_exit_and_interrupt_like_their_parent() {
    let output = run(&format!(
        r#"{PRELUDE}
def child(depth):
    expect("loop", lambda: [x for x in iter(int, 1)])
    expect("sleep", lambda: time.sleep(100))
    if depth:
        fork(depth - 1)
    sys.exit(40 + depth)

def fork(depth):
    pid = os.fork()
    if not pid:
        child(depth)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 40 + depth, status

for _ in range(3):
    fork(1)
"#
    ));
    assert!(output.status.success(), "{}", text(&output));
    all_prompt(&output, 12);
}

fn dies_with_its_parent() {
    if !cfg!(target_os = "linux") {
        return;
    }
    // The pipe's reader sees its end when the last writer, the grandchild, is dead.
    let output = run(r#"
import _antiphon_native as native, os, time
ready, tell = os.pipe()
alive, keep = os.pipe()
middle = os.fork()
if not middle:
    if not os.fork():
        assert native.set_pdeathsig()
        os.write(tell, b"x")
        time.sleep(100)
        os._exit(0)
    time.sleep(100)
os.close(keep)
os.read(ready, 1)
os.kill(middle, 9)
print(os.read(alive, 1))
os.write(native.memfd_create("test"), b"there are memory files")
"#);
    assert_eq!(text(&output), "b''\n");
}

fn prints_fifty_megabytes() {
    let output = run("print('x' * 50_000_000)");
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), 50_000_001);
}

/// The interpreter of this executable, for the crate's own API.
fn this() -> Python {
    Python::builtin_of(env::current_exe().unwrap())
}

fn in_runtime<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, what).await.expect("within the deadline") })
}

const EXECUTE: Work = Work::Execute { want: Want::REPR, script: false };

fn statement(source: &str) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(source.as_bytes()), Bytes::from_static(b"<all:1>")]
}

/// The answer's outcome and its first segment: the repr, or the exception's type.
async fn execute(interpreter: &Interpreter, source: &str) -> Result<(Outcome, String), BridgeError> {
    let (outcome, segments) = interpreter.run(EXECUTE, statement(source), &mut |_, _| {}).await?;
    Ok((outcome, String::from_utf8_lossy(&segments[0]).into_owned()))
}

fn bridge_interrupts_only_the_named_statement() {
    in_runtime(async {
        let one = Interpreter::start(&this(), InterpreterConfig::default()).await.unwrap();
        assert_eq!(one.info().implementation, "RustPython");
        for source in ["while True: pass", "import time; time.sleep(100)"] {
            let began = Instant::now();
            let interrupt = async {
                // Once is enough, but the statement has to have begun.
                loop {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    one.interrupt();
                }
            };
            let (outcome, name) = tokio::select! {
                answer = execute(&one, source) => answer.unwrap(),
                () = interrupt => unreachable!(),
            };
            assert_eq!(
                (outcome, name.as_str()),
                (Outcome::Raised { interrupted: true, exit: None }, "KeyboardInterrupt")
            );
            assert!(began.elapsed() < Duration::from_secs(10));
            assert_eq!(execute(&one, "40 + 2").await.unwrap().1, "42");
        }
        // An interrupt that races with the statement's end never reaches the next one.
        for round in 0..300 {
            let source = format!("sum(range({}))", round * 7);
            let race = async {
                tokio::task::yield_now().await;
                one.interrupt();
            };
            let _ = tokio::join!(execute(&one, &source), race);
            assert_eq!(execute(&one, "40 + 2").await.unwrap().1, "42");
        }
        let (_, name) = execute(&one, "def f(): return f()\nf()").await.unwrap();
        assert_eq!(name, "RecursionError");
    });
}

fn bridge_tells_deaths() {
    in_runtime(async {
        for (source, cause) in [
            ("import os; os._exit(3)", LossCause::Exit(3)),
            ("import os; os.kill(os.getpid(), 9)", LossCause::Signal(9)),
            ("import ctypes; ctypes.string_at(1)", LossCause::Signal(11)),
        ] {
            let one = Interpreter::start(&this(), InterpreterConfig::default()).await.unwrap();
            match execute(&one, source).await {
                Err(BridgeError::Ended(how)) => assert_eq!(how, cause, "{source}"),
                other => panic!("{source}: {other:?}"),
            }
        }
    });
}

fn fork_server_makes_engines() {
    const ENGINES: u32 = 16;
    in_runtime(async {
        let server = ForkServer::start(&this()).await.unwrap();
        let began = Instant::now();
        let mut engines = Vec::new();
        for id in 0..ENGINES {
            let config = InterpreterConfig { engine_id: Some(id), n_engines: ENGINES, ..Default::default() };
            engines.push(server.fork(&config).await.unwrap());
        }
        println!("     {:?} an engine", began.elapsed() / ENGINES);
        for (id, engine) in engines.iter_mut().enumerate() {
            assert!(matches!(engine.bridge.main.next().await.unwrap(), MainEvent::Ready(_)));
            let source = "import antiphon, time\nwhile True: time.sleep(100)";
            engine.bridge.work.send(id as u64 + 1, &EXECUTE, &statement(source)).unwrap();
        }
        for (id, engine) in engines.iter_mut().enumerate() {
            engine.bridge.ask.interrupt(id as u64 + 1).unwrap();
            match engine.bridge.main.next().await.unwrap() {
                MainEvent::Result { outcome, .. } => {
                    assert_eq!(outcome, Outcome::Raised { interrupted: true, exit: None });
                }
                other => panic!("{other:?}"),
            }
        }
        let mut first = engines.remove(0);
        first.bridge.work.send(99, &EXECUTE, &statement("import os; os._exit(3)")).unwrap();
        assert_eq!(first.exit.await.unwrap().cause(), LossCause::Exit(3));
        server.stop().await;
        for engine in engines {
            let gone = || {
                rustix::process::test_kill_process(rustix::process::Pid::from_raw(engine.pid as i32).unwrap())
                    .is_err()
            };
            while !gone() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
}
