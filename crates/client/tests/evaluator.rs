//! The evaluator on a cluster that does as it is told: Ctrl-C, the background, status lines, scripts and their ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_client::{
    Answer, ClientError, Done, Event as RequestEvent, Raised, Reply,
    shell::{Cluster, Evaluator, Event, Local, LocalError, Options, Running, Status, View, ViewOptions},
};
use antiphon_protocol::{
    Ask, ClusterStatus, EngineId, EngineState, EngineStatus, HostId, Interruption, Loss, LossCause, Notice,
    Outcome, RequestId, StreamName, Target, Work,
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{broadcast, mpsc};

/// Two engines. What a statement's source says is what they do: `hang` until interrupted, `deaf` until released,
/// `boom`, `die`, `gone` (the connection), `print TEXT`; anything else is its own repr.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

struct State {
    sources: Vec<(String, String)>,
    running: HashMap<RequestId, (String, mpsc::UnboundedSender<Result<RequestEvent, ClientError>>)>,
    interrupts: usize,
    notices: broadcast::Sender<Notice>,
    is_gone: bool,
}

struct FakeRequest {
    id: RequestId,
    left: usize,
    events: mpsc::UnboundedReceiver<Result<RequestEvent, ClientError>>,
}

const ENGINES: [EngineId; 2] = [EngineId(0), EngineId(1)];

fn lost() -> ClientError {
    ClientError::ConnectionLost { reason: "unplugged".into() }
}

fn raised(kind: &str, interrupted: bool) -> Reply {
    Reply::Raised(Raised {
        kind: kind.into(),
        message: String::new(),
        traceback: format!("Traceback (most recent call last):\n  somewhere\n{kind}"),
        interrupted,
        exit: None,
    })
}

impl Fake {
    fn new() -> Fake {
        Fake(Arc::new(Mutex::new(State {
            sources: Vec::new(),
            running: HashMap::new(),
            interrupts: 0,
            notices: broadcast::channel(16).0,
            is_gone: false,
        })))
    }

    fn answer(&self, id: RequestId, reply: &Reply) {
        let state = self.0.lock().unwrap();
        for (position, engine) in ENGINES.into_iter().enumerate() {
            let answer = Answer { position, engine, reply: reply.clone(), elapsed: Duration::ZERO };
            state.running[&id].1.send(Ok(RequestEvent::Answer(answer))).unwrap();
        }
    }

    fn interrupts(&self) -> usize {
        self.0.lock().unwrap().interrupts
    }

    fn sources(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().sources.clone()
    }
}

impl Cluster for Fake {
    type Request = FakeRequest;

    async fn submit(&self, _: &Target, _: Work, segments: Vec<Bytes>) -> Result<FakeRequest, ClientError> {
        let text = |index: usize| String::from_utf8(segments[index].to_vec()).unwrap();
        let (source, name) = (text(0), text(1));
        let (sender, events) = mpsc::unbounded_channel();
        let id = {
            let mut state = self.0.lock().unwrap();
            let id = RequestId(state.sources.len() as u64);
            state.sources.push((source.clone(), name));
            state.running.insert(id, (source.trim().to_owned(), sender.clone()));
            id
        };
        match source.trim() {
            "hang" | "deaf" => {}
            "boom" => self.answer(id, &raised("Boom", false)),
            "die" => self.answer(id, &Reply::Lost(Loss { cause: LossCause::Signal(9), started: true })),
            "gone" => {
                self.0.lock().unwrap().is_gone = true;
                sender.send(Err(lost())).unwrap();
            }
            source => {
                if let Some(text) = source.strip_prefix("print ") {
                    let (engine, stream) = (EngineId(1), StreamName::Stdout);
                    for text in text.split('|').map(|text| text.replace('$', "\n").into_bytes()) {
                        sender.send(Ok(RequestEvent::Stream { engine, stream, text })).unwrap();
                    }
                }
                let repr = Some(source.to_owned());
                self.answer(id, &Reply::Done(Done { repr, cut: None, value: None }));
            }
        }
        Ok(FakeRequest { id, left: 2, events })
    }

    async fn status(&self) -> Result<ClusterStatus, ClientError> {
        if self.0.lock().unwrap().is_gone {
            return Err(lost());
        }
        let engine = |engine| EngineStatus {
            engine,
            host: HostId(0),
            host_name: "here".into(),
            labels: Vec::new(),
            state: EngineState::Idle,
            queued: 0,
            busy_ms: None,
            finished: 0,
            restarts: 0,
            info: Default::default(),
        };
        Ok(ClusterStatus { engines: ENGINES.into_iter().map(engine).collect(), ..ClusterStatus::default() })
    }

    async fn interrupt(&self, what: Interruption) -> Result<u32, ClientError> {
        let Interruption::Request(id) = what else { panic!("{what:?}") };
        let source = {
            let mut state = self.0.lock().unwrap();
            state.interrupts += 1;
            state.running[&id].0.clone()
        };
        if source == "hang" {
            self.answer(id, &raised("KeyboardInterrupt", true));
        }
        Ok(2)
    }

    async fn restart(&self, _: &Target) -> Result<u32, ClientError> {
        Ok(2)
    }

    async fn query(&self, _: &Target, _: Ask, _: Bytes) -> Result<Result<Bytes, String>, ClientError> {
        Ok(Err("no".into()))
    }

    async fn late_output(&self) -> Result<RequestEvent, ClientError> {
        pending().await
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.0.lock().unwrap().notices.subscribe()
    }
}

impl Running for FakeRequest {
    fn id(&self) -> RequestId {
        self.id
    }

    fn engines(&self) -> &[EngineId] {
        &ENGINES
    }

    fn waiting(&self) -> Vec<EngineId> {
        ENGINES[2 - self.left..].to_vec()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RequestEvent, ClientError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let polled = self.events.poll_recv(cx);
        match &polled {
            Poll::Ready(Some(Ok(RequestEvent::Answer(_)))) => self.left -= 1,
            Poll::Ready(Some(Err(_))) => self.left = 0,
            _ => {}
        }
        polled
    }
}

/// A local interpreter that runs forever, until it is discarded.
#[derive(Default)]
struct Stubborn {
    interrupts: Mutex<usize>,
    discarded: Mutex<bool>,
}

impl Local for &Stubborn {
    async fn run(
        &self,
        _: Work,
        _: Vec<Bytes>,
        _: &mut (dyn FnMut(StreamName, Bytes) + Send),
    ) -> Result<(Outcome, Vec<Bytes>), LocalError> {
        pending().await
    }

    async fn ask(&self, _: Ask, _: Bytes) -> Result<Result<Bytes, String>, LocalError> {
        pending().await
    }

    fn interrupt(&self) {
        *self.interrupts.lock().unwrap() += 1;
    }

    fn discard(&self) {
        *self.discarded.lock().unwrap() = true;
    }
}

/// Collects what would be shown.
struct Shown {
    view: View,
    text: String,
    statuses: Vec<String>,
}

impl Shown {
    fn new() -> Shown {
        Shown { view: View::new(ViewOptions::script()), text: String::new(), statuses: Vec::new() }
    }

    fn on(&mut self, event: Event) {
        let rendered = self.view.render(&event);
        self.text += &rendered.out;
        self.text += &rendered.err;
        self.statuses.extend(rendered.status);
    }
}

macro_rules! session {
    ($fake:ident, $evaluator:ident, $shown:ident, $options:expr) => {
        let $fake = Fake::new();
        let local = Stubborn::default();
        let mut $evaluator = Evaluator::new($fake.clone(), &local, $options);
        let mut $shown = Shown::new();
    };
}

#[tokio::test(start_paused = true)]
async fn after_a_second_it_is_said_who_still_runs() {
    session!(_fake, evaluator, shown, Options::interactive());
    let interrupter = evaluator.interrupter();
    let press = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        interrupter.press();
    };
    let mut sink = |event| shown.on(event);
    let (status, ()) = tokio::join!(evaluator.evaluate("hang", &mut sink), press);
    assert_eq!(status, Status::Interrupted);
    let expected = ["running for 1 s on 2 of 2: engine[0-1]", "running for 2 s on 2 of 2: engine[0-1]"];
    assert_eq!(shown.statuses, expected);
    assert_eq!(shown.text, "engine[0-1] (2): KeyboardInterrupt (interrupted)\n");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_interrupts_once_then_leaves_it_in_the_background() {
    session!(fake, evaluator, shown, Options::interactive());
    let interrupter = evaluator.interrupter();
    interrupter.press();
    let press = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        interrupter.press();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(fake.interrupts(), 1, "what was pressed before it began does not count");
        interrupter.press();
    };
    let mut sink = |event| shown.on(event);
    let (status, ()) = tokio::join!(evaluator.evaluate("deaf", &mut sink), press);
    assert_eq!(status, Status::Interrupted);
    assert_eq!(evaluator.evaluate("%result 1", &mut sink).await, Status::Done);
    assert_eq!(evaluator.evaluate("%tasks", &mut sink).await, Status::Done);
    assert_eq!(evaluator.evaluate("next", &mut sink).await, Status::Done);
    fake.answer(RequestId(0), &Reply::Done(Done { repr: Some("late".into()), ..Done::default() }));
    tokio::select! {
        () = evaluator.idle(&mut sink) => panic!("it never ends"),
        () = tokio::time::sleep(Duration::from_millis(10)) => {}
    }
    assert_eq!(evaluator.evaluate("%result 1", &mut sink).await, Status::Done);
    assert_eq!(evaluator.evaluate("%tasks", &mut sink).await, Status::Done);
    assert_eq!(
        shown.text,
        "statement 1 is left running in the background on engine[0-1]; %result 1 shows its answers\n\
         statement 1 still runs on engine[0-1]\n\
         statement  target  running on\n1          all     0-1\n\
         [next, next]\n\
         statement 1 has ended; %result 1 shows its answers\n\
         [late, late]\n\
         nothing runs in the background\n"
    );
}

