//! An engine's own task: from fork to death, and again, under the same id.
//!
//! It alone reads the engine's main socket and pipes, and it alone sends its output and answers, so that their order is
//! the order in which they were read. A second, tiny task reads the side socket: questions are answered even while the
//! controller's connection is full of output.

use crate::{
    forker::Forker,
    life::{End, Life, Started},
    link::Uplink,
    output::Output,
    slot::Slot,
};
use antiphon_interpreter::{
    BridgeError, InterpreterConfig,
    bridge::{MainEvent, SideReader, Writable},
};
use antiphon_protocol::{EngineInfo, HostToController, Lane, LossCause, Message, TaskId};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Deaths and failed starts in a row, without any work in between, before an engine is given up.
const MAX_QUICK_DEATHS: u32 = 5;

/// Wait before the second quick restart; doubled with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Frames taken from the socket before others get their turn.
const FRAMES_PER_TURN: usize = 64;

/// One engine.
pub(crate) struct Engine<U> {
    slot: Arc<Slot>,
    forker: Arc<Forker>,
    config: InterpreterConfig,
    uplink: U,
    output: Output,
    /// The task whose output this is, for what comes by the pipes.
    last: Option<TaskId>,
}

impl<U: Uplink> Engine<U> {
    pub(crate) fn new(
        slot: Arc<Slot>,
        forker: Arc<Forker>,
        config: InterpreterConfig,
        uplink: U,
    ) -> Engine<U> {
        let output = Output::new(slot.engine);
        Engine { slot, forker, config, uplink, output, last: None }
    }

    /// One life after the other, for as long as the host lives.
    pub(crate) async fn supervise(mut self) {
        let mut quick_deaths = 0;
        loop {
            match Life::start(&self.forker, &self.config).await {
                Ok(started) => {
                    let Some((cause, did_work)) = self.live(started).await else { return };
                    let is_wanted = cause == LossCause::Restarted;
                    quick_deaths = if did_work || is_wanted { 0 } else { quick_deaths + 1 };
                    if quick_deaths >= MAX_QUICK_DEATHS {
                        self.give_up(format!("it died {quick_deaths} times in a row: {cause}")).await;
                        quick_deaths = 0;
                    }
                }
                Err(error) => {
                    let reason = error.reason();
                    tracing::warn!(engine = %self.slot.engine, reason, "an engine did not start");
                    quick_deaths += 1;
                    if quick_deaths >= MAX_QUICK_DEATHS {
                        self.give_up(reason).await;
                        quick_deaths = 0;
                    }
                }
            }
            if quick_deaths > 1 {
                sleep(FIRST_BACKOFF * (1 << (quick_deaths - 2))).await;
            }
        }
    }

    /// Says that it will not come back, and waits until somebody wants it nevertheless.
    async fn give_up(&mut self, reason: String) {
        tracing::error!(engine = %self.slot.engine, reason, "an engine is given up");
        let cause = LossCause::NotStarted(reason.clone());
        {
            let mut state = self.slot.lock();
            state.dead = Some(reason);
            state.restart = false;
        }
        self.slot.on_end(&cause, &self.uplink);
        let engine = self.slot.engine;
        let _ =
            self.say(HostToController::EngineDown { engine, cause, running: None, restarting: false }).await;
        while !self.slot.lock().restart {
            self.slot.wake.notified().await;
        }
        self.slot.lock().dead = None;
    }

    /// One life; how it ended, and whether it did any work. `None` if there is nobody to tell.
    async fn live(&mut self, started: Started) -> Option<(LossCause, bool)> {
        let Started { info, live, mut life, side } = started;
        // Before it is told that it is up: a restart from then on is of this life.
        self.slot.lock().restart = false;
        self.up(info, &life).await?;
        let kill = {
            let mut state = self.slot.lock();
            if state.restart {
                live.kill();
            }
            state.live = Some(live);
            self.slot.advance(&mut state, &self.uplink);
            let slot = self.slot.clone();
            move || {
                if let Some(live) = &slot.lock().live {
                    live.kill();
                }
            }
        };
        self.last = None;
        let answers = tokio::spawn(answer(self.slot.clone(), side, self.uplink.clone()));
        let end = self.serve(&mut life).await;
        let mut cause = life.gone(end, kill).await;
        answers.abort();
        if std::mem::take(&mut self.slot.lock().restart) {
            cause = LossCause::Restarted;
        }
        self.slot.on_end(&cause, &self.uplink);
        self.drain(&mut life).await.ok()?;
        let running = self.slot.lock().running.take().map(|running| running.task);
        let did_work = self.last.is_some() || running.is_some();
        let engine = self.slot.engine;
        tracing::info!(%engine, pid = life.pid, %cause, ?running, "engine down");
        let down = HostToController::EngineDown { engine, cause: cause.clone(), running, restarting: true };
        self.say(down).await.ok()?;
        Some((cause, did_work))
    }

