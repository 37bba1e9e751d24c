//! Does what a statement says: text in, events out.
//!
//! Owns the session's state (the current target, the numbers, what was typed and answered, where the last statement
//! failed, what was left in the background). Knows no terminal and prints nothing.

use super::{
    Answers, Cluster, Event, Interrupter, Local, Sink, Status,
    aim::Aim,
    drive::Background,
    history::History,
    news::Newsroom,
    parser::{self, Command},
    script,
};
use crate::{Answer, ClientError, Reply};
use antiphon_protocol::{EngineId, LossCause, TargetError, Want, Work};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};

/// How the shell behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Somebody is typing: long answers are cut where they are made, and `exit` leaves.
    pub interactive: bool,
    /// The longest `repr` an engine sends, in characters; 0: no limit.
    pub repr_limit: u32,
}

impl Options {
    /// For a person: no answer is longer than a person can read.
    pub fn interactive() -> Options {
        Options { interactive: true, repr_limit: INTERACTIVE_REPR_LIMIT }
    }

    /// For a script: answers are never cut.
    pub fn script() -> Options {
        Options { interactive: false, repr_limit: 0 }
    }
}

/// Longest `repr` that is fetched for a person: some hundred screens would not be read, and a thousand engines must not
/// fill the memory.
const INTERACTIVE_REPR_LIMIT: u32 = 20_000;

/// A session.
#[derive(Debug)]
pub struct Evaluator<C: Cluster, L> {
    pub(crate) cluster: C,
    pub(crate) local: L,
    pub(crate) options: Options,
    pub(crate) aim: Aim,
    /// Where plain lines went before they went to the local interpreter.
    pub(crate) engines_aim: Aim,
    /// The number of the statement that runs, or ran last.
    pub(crate) number: u64,
    /// How many sources it has run so far: each has a name of its own.
    parts: u32,
    /// The line of the script on which it begins, from 1.
    pub(crate) line: usize,
    pub(crate) failed: Vec<EngineId>,
    pub(crate) history: History,
    pub(crate) background: Vec<Background<C::Request>>,
    pub(crate) interrupter: Interrupter,
    pub(crate) news: Newsroom,
}

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// A session whose target is all engines.
    pub fn new(cluster: C, local: L, options: Options) -> Evaluator<C, L> {
        let news = Newsroom::new(cluster.notices());
        Evaluator {
            cluster,
            local,
            options,
            aim: Aim::all(),
            engines_aim: Aim::all(),
            number: 0,
            parts: 0,
            line: 1,
            failed: Vec::new(),
            history: History::default(),
            background: Vec::new(),
            interrupter: Interrupter::default(),
            news,
        }
    }

    /// The current target, as written.
    pub fn target(&self) -> &str {
        &self.aim.text
    }

    /// Makes `text` the current target, without asking whether its engines are there.
    pub fn set_target(&mut self, text: &str) -> Result<(), TargetError> {
        let aim = Aim::parse(text)?;
        if !aim.is_local() {
            self.engines_aim = aim.clone();
        }
        self.aim = aim;
        Ok(())
    }

    /// The number the next statement gets.
    pub fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// The handle for Ctrl-C.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// The cluster it works with.
    pub fn cluster(&self) -> &C {
        &self.cluster
    }

    /// Does what was typed: one statement or several. Stops at the first that fails.
    pub async fn evaluate(&mut self, input: &str, sink: &mut dyn Sink) -> Status {
        if self.options.interactive && is_farewell(input) {
            return Status::Leave;
        }
        let commands = parser::parse(input);
        if commands.is_empty() {
            return Status::Done;
        }
        self.begin(input, 1);
        self.interrupter.clear();
        self.catch_up(sink).await;
        for command in commands {
            let status = self.command(command, sink).await;
            if status != Status::Done {
                return status;
            }
        }
        Status::Done
    }

    /// Runs a script statement by statement. Stops at the first that fails unless it is to `keep_going`; even then the
    /// worst that happened is what is returned. A lost connection always ends it.
    pub async fn run_script(&mut self, text: &str, keep_going: bool, sink: &mut dyn Sink) -> Status {
        let mut worst = Status::Done;
        for piece in script::split(text) {
            let statement = &text[piece.statement];
            let command = parser::parse_statement(statement);
            if command == Command::Empty {
                continue;
            }
            self.begin(statement, piece.line);
            let status = self.command(command, sink).await;
            let status = self.seen_press(status, piece.line, sink);
            worst = worst.max(status);
            let goes_on = match status {
                Status::Done => true,
                Status::Leave | Status::Interrupted => false,
                Status::Raised | Status::Usage => keep_going,
                Status::Lost => keep_going && self.cluster.status().await.is_ok(),
            };
            if !goes_on {
                break;
            }
        }
        for news in self.news.rest() {
            sink.on_event(Event::News(news));
        }
        worst
    }

    /// A press between two statements of a script, or one that a statement outran, ends the script as well.
    fn seen_press(&self, status: Status, line: usize, sink: &mut dyn Sink) -> Status {
        if self.interrupter.total() == 0 || status >= Status::Interrupted {
            return status;
        }
        let message =
            format!("KeyboardInterrupt: the script was interrupted after its statement in line {line}");
        sink.on_event(Event::Error { message, hint: None });
        Status::Interrupted
    }

    fn begin(&mut self, input: &str, line: usize) {
        self.number += 1;
        self.parts = 0;
        self.line = line;
        self.history.add_input(self.number, input);
    }

    pub(crate) async fn command(&mut self, command: Command, sink: &mut dyn Sink) -> Status {
        let aim = self.aim.clone();
        self.command_at(command, &aim, sink).await
    }

    pub(crate) async fn command_at(&mut self, command: Command, aim: &Aim, sink: &mut dyn Sink) -> Status {
        match command {
            Command::Empty => Status::Done,
            Command::Python(source) => self.execute(aim, &source, sink).await,
            Command::At { target, command } => match Aim::parse(&target) {
                Ok(aim) => Box::pin(self.command_at(*command, &aim, sink)).await,
                Err(error) => refuse_target(&error, sink),
            },
            Command::Bind { name, target, expr } => match Aim::parse(&target) {
                Ok(aim) => self.bind_expression(&name, &aim, &expr, sink).await,
                Err(error) => refuse_target(&error, sink),
            },
            Command::Shell(command) => self.shell(aim, &command, sink).await,
            Command::Inspect { expr, detail } => self.inspect(aim, &expr, detail, sink).await,
            Command::Magic { name, args } => Box::pin(self.magic(&name, &args, aim, sink)).await,
            Command::CellMagic { name, args, body } => {
                Box::pin(self.cell_magic(&name, &args, &body, aim, sink)).await
            }
        }
    }

    /// Runs source and shows the answers.
    pub(crate) async fn execute(&mut self, aim: &Aim, source: &str, sink: &mut dyn Sink) -> Status {
        let want = Want { repr: Some(self.options.repr_limit), value: false };
        match self.run_source(aim, source, want, sink).await {
            Ok(answers) => self.show(answers, sink),
            Err(status) => status,
        }
    }

    /// Runs source under the statement's name.
    pub(crate) async fn run_source(
        &mut self,
        aim: &Aim,
        source: &str,
        want: Want,
        sink: &mut dyn Sink,
    ) -> Result<Answers, Status> {
        self.parts += 1;
        let part = if self.parts > 1 { format!(".{}", self.parts) } else { String::new() };
        let name = format!("<{}:{}{part}>", aim.text, self.number);
        // So that tracebacks count lines as the script does.
        let source = "\n".repeat(self.line - 1) + source;
        let work = Work::Execute { want, script: false };
        self.work(aim, work, vec![source.into(), name.into()], sink).await
    }

    /// Has work done, by engines or by the local interpreter, and remembers where it failed.
    pub(crate) async fn work(
        &mut self,
        aim: &Aim,
        work: Work,
        segments: Vec<Bytes>,
        sink: &mut dyn Sink,
    ) -> Result<Answers, Status> {
        let began = Instant::now();
        let answers = if aim.is_local() {
            vec![self.work_locally(work, segments, sink).await?]
        } else {
            let target = aim.resolved(&self.failed).map_err(|error| refuse_target(&error, sink))?;
            let request = self.unless_pressed(self.cluster.submit(&target, work, segments), sink).await?;
            let answers = self.drive(request, aim, sink).await?;
            self.remember_failures(&answers);
            answers
        };
        Ok(Answers { statement: self.number, target: aim.text.clone(), answers, elapsed: began.elapsed() })
    }

    /// What the cluster answers, unless Ctrl-C comes first or it fails.
    pub(crate) async fn unless_pressed<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
        sink: &mut dyn Sink,
    ) -> Result<T, Status> {
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|error| fail(&error, sink)),
            () = self.interrupter.pressed() => {
                sink.on_event(Event::Warning("interrupted before the cluster answered".to_owned()));
                Err(Status::Interrupted)
            }
        }
    }

    fn remember_failures(&mut self, answers: &[Answer]) {
        let failed = answers.iter().filter(|answer| !answer.reply.is_done());
        self.failed = failed.map(|answer| answer.engine).collect();
        self.failed.sort_unstable();
    }

    /// Shows answers, keeps them for `%result`, and says what they amount to.
    pub(crate) fn show(&mut self, answers: Answers, sink: &mut dyn Sink) -> Status {
        let status = status_of(&answers);
        let answers = Arc::new(answers);
        self.history.add_answers(answers.clone());
        sink.on_event(Event::Answers(answers));
        status
    }
}