#[tokio::test(start_paused = true)]
async fn the_background_is_looked_at_before_the_next_statement() {
    session!(fake, evaluator, shown, Options::interactive());
    let interrupter = evaluator.interrupter();
    let press = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        interrupter.press();
        interrupter.press();
    };
    let mut sink = |event| shown.on(event);
    tokio::join!(evaluator.evaluate("deaf", &mut sink), press);
    fake.answer(RequestId(0), &raised("Boom", false));
    evaluator.evaluate("%tasks", &mut sink).await;
    assert!(
        shown.text.ends_with(
            "statement 1 has failed; %result 1 shows its answers\nnothing runs in the background\n"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_local_interpreter_that_does_not_react_is_ended_at_the_third_press() {
    let (fake, local) = (Fake::new(), Stubborn::default());
    let mut evaluator = Evaluator::new(fake, &local, Options::interactive());
    let mut shown = Shown::new();
    let interrupter = evaluator.interrupter();
    let press = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(!*local.discarded.lock().unwrap());
            interrupter.press();
        }
    };
    let mut sink = |event| shown.on(event);
    let (status, ()) = tokio::join!(evaluator.evaluate("@local hang", &mut sink), press);
    assert_eq!(status, Status::Lost);
    assert_eq!(*local.interrupts.lock().unwrap(), 2);
    assert!(*local.discarded.lock().unwrap());
}

