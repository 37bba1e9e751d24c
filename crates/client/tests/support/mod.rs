//! A cluster without a controller: interpreters in this process, behind the trait the evaluator works with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_client::{
    Answer, ClientError, Event, Reply,
    shell::{Cluster, Running},
};
use antiphon_interpreter::{BridgeError, Interpreter, InterpreterConfig, InterpreterRole, Python};
use antiphon_protocol::{
    Ask, ClusterStatus, EngineId, EngineState, EngineStatus, HostId, Interruption, Loss, LossCause, Notice,
    Outcome, Refusal, RequestId, StreamName, Target, Work,
    target::{Candidate, Selector},
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, mpsc};

pub struct Engines {
    python: Python,
    engines: Mutex<Vec<Arc<Interpreter>>>,
    requests: Mutex<HashMap<RequestId, Vec<Arc<Interpreter>>>>,
    notices: broadcast::Sender<Notice>,
    next: Mutex<u64>,
}

pub struct Request {
    id: RequestId,
    engines: Vec<EngineId>,
    waiting: Vec<EngineId>,
    left: usize,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Engines {
    pub async fn start(python: &Python, count: u32) -> Engines {
        let mut engines = Vec::new();
        for id in 0..count {
            engines.push(Arc::new(start(python, id, count).await));
        }
        Engines {
            python: python.clone(),
            engines: Mutex::new(engines),
            requests: Mutex::default(),
            notices: broadcast::channel(64).0,
            next: Mutex::new(0),
        }
    }

    fn resolve(&self, target: &Target) -> Result<Vec<EngineId>, ClientError> {
        if target.is_any() {
            return Ok(vec![EngineId(0)]);
        }
        let count = self.engines.lock().unwrap().len() as u32;
        let candidate = |id| Candidate { engine: EngineId(id), host: "here", labels: &[], idle: true };
        let candidates: Vec<_> = (0..count).map(candidate).collect();
        target.resolve(&candidates).map_err(|error| {
            ClientError::Refused(Refusal::Target { message: error.message, hint: error.hint })
        })
    }
}

async fn start(python: &Python, id: u32, count: u32) -> Interpreter {
    let config = InterpreterConfig {
        engine_id: Some(id),
        n_engines: count,
        argv: vec![String::new()],
        cwd: None,
        role: InterpreterRole::Engine,
    };
    Interpreter::start(python, config).await.expect("an interpreter")
}

impl Cluster for Engines {
    type Request = Request;

    async fn submit(
        &self,
        target: &Target,
        work: Work,
        segments: Vec<Bytes>,
    ) -> Result<Request, ClientError> {
        assert!(!target.terms.iter().any(|term| matches!(term.selector, Selector::Local | Selector::Failed)));
        let engines = self.resolve(target)?;
        let id = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            RequestId(*next)
        };
        let (sender, events) = mpsc::unbounded_channel();
        let mut used = Vec::new();
        for (position, engine) in engines.iter().copied().enumerate() {
            let interpreter = self.engines.lock().unwrap()[engine.0 as usize].clone();
            used.push(interpreter.clone());
            tokio::spawn(run(interpreter, position, engine, work, segments.clone(), sender.clone()));
        }
        self.requests.lock().unwrap().insert(id, used);
        let left = engines.len();
        let engines = if target.is_any() { Vec::new() } else { engines };
        Ok(Request { id, waiting: engines.clone(), engines, left, events })
    }

    async fn status(&self) -> Result<ClusterStatus, ClientError> {
        let engines = self.engines.lock().unwrap();
        let engines = engines.iter().enumerate().map(|(id, interpreter)| EngineStatus {
            engine: EngineId(id as u32),
            host: HostId(0),
            host_name: "here".to_owned(),
            labels: Vec::new(),
            state: EngineState::Idle,
            queued: 0,
            busy_ms: None,
            finished: 0,
            restarts: 0,
            info: interpreter.info().clone(),
        });
        Ok(ClusterStatus { engines: engines.collect(), ..ClusterStatus::default() })
    }

    async fn interrupt(&self, what: Interruption) -> Result<u32, ClientError> {
        let reached = match what {
            Interruption::Request(id) => self.requests.lock().unwrap()[&id].clone(),
            Interruption::Engines(target) => {
                let ids = self.resolve(&target)?;
                let engines = self.engines.lock().unwrap();
                ids.iter().map(|id| engines[id.0 as usize].clone()).collect()
            }
        };
        reached.iter().for_each(|engine| engine.interrupt());
        Ok(reached.len() as u32)
    }

    async fn restart(&self, target: &Target) -> Result<u32, ClientError> {
        let ids = self.resolve(target)?;
        for id in &ids {
            let new = start(&self.python, id.0, 4).await;
            self.engines.lock().unwrap()[id.0 as usize] = Arc::new(new);
        }
        Ok(ids.len() as u32)
    }

    async fn query(
        &self,
        target: &Target,
        ask: Ask,
        json: Bytes,
    ) -> Result<Result<Bytes, String>, ClientError> {
        let first = self.resolve(target)?[0];
        let interpreter = self.engines.lock().unwrap()[first.0 as usize].clone();
        Ok(interpreter.ask(ask, json).await.map_err(|error| error.to_string()).and_then(|answer| answer))
    }

    async fn late_output(&self) -> Result<Event, ClientError> {
        pending().await
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}

async fn run(
    interpreter: Arc<Interpreter>,
    position: usize,
    engine: EngineId,
    work: Work,
    segments: Vec<Bytes>,
    events: mpsc::UnboundedSender<Event>,
) {
    let began = Instant::now();
    let output = events.clone();
    let mut on_stream = move |stream: StreamName, text: Bytes| {
        let _ = output.send(Event::Stream { engine, stream, text: text.to_vec() });
    };
    let reply = match interpreter.run(work, segments, &mut on_stream).await {
        Ok((outcome, segments)) => Reply::new(outcome, segments),
        Err(error) => {
            let cause = match error {
                BridgeError::Ended(cause) => cause,
                error => LossCause::Bridge(error.to_string()),
            };
            Reply::new(Outcome::Lost(Loss { cause, started: true }), Vec::new())
        }
    };
    let elapsed: Duration = began.elapsed();
    let _ = events.send(Event::Answer(Answer { position, engine, reply, elapsed }));
}

impl Running for Request {
    fn id(&self) -> RequestId {
        self.id
    }

    fn engines(&self) -> &[EngineId] {
        &self.engines
    }

    fn waiting(&self) -> Vec<EngineId> {
        self.waiting.clone()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ClientError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let polled = self.events.poll_recv(cx);
        if let Poll::Ready(Some(Event::Answer(answer))) = &polled {
            self.left -= 1;
            self.waiting.retain(|engine| *engine != answer.engine);
        }
        polled.map(|event| event.map(Ok))
    }
}
