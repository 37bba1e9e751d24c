//! Running things: `%px`, `%%px`, `%run`, `!cmd`.

use super::literal;
use crate::{
    Reply,
    shell::{
        Cluster, Evaluator, Event, Local, Sink, Status,
        aim::Aim,
        evaluator::{refuse, refuse_target, status_of},
        parser::{self, Command},
    },
};
use antiphon_protocol::{EngineId, Want, Work, target::compact};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Runs a command in a shell and passes its output on line by line, so that it arrives before the answer; gives its exit
/// status. An interrupt ends the command too.
const RUN_COMMAND: &str = "\
def run(command):
    import subprocess, sys, threading
    process = subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    def follow(pipe, stream):
        for line in iter(pipe.readline, b''):
            stream.write(line.decode('utf-8', 'replace'))
    other = threading.Thread(target=follow, args=(process.stderr, sys.stderr), daemon=True)
    other.start()
    try:
        follow(process.stdout, sys.stdout)
        status = process.wait()
    except BaseException:
        process.terminate()
        raise
    other.join(5)
    return status
";

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// `!command`
    pub(crate) async fn shell(&mut self, aim: &Aim, command: &str, sink: &mut dyn Sink) -> Status {
        if command.is_empty() {
            return refuse("! takes a command", Some("!hostname"), sink);
        }
        let source = format!(
            "(lambda space: (exec({}, space), space['run']({}))[1])({{}})",
            literal(RUN_COMMAND),
            literal(command)
        );
        let answers = match self.run_source(aim, &source, Want::REPR, sink).await {
            Ok(answers) => answers,
            Err(status) => return status,
        };
        if status_of(&answers) != Status::Done {
            return self.show(answers, sink);
        }
        let mut failed: BTreeMap<&str, Vec<EngineId>> = BTreeMap::new();
        for answer in &answers.answers {
            if let Reply::Done(done) = &answer.reply
                && let Some(status) = done.repr.as_deref()
                && status != "0"
            {
                failed.entry(status).or_default().push(answer.engine);
            }
        }
        for (status, engines) in &failed {
            let how = match status.strip_prefix('-') {
                Some(signal) => format!("the command was killed by signal {signal}"),
                None => format!("the command's exit status is {status}"),
            };
            let message = if aim.is_local() {
                how
            } else {
                format!("engine[{}] ({}): {how}", compact(engines.iter().copied()), engines.len())
            };
            sink.on_event(Event::Error { message, hint: None });
        }
        if failed.is_empty() { Status::Done } else { Status::Raised }
    }

    /// `%px [--targets T] stmt`, and the same over lines.
    pub(super) async fn magic_px(
        &mut self,
        args: &str,
        body: &str,
        aim: &Aim,
        sink: &mut dyn Sink,
    ) -> Status {
        // Without options it goes to the engines even while plain lines go to the local interpreter.
        let mut aim = if aim.is_local() { self.engines_aim.clone() } else { aim.clone() };
        let mut rest = args.trim_start();
        let mut locally = false;
        while rest.starts_with('-') {
            let (option, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let after = after.trim_start();
            rest = match option {
                "--local" => {
                    locally = true;
                    after
                }
                "--targets" | "-t" => {
                    let (target, after) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
                    match Aim::parse(target) {
                        Ok(named) => aim = named,
                        Err(error) => return refuse_target(&error, sink),
                    }
                    after.trim_start()
                }
                _ => {
                    let hint = "%px takes --targets T and --local";
                    return refuse(format!("%px does not know {option}"), Some(hint), sink);
                }
            };
        }
        let source = super::join(rest, body);
        if source.trim().is_empty() {
            return refuse("%px what?", Some("%px [--targets T] statement"), sink);
        }
        if locally {
            let status = self.execute(&Aim::local(), &source, sink).await;
            if status != Status::Done {
                return status;
            }
        }
        self.execute(&aim, &source, sink).await
    }

    /// `%run SCRIPT ARGS`
    pub(super) async fn magic_run(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let argv = match split_words(args) {
            Ok(argv) => argv,
            Err(message) => return refuse(message, None, sink),
        };
        let Some(path) = argv.first() else {
            return refuse("%run what?", Some("%run script.py [argument …]"), sink);
        };
        match std::fs::read(path) {
            Ok(source) => self.run_file(aim, source.into(), &argv, sink).await,
            Err(error) => refuse(format!("reading {path} failed: {error}"), None, sink),
        }
    }

    /// Runs a script's text on a target; `argv` begins with its path.
    async fn run_file(&mut self, aim: &Aim, source: Bytes, argv: &[String], sink: &mut dyn Sink) -> Status {
        let name = argv.first().cloned().unwrap_or_default();
        let work = Work::Execute { want: Want::NOTHING, script: true };
        let segments = vec![source, name.into(), serde_json::json!(argv).to_string().into()];
        match self.work(aim, work, segments, sink).await {
            Ok(answers) => self.show(answers, sink),
            Err(status) => status,
        }
    }

    /// Runs a Python script on the current target, as `%run` does; `argv` begins with its path.
    pub async fn run_python(&mut self, source: Bytes, argv: &[String], sink: &mut dyn Sink) -> Status {
        self.number += 1;
        self.interrupter.clear();
        let aim = self.aim.clone();
        self.run_file(&aim, source, argv, sink).await
    }

    /// What a magic's argument says, as a command for a target.
    pub(super) fn argument(args: &str) -> Command {
        parser::parse_statement(args)
    }
}

/// Words as a POSIX shell splits them: quotes and backslashes, nothing else.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), _) if char == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(char),
            (_, '\\') => match chars.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("a backslash at the end escapes nothing".to_owned()),
            },
            (Some(_), _) => word.get_or_insert_default().push(char),
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, _) if char.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err("a quotation mark is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}
