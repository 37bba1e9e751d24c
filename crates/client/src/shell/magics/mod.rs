//! The `%` commands, one file per theme.

pub use engines::engines_table;
pub use help::magic_names;

mod engines;
mod help;
mod run;
mod session;
mod time;
mod values;

use super::{
    Cluster, Evaluator, Local, Sink, Status,
    aim::Aim,
    evaluator::{refuse, refuse_target},
    parser,
};

impl<C: Cluster, L: Local> Evaluator<C, L> {
    pub(crate) async fn magic(&mut self, name: &str, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        match name {
            "target" | "targets" => self.magic_target(args, sink).await,
            "engines" => self.magic_engines(args, sink).await,
            "status" => self.magic_status(sink).await,
            "autopx" => self.magic_autopx(sink),
            "interrupt" => self.magic_interrupt(args, aim, sink).await,
            "restart" => self.magic_restart(args, aim, sink).await,
            "push" => self.magic_push(args, aim, sink).await,
            "pull" => self.magic_pull(args, aim, sink).await,
            "who" => self.magic_who(args, aim, sink).await,
            "reset" => self.magic_reset(args, aim, sink).await,
            "px" => self.magic_px(args, "", aim, sink).await,
            "run" => self.magic_run(args, aim, sink).await,
            "time" => self.magic_time(args, aim, sink).await,
            "timeit" => self.magic_timeit(args, aim, sink).await,
            "result" | "pxresult" => self.magic_result(args, sink),
            "tasks" => self.magic_tasks(sink),
            "history" | "hist" => self.magic_history(args, sink),
            "save" => self.magic_save(args, sink),
            "help" => self.magic_help(args, sink),
            "exit" | "quit" => Status::Leave,
            _ => self.unknown_magic("%", name, sink),
        }
    }

    pub(crate) async fn cell_magic(
        &mut self,
        name: &str,
        args: &str,
        body: &str,
        aim: &Aim,
        sink: &mut dyn Sink,
    ) -> Status {
        match name {
            "px" => self.magic_px(args, body, aim, sink).await,
            "time" => self.magic_time(&join(args, body), aim, sink).await,
            "timeit" => self.magic_timeit(&join(args, body), aim, sink).await,
            _ => self.unknown_magic("%%", name, sink),
        }
    }

    fn unknown_magic(&self, percent: &str, name: &str, sink: &mut dyn Sink) -> Status {
        if name == "kill" {
            return refuse("there is no %kill", Some("%restart kills engines and starts them again"), sink);
        }
        let nearest = help::nearest(name).map(|nearest| format!("did you mean %{nearest}?"));
        let hint = nearest.as_deref().unwrap_or("%help lists what there is");
        refuse(format!("there is no {percent}{name}"), Some(hint), sink)
    }

    /// The target an argument names, or the one that holds.
    fn aim_of(&self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Result<Aim, Status> {
        if args.is_empty() {
            return Ok(aim.clone());
        }
        Aim::parse(args).map_err(|error| refuse_target(&error, sink))
    }
}

fn join(first: &str, rest: &str) -> String {
    if first.is_empty() { rest.to_owned() } else { format!("{first}\n{rest}") }
}

/// Whether a word can name a Python variable, as far as its characters go.
fn is_name(word: &str) -> bool {
    !word.is_empty() && parser::leading_word(word).len() == word.len() && !word.as_bytes()[0].is_ascii_digit()
}

/// A Python string literal.
fn literal(text: &str) -> String {
    // JSON's escapes mean the same in Python.
    serde_json::Value::from(text).to_string()
}
