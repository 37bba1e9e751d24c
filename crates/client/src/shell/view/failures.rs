//! What went wrong, and where: equal errors once, with who and how many.

use super::{RED, ViewOptions, paint};
use crate::{Raised, Reply, shell::Answers};
use antiphon_protocol::{EngineId, Loss, LossCause, target::compact};

/// Writes the exceptions and losses among the answers.
pub(super) fn render(options: &ViewOptions, answers: &Answers, err: &mut String) {
    let mut raised: Vec<(&Raised, Vec<EngineId>)> = Vec::new();
    let mut lost: Vec<(&Loss, Vec<EngineId>)> = Vec::new();
    for answer in &answers.answers {
        match &answer.reply {
            Reply::Done(_) => {}
            Reply::Raised(what) => note(&mut raised, what, answer.engine),
            Reply::Lost(what) => note(&mut lost, what, answer.engine),
        }
    }
    for (what, engines) in raised {
        if answers.is_local() {
            local(options, what, err);
        } else {
            exception(options, what, engines, err);
        }
    }
    for (what, engines) in lost {
        err.push_str(&format!("{}: {}\n", head(options, engines), loss(what)));
    }
}

fn note<'a, T: PartialEq>(groups: &mut Vec<(&'a T, Vec<EngineId>)>, what: &'a T, engine: EngineId) {
    match groups.iter_mut().find(|(known, _)| *known == what) {
        Some((_, engines)) => engines.push(engine),
        None => groups.push((what, vec![engine])),
    }
}

/// `engine[3,7] (2)`
fn head(options: &ViewOptions, mut engines: Vec<EngineId>) -> String {
    engines.sort_unstable();
    let count = engines.len();
    paint(options, RED, &format!("engine[{}] ({count})", compact(engines)))
}

fn exception(options: &ViewOptions, raised: &Raised, engines: Vec<EngineId>, err: &mut String) {
    let head = head(options, engines);
    let summary = raised.summary();
    if raised.interrupted {
        err.push_str(&format!("{head}: {} (interrupted)\n", paint(options, RED, summary)));
        return;
    }
    if raised.exit.is_some() {
        err.push_str(&format!("{head}: {summary} (it ended this statement; the engine goes on)\n"));
        return;
    }
    err.push_str(&format!("{head}: {}\n", paint(options, RED, summary)));
    let body = body(&raised.traceback, summary);
    if !body.is_empty() {
        err.push_str(body);
        err.push('\n');
    }
}

/// A traceback without what the head has said already.
fn body<'a>(traceback: &'a str, summary: &str) -> &'a str {
    const OPENING: &str = "Traceback (most recent call last):\n";
    let text = traceback.trim_end();
    let opened = text.strip_prefix(OPENING).unwrap_or(text);
    // Of chained exceptions each keeps its opening.
    let text = if opened.contains(OPENING) { text } else { opened };
    match text.strip_suffix(summary) {
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => rest.trim_end_matches('\n'),
        _ => text,
    }
}

/// As Python prints it.
fn local(options: &ViewOptions, raised: &Raised, err: &mut String) {
    if raised.interrupted {
        err.push_str(&format!("{}\n", paint(options, RED, "KeyboardInterrupt")));
        return;
    }
    let text = raised.traceback.trim_end();
    err.push_str(if text.is_empty() { &raised.kind } else { text });
    err.push('\n');
}

fn loss(loss: &Loss) -> String {
    let cause = &loss.cause;
    match (cause, loss.started) {
        (LossCause::Cancelled, _) => "it did not run this: cancelled before it started".to_owned(),
        (LossCause::TooLarge(_), _) => format!("it ran this, and its answer is lost: {cause}"),
        (_, true) => format!("lost while it ran this: {cause}"),
        (_, false) => format!("lost before it began this: {cause}"),
    }
}
