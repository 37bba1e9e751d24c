//! Values and names: `name = @T expr`, `%push`, `%pull`, `%who`, `%reset`, `expr?`.

use super::is_name;
use crate::{
    Answer, ClientError, Pickled, Reply,
    client::names,
    shell::{
        Answers, Cluster, Evaluator, Event, Local, Sink, Status,
        aim::Aim,
        evaluator::{refuse, refuse_target, status_of},
        table::Table,
    },
};
use antiphon_protocol::{Ask, EngineId, Target, Want, Work, target::compact};
use bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What an interpreter says of one of the user's names.
#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    summary: String,
}

/// What an interpreter says of an expression.
#[derive(Debug, Deserialize)]
struct Inspected {
    found: bool,
    #[serde(default)]
    text: String,
}

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// `name = @T expr`
    pub(crate) async fn bind_expression(
        &mut self,
        name: &str,
        aim: &Aim,
        expr: &str,
        sink: &mut dyn Sink,
    ) -> Status {
        if aim.is_local() {
            return self.execute(aim, &format!("{name} = {expr}"), sink).await;
        }
        match self.run_source(aim, expr, Want::VALUE, sink).await {
            Ok(answers) => self.bind(name, answers, sink).await,
            Err(status) => status,
        }
    }

    /// Binds the list of the answers' values locally; if some engine gave none, says so and binds nothing.
    async fn bind(&mut self, name: &str, answers: Answers, sink: &mut dyn Sink) -> Status {
        let status = status_of(&answers);
        if status != Status::Done {
            self.show(answers, sink);
            let message = format!("{name} is not bound: not every engine gave a value");
            sink.on_event(Event::Warning(message));
            return status;
        }
        let silent = |answer: &&Answer| answer.reply.value().is_none();
        let silent: Vec<EngineId> =
            answers.answers.iter().filter(silent).map(|answer| answer.engine).collect();
        if !silent.is_empty() {
            let message = format!("{name} is not bound: engine[{}] gave no value", compact(silent));
            return refuse(message, Some("only an expression has a value to bind"), sink);
        }
        let values: Vec<&Pickled> =
            answers.answers.iter().filter_map(|answer| answer.reply.value()).collect();
        let runs: Vec<usize> = values.iter().map(|value| value.0.len()).collect();
        let json = serde_json::json!({ "name": name, "runs": runs }).to_string();
        let mut segments = vec![Bytes::from(json)];
        segments.extend(values.iter().flat_map(|value| value.0.iter().cloned()));
        let values = runs.len();
        let answer = match self.work_locally(Work::Bind, segments, sink).await {
            Ok(answer) => answer,
            Err(status) => return status,
        };
        if !answer.reply.is_done() {
            return self.show_local(answer, sink);
        }
        sink.on_event(Event::Bound { name: name.to_owned(), values });
        Status::Done
    }

    /// Shows what the local interpreter answered.
    fn show_local(&mut self, answer: Answer, sink: &mut dyn Sink) -> Status {
        let elapsed = answer.elapsed;
        let answers =
            Answers { statement: self.number, target: "local".to_owned(), answers: vec![answer], elapsed };
        self.show(answers, sink)
    }

    /// `%push x [y …] [as z]`
    pub(super) async fn magic_push(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let (from, to) = match names_and_alias("push", args, sink) {
            Ok(words) => words,
            Err(status) => return status,
        };
        if aim.is_local() {
            return refuse(
                "%push sends local values to engines; the target is local",
                Some("%target all"),
                sink,
            );
        }
        let got = match self.work_locally(Work::Get, vec![names(&from)], sink).await {
            Ok(answer) => answer,
            Err(status) => return status,
        };
        let Reply::Done(done) = &got.reply else { return self.show_local(got, sink) };
        let Some(value) = &done.value else {
            return refuse("the local interpreter sent no value", None, sink);
        };
        let mut segments = vec![names(&to)];
        segments.extend(value.0.iter().cloned());
        match self.work(aim, Work::Put, segments, sink).await {
            Ok(answers) => self.show(answers, sink),
            Err(status) => status,
        }
    }

    /// `%pull x [y …] [as z]`
    pub(super) async fn magic_pull(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let (from, to) = match names_and_alias("pull", args, sink) {
            Ok(words) => words,
            Err(status) => return status,
        };
        if aim.is_local() {
            return refuse("%pull fetches values of engines; the target is local", Some("%target all"), sink);
        }
        // All are fetched before one is bound, so that a name that is missing changes nothing.
        let mut fetched = Vec::new();
        for (name, alias) in from.iter().zip(&to) {
            match self.work(aim, Work::Get, vec![names(&[name])], sink).await {
                Ok(answers) if status_of(&answers) == Status::Done => fetched.push((*alias, answers)),
                Ok(answers) => return self.bind(alias, answers, sink).await,
                Err(status) => return status,
            }
        }
        for (alias, answers) in fetched {
            let status = self.bind(alias, answers, sink).await;
            if status != Status::Done {
                return status;
            }
        }
        Status::Done
    }

    /// `%reset [-f]`
    pub(super) async fn magic_reset(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        match args {
            "-f" => {}
            "" if !self.options.interactive => {}
            "" => {
                let message =
                    format!("%reset deletes every name in the namespaces of the target ({})", aim.text);
                return refuse(message, Some("say %reset -f if you mean it"), sink);
            }
            _ => return refuse("%reset takes nothing but -f", Some("@T %reset -f resets T"), sink),
        }
        match self.work(aim, Work::Reset, Vec::new(), sink).await {
            Ok(answers) => self.show(answers, sink),
            Err(status) => status,
        }
    }

    /// `expr?`
    pub(crate) async fn inspect(&mut self, aim: &Aim, expr: &str, detail: u8, sink: &mut dyn Sink) -> Status {
        let json = serde_json::json!({ "expr": expr, "detail": detail }).to_string();
        let answer = match self.ask_first(aim, Ask::Inspect, json.into(), sink).await {
            Ok(answer) => answer,
            Err(status) => return status,
        };
        match serde_json::from_slice::<Inspected>(&answer) {
            Ok(Inspected { found: true, text }) => {
                sink.on_event(Event::Text(text));
                Status::Done
            }
            _ => refuse(format!("{expr} is not defined there"), None, sink),
        }
    }

    /// Asks the target's first engine, or the local interpreter.
    async fn ask_first(
        &mut self,
        aim: &Aim,
        ask: Ask,
        json: Bytes,
        sink: &mut dyn Sink,
    ) -> Result<Bytes, Status> {
        let answer = if aim.is_local() {
            self.local.ask(ask, json).await.map_err(|error| {
                sink.on_event(Event::Error { message: error.to_string(), hint: None });
                Status::Lost
            })?
        } else {
            let target = aim.resolved(&self.failed).map_err(|error| refuse_target(&error, sink))?;
            self.unless_pressed(self.cluster.query(&target, ask, json), sink).await?
        };
        answer.map_err(|message| refuse(message, None, sink))
    }

    /// `%who [T]`
    pub(super) async fn magic_who(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let aim = match self.aim_of(args, aim, sink) {
            Ok(aim) => aim,
            Err(status) => return status,
        };
        if aim.is_local() || aim.target.is_any() {
            return match self.ask_first(&aim, Ask::Who, Bytes::from_static(b"{}"), sink).await {
                Ok(json) => {
                    let mut found = BTreeMap::new();
                    note(&mut found, EngineId(0), &json);
                    sink.on_event(Event::Text(who_table(&found, 1)));
                    Status::Done
                }
                Err(status) => status,
            };
        }
        let engines = match self.meant(&aim, sink).await {
            Ok(engines) => engines,
            Err(status) => return status,
        };
        let mut found = BTreeMap::new();
        for engine in &engines {
            let target = Target::engines([*engine]);
            let query = self.cluster.query(&target, Ask::Who, Bytes::from_static(b"{}"));
            // One that does not answer is named, and the others are asked all the same.
            let query = async {
                match query.await {
                    Err(error @ ClientError::Silent { .. }) => Ok(Err(error.to_string())),
                    answer => answer,
                }
            };
            match self.unless_pressed(query, sink).await {
                Ok(Ok(json)) => note(&mut found, *engine, &json),
                Ok(Err(message)) => {
                    sink.on_event(Event::Warning(format!("engine[{engine}] did not say: {message}")));
                }
                Err(status) => return status,
            }
        }
        sink.on_event(Event::Text(who_table(&found, engines.len())));
        Status::Done
    }
}