#[tokio::test]
async fn a_script_stops_at_its_first_error() {
    session!(fake, evaluator, shown, Options::script());
    let mut sink = |event| shown.on(event);
    assert_eq!(evaluator.run_script("a\nboom\nb\n", false, &mut sink).await, Status::Raised);
    assert_eq!(shown.text, "[a, a]\nengine[0-1] (2): Boom\n  somewhere\n");
    assert_eq!(fake.sources().len(), 2);
}

#[tokio::test]
async fn a_script_that_keeps_going_ends_with_the_worst() {
    let table = [
        ("a\nb", Status::Done, 2),
        ("boom\na", Status::Raised, 2),
        ("%nothing\na\nboom", Status::Usage, 2),
        ("die\na\nboom", Status::Lost, 3),
        ("gone\na", Status::Lost, 1),
        ("%exit\na", Status::Leave, 0),
        ("a\nexit()\nb", Status::Done, 3),
    ];
    for (script, expected, ran) in table {
        session!(fake, evaluator, shown, Options::script());
        let mut sink = |event| shown.on(event);
        assert_eq!(evaluator.run_script(script, true, &mut sink).await, expected, "{script}");
        assert_eq!(fake.sources().len(), ran, "{script}");
    }
}

#[tokio::test]
async fn a_press_that_hits_no_statement_ends_a_script_too() {
    session!(fake, evaluator, shown, Options::script());
    evaluator.interrupter().press();
    let mut sink = |event| shown.on(event);
    assert_eq!(evaluator.run_script("a\nb\n", true, &mut sink).await, Status::Interrupted);
    assert!(fake.sources().len() <= 1, "{:?}", fake.sources());
    assert!(shown.text.contains("interrupt"), "{}", shown.text);
}