    async fn up(&mut self, info: EngineInfo, life: &Life) -> Option<()> {
        let engine = self.slot.engine;
        tracing::info!(%engine, pid = life.pid, "engine up");
        self.say(HostToController::EngineUp { engine, info }).await.ok()
    }

    /// Reads, sends and writes until the engine ends.
    async fn serve(&mut self, life: &mut Life) -> End {
        loop {
            if let Err(end) = self.turn(life).await {
                return end;
            }
            let is_open = self.output.is_empty();
            let (work, ask) = self.pending();
            tokio::select! {
                ready = life.main.readable(), if is_open => {
                    if ready.is_err() {
                        return End::Closed;
                    }
                }
                () = life.stdout.readable(), if is_open => life.stdout.read_ready(self.task(), &mut self.output),
                () = life.stderr.readable(), if is_open => life.stderr.read_ready(self.task(), &mut self.output),
                () = self.slot.wake.notified() => {}
                () = writable(work.as_ref()), if work.is_some() => self.flush(),
                () = writable(ask.as_ref()), if ask.is_some() => self.flush(),
                exit = &mut life.exit => return End::from_exit(exit),
            }
        }
    }

    /// Takes what is in the main socket and passes it on, as far as the window lets it.
    async fn turn(&mut self, life: &mut Life) -> Result<(), End> {
        for _ in 0..FRAMES_PER_TURN {
            self.release().await.map_err(|()| End::Unheard)?;
            if !self.output.is_empty() {
                return Ok(());
            }
            match life.main.try_next() {
                Ok(Some(event)) => self.on_event(event, life),
                Ok(None) => return Ok(()),
                Err(BridgeError::Closed | BridgeError::Io(_)) => return Err(End::Closed),
                Err(error) => return Err(End::Nonsense(error.to_string())),
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    fn on_event(&mut self, event: MainEvent, life: &mut Life) {
        match event {
            MainEvent::Ready(_) => tracing::warn!(engine = %self.slot.engine, "an engine is ready twice"),
            MainEvent::Stream { task, stream, text } => {
                let task = (task != 0).then_some(TaskId(task));
                self.last = task.or(self.last);
                self.output.push_text(stream, task, text);
            }
            MainEvent::Result { task, outcome, segments } => {
                let task = TaskId(task);
                self.last = Some(task);
                life.stdout.drain(self.last, &mut self.output);
                life.stderr.drain(self.last, &mut self.output);
                self.slot.on_result(task, outcome, segments, &mut self.output, &self.uplink);
            }
        }
    }

    /// The last words of an engine that is gone: all that it printed and finished before.
    async fn drain(&mut self, life: &mut Life) -> Result<(), ()> {
        self.output.close();
        while let Some(event) = life.last_event().await {
            self.on_event(event, life);
            self.release().await?;
        }
        let task = self.task();
        life.stdout.drain(task, &mut self.output);
        life.stderr.drain(task, &mut self.output);
        self.release().await?;
        let notice = self.output.last_notice(&mut self.slot.lock().window);
        self.output.reopen();
        match notice {
            Some(notice) => self.uplink.send(Lane::Ordinary, notice).await.map_err(drop),
            None => Ok(()),
        }
    }

    /// Sends what may go now.
    async fn release(&mut self) -> Result<(), ()> {
        loop {
            let next = self.output.next(&mut self.slot.lock().window);
            let Some(message) = next else { return Ok(()) };
            if let Err(error) = self.uplink.send(Lane::Ordinary, message).await {
                tracing::debug!(engine = %self.slot.engine, %error, "nobody hears this engine");
                return Err(());
            }
        }
    }

    async fn say(&mut self, header: HostToController) -> Result<(), ()> {
        self.uplink.send(Lane::Ordinary, Message::from(header)).await.map_err(drop)
    }

    /// Whose output it is that comes by the pipes.
    fn task(&self) -> Option<TaskId> {
        self.slot.lock().running.map(|running| running.task).or(self.last)
    }

    /// What is waited for to write what the sockets did not take.
    fn pending(&self) -> (Option<Writable>, Option<Writable>) {
        let state = self.slot.lock();
        let Some(live) = &state.live else { return (None, None) };
        let work = live.work.is_pending().then(|| live.work.writable());
        (work, live.ask.is_pending().then(|| live.ask.writable()))
    }

    fn flush(&self) {
        let mut state = self.slot.lock();
        let Some(live) = &mut state.live else { return };
        // A socket that fails is an engine that ends, which is seen by reading.
        let _ = live.work.flush();
        let _ = live.ask.flush();
    }
}

async fn writable(socket: Option<&Writable>) {
    match socket {
        Some(socket) => {
            let _ = socket.wait().await;
        }
        None => std::future::pending().await,
    }
}

/// Passes on the side thread's answers.
async fn answer(slot: Arc<Slot>, mut side: SideReader, uplink: impl Uplink) {
    loop {
        match side.next().await {
            Ok((query, answer)) => slot.on_answer(TaskId(query), answer, &uplink),
            Err(error) => {
                tracing::debug!(engine = %slot.engine, %error, "the side socket ended");
                return;
            }
        }
    }
}
