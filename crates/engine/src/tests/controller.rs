//! The fake controller: sends what a test says and remembers what it hears.

use crate::{
    forker::Forker,
    host,
    link::{Downlink, Uplink},
};
use antiphon_interpreter::{PythonChoice, find};
use antiphon_protocol::{
    Ask, ControllerToHost, EngineId, EngineInfo, HostId, HostToController, Lane, LossCause, Message, Outcome,
    StreamName, TaskId, Want, Work,
};
use antiphon_transport::SendError;
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

/// A whole test's time.
const DEADLINE: Duration = Duration::from_secs(60);

type Said = Message<HostToController>;

#[derive(Clone)]
struct FakeUplink(UnboundedSender<Said>);

impl Uplink for FakeUplink {
    async fn send(&self, lane: Lane, message: Said) -> Result<(), SendError> {
        self.send_now(lane, message);
        Ok(())
    }

    fn send_now(&self, _lane: Lane, message: Said) {
        let _ = self.0.send(message);
    }
}

struct FakeDownlink(UnboundedReceiver<Message<ControllerToHost>>);

impl Downlink for FakeDownlink {
    async fn recv(&mut self) -> Option<Message<ControllerToHost>> {
        self.0.recv().await
    }
}

/// How a task ended, and where.
pub(crate) struct Ended {
    pub engine: EngineId,
    pub outcome: Outcome,
    pub segments: Vec<Bytes>,
}

impl Ended {
    pub(crate) fn repr(&self) -> &str {
        assert!(matches!(self.outcome, Outcome::Done { .. }), "{:?} {:?}", self.outcome, self.segments);
        std::str::from_utf8(&self.segments[0]).unwrap()
    }
}

/// The controller of a test.
pub(crate) struct Controller {
    to_host: Option<UnboundedSender<Message<ControllerToHost>>>,
    from_host: UnboundedReceiver<Said>,
    /// Heard and not asked for yet.
    heard: VecDeque<Said>,
    pub host: JoinHandle<Result<(), host::HostError>>,
    pub forker: Arc<Forker>,
    next_task: u64,
    /// Whether output is acknowledged as it is read.
    pub gives_credit: bool,
    /// Whether ends of engines are acknowledged as they are read.
    pub sees_downs: bool,
    pub infos: Vec<EngineInfo>,
}