/// Name, type and summary, and the engines where it is so.
type Found = BTreeMap<(String, String, String), Vec<EngineId>>;

fn note(found: &mut Found, engine: EngineId, json: &[u8]) {
    for Named { name, kind, summary } in serde_json::from_slice::<Vec<Named>>(json).unwrap_or_default() {
        found.entry((name, kind, summary)).or_default().push(engine);
    }
}

fn who_table(found: &Found, engines: usize) -> String {
    if found.is_empty() {
        return "no names".to_owned();
    }
    let mut table = Table::new(["name", "type", "value", "engines"]);
    for ((name, kind, summary), on) in found {
        // Said only where it is not everywhere.
        let on = if on.len() == engines { String::new() } else { compact(on.iter().copied()) };
        table.row([name.clone(), kind.clone(), summary.clone(), on]);
    }
    table.to_string()
}

/// `x [y …] [as z]`: the names here, and those there.
fn names_and_alias<'a>(
    magic: &str,
    args: &'a str,
    sink: &mut dyn Sink,
) -> Result<(Vec<&'a str>, Vec<&'a str>), Status> {
    let words: Vec<&str> = args.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
    let (from, to) = match words.as_slice() {
        [name, "as", alias] => (vec![*name], vec![*alias]),
        names if !names.contains(&"as") => (names.to_vec(), names.to_vec()),
        _ => {
            let usage = format!("%{magic} x as y");
            return Err(refuse("`as` takes one name and gives it one other", Some(&usage), sink));
        }
    };
    if from.is_empty() {
        return Err(refuse(
            format!("%{magic} what?"),
            Some(&format!("%{magic} x, or %{magic} x as y")),
            sink,
        ));
    }
    if let Some(word) = from.iter().chain(&to).find(|word| !is_name(word)) {
        let hint = format!("%{magic} takes names of variables; bind the expression to one first");
        return Err(refuse(format!("{word} is not a name"), Some(&hint), sink));
    }
    Ok((from, to))
}
