//! The fork server of this host: started on demand, started again when it is gone.

use antiphon_interpreter::{ForkServer, Python, StartError};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Shared by all engines; whoever needs it first starts it, the others wait.
#[derive(Debug)]
pub(crate) struct Forker {
    python: Python,
    server: Mutex<Option<Arc<ForkServer>>>,
}

impl Forker {
    pub(crate) fn new(python: Python) -> Forker {
        Forker { python, server: Mutex::new(None) }
    }

    /// The server, started if need be.
    pub(crate) async fn get(&self) -> Result<Arc<ForkServer>, StartError> {
        let mut server = self.server.lock().await;
        match &*server {
            Some(server) if !server.is_gone() => return Ok(server.clone()),
            Some(_) => tracing::warn!("the fork server is gone and is started again"),
            None => {}
        }
        *server = None;
        let started = Arc::new(ForkServer::start(&self.python).await?);
        tracing::info!(
            pid = started.pid(),
            python = %self.python.program.display(),
            version = started.info().version,
            "fork server ready"
        );
        Ok(server.insert(started).clone())
    }

    /// Ends the server and every engine, and waits for it.
    pub(crate) async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }
}