impl Controller {
    /// Runs a test with `n` engines that are up; without a Python it passes and says so.
    pub(crate) fn run<F: Future<Output = ()>>(n: u32, test: impl FnOnce(Controller) -> F) {
        let Ok(python) = find(&PythonChoice::Auto) else {
            eprintln!("no Python here: passed without being run");
            return;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            timeout(DEADLINE, async {
                let forker = Arc::new(Forker::new(python));
                let controller = Controller::start(n, forker.clone()).await;
                test(controller).await;
                forker.stop().await;
            })
            .await
            .expect("in time");
        });
    }

    async fn start(n: u32, forker: Arc<Forker>) -> Controller {
        let (to_host, downlink) = unbounded_channel();
        let (uplink, from_host) = unbounded_channel();
        let welcome = ControllerToHost::Welcome {
            host: HostId(0),
            engines: (0..n).map(EngineId).collect(),
            n_engines: n,
        };
        to_host.send(welcome.into()).unwrap();
        let served = host::serve(n, forker.clone(), FakeUplink(uplink), FakeDownlink(downlink));
        let mut controller = Controller {
            to_host: Some(to_host),
            from_host,
            heard: VecDeque::new(),
            host: tokio::spawn(served),
            forker,
            next_task: 1,
            gives_credit: true,
            sees_downs: true,
            infos: Vec::new(),
        };
        for _ in 0..n {
            let info = controller.up().await;
            controller.infos.push(info);
        }
        controller
    }

    pub(crate) fn say(&self, header: ControllerToHost, segments: Vec<Bytes>) {
        self.to_host.as_ref().unwrap().send(Message::new(header, segments)).unwrap();
    }

    /// Closes the connection.
    pub(crate) fn leave(&mut self) {
        self.to_host = None;
    }

    /// Starts source on engines; the tasks' ids in the same order.
    pub(crate) fn submit(&mut self, engines: &[u32], source: &str) -> Vec<TaskId> {
        let tasks: Vec<_> = engines
            .iter()
            .map(|engine| {
                self.next_task += 1;
                (TaskId(self.next_task), EngineId(*engine))
            })
            .collect();
        let work = Work::Execute { want: Want::REPR, script: false };
        let segments = vec![Bytes::copy_from_slice(source.as_bytes()), Bytes::from_static(b"<test>")];
        let ids = tasks.iter().map(|(task, _)| *task).collect();
        self.say(ControllerToHost::Run { tasks, work }, segments);
        ids
    }

    /// The id of the next task.
    pub(crate) fn peek(&self) -> TaskId {
        TaskId(self.next_task + 1)
    }

    /// Asks an engine who is there and hears its answer: the host has taken whatever was said before.
    pub(crate) async fn ask(&mut self, engine: u32) {
        let query = TaskId(u64::MAX);
        let ask = Ask::Who;
        self.say(ControllerToHost::Query { query, engine: EngineId(engine), ask }, vec![Bytes::from("{}")]);
        self.find(|said| matches!(said.header, HostToController::Replied { .. }).then_some(())).await;
    }

    pub(crate) fn interrupt(&self, task: TaskId, engine: u32) {
        self.say(ControllerToHost::Interrupt { tasks: vec![(task, EngineId(engine))] }, Vec::new());
    }

    pub(crate) fn credit(&self, engine: EngineId, bytes: u64) {
        self.say(ControllerToHost::Credit { engine, bytes }, Vec::new());
    }

    /// The next message of any kind.
    pub(crate) async fn next(&mut self) -> Said {
        let said = self.from_host.recv().await.expect("the host is there");
        if let (HostToController::Stream { engine, .. }, true) = (&said.header, self.gives_credit) {
            self.credit(*engine, said.data_bytes());
        }
        if let (HostToController::EngineDown { engine, .. }, true) = (&said.header, self.sees_downs) {
            self.say(ControllerToHost::DownSeen { engine: *engine }, Vec::new());
        }
        said
    }

    /// The first message that is wanted; the others are kept in order.
    pub(crate) async fn find<T>(&mut self, wanted: impl Fn(&Said) -> Option<T>) -> T {
        if let Some((at, found)) =
            self.heard.iter().enumerate().find_map(|(at, said)| Some((at, wanted(said)?)))
        {
            self.heard.remove(at);
            return found;
        }
        loop {
            let said = self.next().await;
            if let Some(found) = wanted(&said) {
                return found;
            }
            self.heard.push_back(said);
        }
    }

    /// True if something was heard and not asked for yet.
    pub(crate) fn any_heard(&self, wanted: impl Fn(&Said) -> bool) -> bool {
        self.heard.iter().any(wanted)
    }

    pub(crate) async fn up(&mut self) -> EngineInfo {
        self.find(|said| match &said.header {
            HostToController::EngineUp { info, .. } => Some(info.clone()),
            _ => None,
        })
        .await
    }

    /// Cause, running task, restarting.
    pub(crate) async fn down(&mut self, of: u32) -> (LossCause, Option<TaskId>, bool) {
        self.find(|said| match &said.header {
            HostToController::EngineDown { engine, cause, running, restarting } if engine.0 == of => {
                Some((cause.clone(), *running, *restarting))
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn done(&mut self, of: TaskId) -> Ended {
        self.find(|said| match &said.header {
            HostToController::Done { task, engine, outcome, .. } if *task == of => {
                Some(Ended { engine: *engine, outcome: outcome.clone(), segments: said.segments.clone() })
            }
            _ => None,
        })
        .await
    }

    /// What was printed up to now and not asked for yet.
    pub(crate) fn printed(&mut self, of: StreamName) -> String {
        let mut text = Vec::new();
        self.heard.retain(|said| match &said.header {
            HostToController::Stream { stream, .. } if *stream == of => {
                text.extend_from_slice(&said.segments[0]);
                false
            }
            _ => true,
        });
        String::from_utf8(text).expect("text is UTF-8")
    }

    /// Runs source on one engine to its end.
    pub(crate) async fn execute(&mut self, engine: u32, source: &str) -> Ended {
        let [task] = self.submit(&[engine], source)[..] else { unreachable!() };
        self.done(task).await
    }

    /// Runs source that prints a line when it is under way; returns then.
    pub(crate) async fn begin(&mut self, engine: u32, source: &str) -> TaskId {
        let [task] = self.submit(&[engine], &format!("print('begun', flush=True)\n{source}"))[..] else {
            unreachable!()
        };
        self.find(|said| {
            let is_begun =
                matches!(said.header, HostToController::Stream { task: of, .. } if of == Some(task));
            is_begun.then_some(())
        })
        .await;
        task
    }
}
