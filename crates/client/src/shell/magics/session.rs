//! The session itself: `%result`, `%tasks`, `%history`, `%save`, `%help`.

use super::help;
use crate::shell::{
    Cluster, Evaluator, Event, Local, Running, Sink, Status,
    evaluator::{refuse, status_of},
    table::Table,
};
use antiphon_protocol::target::compact;

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// `%result [N | last]`
    pub(super) fn magic_result(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        let number = match args {
            "" | "last" => None,
            number => match number.parse() {
                Ok(number) => Some(number),
                Err(_) => return refuse(format!("{number} is not a statement's number"), None, sink),
            },
        };
        if let Some(answers) = self.history.answers(number) {
            sink.on_event(Event::Result(answers.clone()));
            return status_of(answers);
        }
        if let Some(job) = self.background.iter().find(|job| Some(job.number) == number) {
            let waiting = compact(job.request.waiting());
            let message = format!("statement {} still runs on engine[{waiting}]", job.number);
            sink.on_event(Event::Info(message));
            return Status::Done;
        }
        match number {
            Some(number) => refuse(format!("there are no answers of statement {number}"), None, sink),
            None => refuse("there are no answers yet", None, sink),
        }
    }

    /// `%tasks`: what was left in the background.
    pub(super) fn magic_tasks(&mut self, sink: &mut dyn Sink) -> Status {
        if self.background.is_empty() {
            sink.on_event(Event::Text("nothing runs in the background".to_owned()));
            return Status::Done;
        }
        let mut table = Table::new(["statement", "target", "running on"]);
        for job in &self.background {
            table.row([job.number.to_string(), job.target.clone(), compact(job.request.waiting())]);
        }
        sink.on_event(Event::Text(table.to_string()));
        Status::Done
    }

    /// `%history [-n]`
    pub(super) fn magic_history(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        let numbered = match args {
            "" => false,
            "-n" => true,
            _ => return refuse("%history takes nothing but -n", None, sink),
        };
        let line = |(number, input): &(u64, String)| {
            if numbered { format!("{number}: {input}") } else { input.clone() }
        };
        let lines: Vec<String> = self.history.inputs().map(line).collect();
        sink.on_event(Event::Text(lines.join("\n")));
        Status::Done
    }

    /// `%save FILE [N | N-M …]`
    pub(super) fn magic_save(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        let mut words = args.split_whitespace();
        let usage = Some("%save FILE [N | N-M …]");
        let Some(path) = words.next() else { return refuse("%save where?", usage, sink) };
        let mut ranges = Vec::new();
        for word in words {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) => ranges.push(first..=last),
                _ => return refuse(format!("{word} is not a range of statements"), usage, sink),
            }
        }
        let now = self.number;
        let is_meant = |number: u64| {
            number != now && (ranges.is_empty() || ranges.iter().any(|range| range.contains(&number)))
        };
        let inputs = self.history.inputs().filter(|(number, _)| is_meant(*number));
        let text: String = inputs.map(|(_, input)| format!("{input}\n")).collect();
        match std::fs::write(path, text) {
            Ok(()) => {
                sink.on_event(Event::Info(format!("saved to {path}")));
                Status::Done
            }
            Err(error) => refuse(format!("writing {path} failed: {error}"), None, sink),
        }
    }

    /// `%help [name]`
    pub(super) fn magic_help(&mut self, args: &str, sink: &mut dyn Sink) -> Status {
        let name = args.trim_start_matches('%');
        if name.is_empty() {
            sink.on_event(Event::Text(help::overview()));
            return Status::Done;
        }
        match help::of(name) {
            Some(text) => {
                sink.on_event(Event::Text(text));
                Status::Done
            }
            None => self.unknown_magic("%", name, sink),
        }
    }
}
