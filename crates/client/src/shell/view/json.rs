//! Events as JSON, one object a line. `docs/json.md` documents the objects; a change here is a change there.
//!
//! ```json
//! {"kind": "answers", "statement": 1, "target": "all", "elapsed_ms": 0.3, "answers": [
//!   {"engine": 0, "status": "ok", "repr": "42", "elapsed_ms": 0.1},
//!   {"engine": 1, "status": "error", "type": "ValueError", "message": "…", "traceback": "…", "elapsed_ms": 0.1},
//!   {"engine": 2, "status": "lost", "cause": "killed by signal 9 (SIGKILL)", "started": true}]}
//! {"kind": "stream", "engine": 0, "stream": "stdout", "text": "hello\n"}
//! {"kind": "error", "message": "…", "hint": "…"}
//! ```

use crate::{
    Answer, Reply,
    shell::{Answers, Event},
};
use antiphon_protocol::StreamName;
use serde_json::{Value, json};
use std::time::Duration;

/// An event's line; empty if programs have no use for it.
pub(super) fn line(event: &Event) -> String {
    let value = match event {
        Event::Answers(answers) | Event::Result(answers) => statement(answers),
        Event::Stream { engine, stream, text } => {
            let stream = match stream {
                StreamName::Stdout => "stdout",
                StreamName::Stderr => "stderr",
            };
            json!({ "kind": "stream", "engine": engine, "stream": stream, "text": text })
        }
        Event::Error { message, hint } => json!({ "kind": "error", "message": message, "hint": hint }),
        Event::Warning(message) => json!({ "kind": "warning", "message": message }),
        Event::Text(text) => json!({ "kind": "text", "text": text }),
        Event::Bound { name, values } => json!({ "kind": "bound", "name": name, "values": values }),
        Event::Running { .. } | Event::Info(_) | Event::News(_) => return String::new(),
    };
    format!("{value}\n")
}

fn statement(answers: &Answers) -> Value {
    let list: Vec<Value> = answers.answers.iter().map(|one| answer(one, answers.is_local())).collect();
    json!({
        "kind": "answers",
        "statement": answers.statement,
        "target": answers.target,
        "elapsed_ms": ms(answers.elapsed),
        "answers": list,
    })
}

fn answer(answer: &Answer, is_local: bool) -> Value {
    let mut value = match &answer.reply {
        Reply::Done(done) => json!({ "status": "ok", "repr": done.repr, "elapsed_ms": ms(answer.elapsed) }),
        Reply::Raised(raised) => json!({
            "status": if raised.interrupted { "interrupted" } else { "error" },
            "type": raised.kind,
            "message": raised.message,
            "traceback": raised.traceback,
            "elapsed_ms": ms(answer.elapsed),
        }),
        Reply::Lost(loss) => {
            json!({ "status": "lost", "cause": loss.cause.to_string(), "started": loss.started })
        }
    };
    value["engine"] = if is_local { Value::Null } else { json!(answer.engine) };
    value
}

fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