#[tokio::test]
async fn statements_of_a_script_keep_their_lines_and_have_names_of_their_own() {
    session!(fake, evaluator, shown, Options::script());
    let mut sink = |event| shown.on(event);
    evaluator.run_script("# head\na\n\n@1 b\n", false, &mut sink).await;
    let expected = [("\na", "<all:1>"), ("\n\n\nb", "<1:2>")];
    assert_eq!(fake.sources(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_script_that_does_not_stop_is_given_up_at_the_second_press() {
    session!(_fake, evaluator, shown, Options::script());
    let interrupter = evaluator.interrupter();
    let press = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        interrupter.press();
        tokio::time::sleep(Duration::from_secs(2)).await;
        interrupter.press();
    };
    let mut sink = |event| shown.on(event);
    let (status, ()) = tokio::join!(evaluator.run_script("deaf\na", true, &mut sink), press);
    assert_eq!(status, Status::Interrupted);
    assert_eq!(
        shown.text,
        "engine[0-1] has not stopped yet; Ctrl-C again gives up\n\
         error: engine[0-1] did not stop when it was interrupted\n\
         hint: %restart kills it and starts it again\n"
    );
}

#[tokio::test]
async fn sources_of_one_input_have_names_of_their_own() {
    session!(fake, evaluator, shown, Options::interactive());
    let mut sink = |event| shown.on(event);
    evaluator.evaluate("a\n@1 b\nc", &mut sink).await;
    let names: Vec<String> = fake.sources().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["<all:1>", "<1:1.2>", "<all:1.3>"]);
}

#[tokio::test]
async fn a_lost_connection_is_said_with_its_reason() {
    session!(_fake, evaluator, shown, Options::script());
    let mut sink = |event| shown.on(event);
    assert_eq!(evaluator.evaluate("gone", &mut sink).await, Status::Lost);
    let expected = "error: the connection to the cluster is lost: unplugged\nhint: antiphon status says what is up\n\
        warning: engine[0-1] had not answered\n";
    assert_eq!(shown.text, expected);
}

#[tokio::test]
async fn unfinished_lines_are_put_together() {
    session!(_fake, evaluator, shown, Options::script());
    let mut sink = |event| shown.on(event);
    evaluator.evaluate("print a|b$c|d$|e", &mut sink).await;
    let answer = "print a|b$c|d$|e";
    assert_eq!(shown.text, format!("[1] ab\n[1] cd\n[1] e\n[{answer}, {answer}]\n"));
}

#[tokio::test(start_paused = true)]
async fn notices_are_told_while_nothing_runs() {
    session!(fake, evaluator, shown, Options::interactive());
    let notices = fake.0.lock().unwrap().notices.clone();
    notices
        .send(Notice::EngineDown { engine: EngineId(1), cause: LossCause::Signal(9), restarting: true })
        .unwrap();
    let mut sink = |event| shown.on(event);
    tokio::select! {
        () = evaluator.idle(&mut sink) => panic!("it never ends"),
        () = tokio::time::sleep(Duration::from_secs(5)) => {}
    }
    assert_eq!(shown.text, "engine 1 is gone: killed by signal 9 (SIGKILL); being started again\n");
}

#[tokio::test]
async fn leaving_is_for_people() {
    session!(_fake, evaluator, shown, Options::interactive());
    let mut sink = |event| shown.on(event);
    for line in ["exit", "quit", "exit()", " quit() ", "%quit"] {
        assert_eq!(evaluator.evaluate(line, &mut sink).await, Status::Leave, "{line:?}");
    }
    for line in ["@0 exit()", "@all quit", "a\nexit()", "x = @0 exit()"] {
        assert_ne!(evaluator.evaluate(line, &mut sink).await, Status::Leave, "{line:?}");
    }
    session!(_fake, evaluator, shown, Options::script());
    let mut sink = |event| shown.on(event);
    assert_eq!(evaluator.evaluate("exit", &mut sink).await, Status::Done);
}
