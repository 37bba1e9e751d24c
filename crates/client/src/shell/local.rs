//! The shell's own interpreter: started when it is first needed, so that a shell that only speaks to engines starts at
//! once.

use super::backend::{Local, LocalError};
use antiphon_interpreter::{BridgeError, Interpreter, InterpreterConfig, InterpreterRole, Python};
use antiphon_protocol::{Ask, Outcome, StreamName, Work};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The local interpreter, running or not yet.
#[derive(Debug)]
pub struct LazyInterpreter {
    python: Result<Python, String>,
    running: Mutex<Option<Arc<Interpreter>>>,
    /// Held while it starts, so that two who need it get the same one.
    starting: tokio::sync::Mutex<()>,
}

impl LazyInterpreter {
    /// One that will run on `python`; or, if there is none, one that says why.
    pub fn new(python: Result<Python, String>) -> LazyInterpreter {
        LazyInterpreter { python, running: Mutex::default(), starting: tokio::sync::Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Interpreter>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn interpreter(&self) -> Result<Arc<Interpreter>, LocalError> {
        let _starting = self.starting.lock().await;
        if let Some(interpreter) = self.running().clone() {
            return Ok(interpreter);
        }
        let python = self.python.as_ref().map_err(|reason| LocalError::NotStarted(reason.clone()))?;
        let config = InterpreterConfig {
            argv: vec![String::new()],
            role: InterpreterRole::Local,
            ..InterpreterConfig::default()
        };
        let started = Interpreter::start(python, config).await;
        let started = started.map_err(|error| LocalError::NotStarted(crate::link::explain(&error)))?;
        let interpreter = Arc::new(started);
        *self.running() = Some(interpreter.clone());
        Ok(interpreter)
    }

    /// After its bridge failed the next piece of work starts a new one.
    fn lost(&self, error: &BridgeError) -> LocalError {
        self.discard();
        LocalError::Lost(crate::link::explain(error))
    }
}

impl Local for LazyInterpreter {
    async fn run(
        &self,
        work: Work,
        segments: Vec<Bytes>,
        on_stream: &mut (dyn FnMut(StreamName, Bytes) + Send),
    ) -> Result<(Outcome, Vec<Bytes>), LocalError> {
        let interpreter = self.interpreter().await?;
        interpreter.run(work, segments, on_stream).await.map_err(|error| self.lost(&error))
    }

    async fn ask(&self, ask: Ask, json: Bytes) -> Result<Result<Bytes, String>, LocalError> {
        let interpreter = self.interpreter().await?;
        interpreter.ask(ask, json).await.map_err(|error| self.lost(&error))
    }

    fn interrupt(&self) {
        if let Some(interpreter) = self.running().as_ref() {
            interpreter.interrupt();
        }
    }

    fn discard(&self) {
        self.running().take();
    }
}