/// What a list of answers amounts to.
pub(crate) fn status_of(answers: &Answers) -> Status {
    let status = |answer: &Answer| match &answer.reply {
        Reply::Done(_) => Status::Done,
        Reply::Raised(raised) if raised.interrupted => Status::Interrupted,
        Reply::Raised(raised) if raised.exit == Some(0) => Status::Done,
        Reply::Raised(_) => Status::Raised,
        Reply::Lost(loss) if loss.cause == LossCause::Cancelled => Status::Interrupted,
        Reply::Lost(_) => Status::Lost,
    };
    answers.answers.iter().map(status).max().unwrap_or_default()
}

/// Whether a line is what people leave an interactive Python with. In code, and on engines, it ends the statement only.
fn is_farewell(input: &str) -> bool {
    matches!(input.trim(), "exit" | "quit" | "exit()" | "quit()")
}

/// Says that something was not done because the words were wrong.
pub(crate) fn refuse(message: impl Into<String>, hint: Option<&str>, sink: &mut dyn Sink) -> Status {
    sink.on_event(Event::Error { message: message.into(), hint: hint.map(str::to_owned) });
    Status::Usage
}

pub(crate) fn refuse_target(error: &TargetError, sink: &mut dyn Sink) -> Status {
    refuse(&error.message, error.hint.as_deref(), sink)
}

/// Says that something was not done because the cluster did not do it.
pub(crate) fn fail(error: &ClientError, sink: &mut dyn Sink) -> Status {
    let message = crate::link::explain(error);
    sink.on_event(Event::Error { message, hint: error.hint().map(str::to_owned) });
    if error.is_usage() { Status::Usage } else { Status::Lost }
}
