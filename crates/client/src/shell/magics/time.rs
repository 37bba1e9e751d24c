//! How long things take: `%time`, `%timeit`.

use super::literal;
use crate::{
    Answer, Reply,
    shell::{
        Answers, Cluster, Evaluator, Event, Local, Sink, Status,
        aim::Aim,
        evaluator::{refuse, status_of},
    },
};
use antiphon_protocol::Want;
use std::time::{Duration, Instant};

/// Repetitions of `%timeit`, as IPython has them.
const REPEATS: u32 = 7;

impl<C: Cluster, L: Local> Evaluator<C, L> {
    /// `%time stmt`
    pub(super) async fn magic_time(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        if args.trim().is_empty() {
            return refuse("%time what?", Some("%time statement"), sink);
        }
        let shown = self.history.answers(None).cloned();
        let began = Instant::now();
        let status = Box::pin(self.command_at(Self::argument(args), aim, sink)).await;
        let wall = began.elapsed();
        let answers = self.history.answers(None);
        // Only if it was this statement that gave the last answers.
        let new = answers.filter(|new| shown.is_none_or(|old| !std::sync::Arc::ptr_eq(new, &old)));
        let engines = new.filter(|answers| !answers.is_local()).map(|answers| engine_times(answers));
        let engines = engines.unwrap_or_default();
        sink.on_event(Event::Info(format!("wall time: {}{engines}", duration(wall))));
        status
    }

    /// `%timeit [-n N] [-r R] stmt`
    pub(super) async fn magic_timeit(&mut self, args: &str, aim: &Aim, sink: &mut dyn Sink) -> Status {
        let (loops, repeats, statement) = match timeit_options(args) {
            Ok(options) => options,
            Err(message) => return refuse(message, Some("%timeit [-n LOOPS] [-r REPEATS] statement"), sink),
        };
        let loops = if loops == 0 { "timer.autorange()[0]".to_owned() } else { loops.to_string() };
        let source = format!(
            "(lambda timer: (lambda loops: (loops, [t / loops for t in timer.repeat({repeats}, loops)]))({loops}))\
             (__import__('timeit').Timer({}, globals=globals()))",
            literal(statement)
        );
        let answers = match self.run_source(aim, &source, Want::REPR, sink).await {
            Ok(answers) => answers,
            Err(status) => return status,
        };
        let status = status_of(&answers);
        if status != Status::Done {
            return self.show(answers, sink);
        }
        let lines: Vec<String> = answers.answers.iter().filter_map(|answer| line(answer, aim)).collect();
        sink.on_event(Event::Text(lines.join("\n")));
        status
    }
}

fn timeit_options(args: &str) -> Result<(u64, u32, &str), String> {
    let (mut loops, mut repeats) = (0, REPEATS);
    let mut rest = args.trim_start();
    while let Some(after) = rest.strip_prefix("-n").or_else(|| rest.strip_prefix("-r")) {
        let is_loops = rest.starts_with("-n");
        let after = after.trim_start();
        let (number, after) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        let number: u32 = number.parse().ok().filter(|n| *n > 0).ok_or(format!("{number} is not a count"))?;
        if is_loops {
            loops = number.into();
        } else {
            repeats = number;
        }
        rest = after.trim_start();
    }
    if rest.trim().is_empty() {
        return Err("%timeit what?".to_owned());
    }
    Ok((loops, repeats, rest))
}

/// One engine's line, as IPython words it.
fn line(answer: &Answer, aim: &Aim) -> Option<String> {
    let Reply::Done(done) = &answer.reply else { return None };
    // A tuple and a list of numbers: JSON but for the parentheses.
    let json = done.repr.as_ref()?.replace('(', "[").replace(')', "]");
    let (loops, times): (u64, Vec<f64>) = serde_json::from_str(&json).ok()?;
    let runs = times.len();
    let mean = times.iter().sum::<f64>() / runs as f64;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / runs as f64;
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let place = if aim.is_local() { String::new() } else { format!("[{}] ", answer.engine) };
    Some(format!(
        "{place}{} ± {} per loop (mean ± std. dev. of {runs} runs, {loops} loops each; best {})",
        seconds(mean),
        seconds(variance.sqrt()),
        seconds(best)
    ))
}

fn engine_times(answers: &Answers) -> String {
    let times = || answers.answers.iter().map(|answer| answer.elapsed);
    match (times().min(), times().max()) {
        (Some(least), Some(most)) if answers.answers.len() > 1 => {
            format!(" (engines: {} to {})", duration(least), duration(most))
        }
        (Some(only), _) => format!(" (engine: {})", duration(only)),
        _ => String::new(),
    }
}

/// A duration with three digits and a unit.
pub(crate) fn duration(duration: Duration) -> String {
    seconds(duration.as_secs_f64())
}

fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 60.0 => return format!("{}min {:.0}s", (s / 60.0).floor(), s % 60.0),
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s if s >= 1e-6 => (s * 1e6, "µs"),
        s => (s * 1e9, "ns"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}
