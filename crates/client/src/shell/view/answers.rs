//! The values among the answers: one list, or equal ones folded.

use super::{RED, ViewOptions, paint};
use crate::{Answer, Done, Reply, shell::Answers};
use antiphon_protocol::{EngineId, target::compact};
use unicode_width::UnicodeWidthStr;

/// From this many engines on equal answers fold.
const FOLD_FROM: usize = 9;

/// Of long answers a person is shown about this much, all together; `%result` shows the rest.
const SHOWN_CHARS: usize = 4_000;

/// And about so many lines.
const SHOWN_LINES: usize = 60;

/// Of each answer at least this much is shown, however many there are.
const LEAST_CHARS: usize = 200;

/// And at least so many lines.
const LEAST_LINES: usize = 3;

/// Writes what the engines that ended well gave.
pub(super) fn render(options: &ViewOptions, answers: &Answers, whole: bool, out: &mut String) {
    let done: Vec<(EngineId, &Done)> = answers.answers.iter().filter_map(done).collect();
    if done.iter().all(|(_, done)| done.repr.is_none()) {
        return;
    }
    let cut_here = options.interactive && !whole;
    let mut was_cut = false;
    let texts: Vec<(EngineId, String)> = done
        .iter()
        .map(|(engine, one)| {
            let text = one.repr.as_deref().unwrap_or("None");
            let shown = if cut_here { cut(text, done.len()) } else { text };
            was_cut |= shown.len() < text.len();
            let more = if shown.len() < text.len() || one.cut.is_some() { "…" } else { "" };
            (*engine, format!("{shown}{more}"))
        })
        .collect();
    let is_complete = texts.len() == answers.answers.len();
    let text = match texts.as_slice() {
        [(_, only)] if answers.is_local() => only.clone(),
        _ => together(&texts, is_complete, options.width),
    };
    if options.interactive {
        out.push_str(&paint(options, RED, &format!("Out[{}]:", answers.statement)));
        out.push_str(if text.contains('\n') { "\n" } else { " " });
    }
    out.push_str(&text);
    out.push('\n');
    notes(options, answers.statement, was_cut, &done, out);
}

fn done(answer: &Answer) -> Option<(EngineId, &Done)> {
    match &answer.reply {
        Reply::Done(done) => Some((answer.engine, done)),
        _ => None,
    }
}

/// The beginning of a long text, one of so many.
fn cut(text: &str, of: usize) -> &str {
    let chars = (SHOWN_CHARS / of).max(LEAST_CHARS);
    let lines = (SHOWN_LINES / of).max(LEAST_LINES);
    let by_chars = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let by_lines = text.match_indices('\n').nth(lines - 1).map_or(text.len(), |(at, _)| at);
    &text[..by_chars.min(by_lines)]
}

/// Says where the rest of what was cut is.
fn notes(options: &ViewOptions, number: u64, was_cut: bool, done: &[(EngineId, &Done)], out: &mut String) {
    if was_cut {
        let note = format!("… cut for the screen; %result {number} shows it whole");
        out.push_str(&paint(options, super::DIM, &note));
        out.push('\n');
    }
    if let Some(longest) = done.iter().filter_map(|(_, done)| done.cut).max() {
        let note =
            format!("… of up to {longest} characters only the beginning was fetched; print(_) shows all");
        out.push_str(&paint(options, super::DIM, &note));
        out.push('\n');
    }
}

fn together(texts: &[(EngineId, String)], is_complete: bool, width: usize) -> String {
    let groups = fold(texts);
    let folds = texts.len() >= FOLD_FROM && groups.len() < texts.len();
    if is_complete && !folds { list(texts) } else { folded(&groups, width) }
}

/// All answers as one Python list.
fn list(texts: &[(EngineId, String)]) -> String {
    let is_tall = texts.iter().any(|(_, text)| text.contains('\n'));
    let (between, indented) = if is_tall { (",\n ", "\n ") } else { (", ", "\n") };
    let items: Vec<String> = texts.iter().map(|(_, text)| text.replace('\n', indented)).collect();
    format!("[{}]", items.join(between))
}

type Group<'a> = (&'a str, Vec<EngineId>);

/// Equal answers with who gave them, in order of the first.
fn fold(texts: &[(EngineId, String)]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (engine, text) in texts {
        let place = *places.entry(text.as_str()).or_insert_with(|| {
            groups.push((text, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(*engine);
    }
    for (_, engines) in &mut groups {
        engines.sort_unstable();
    }
    groups
}

fn folded(groups: &[Group<'_>], width: usize) -> String {
    let is_tall = groups.iter().any(|(text, _)| text.contains('\n'));
    let items = groups.iter().map(|(text, engines)| {
        let ids = compact(engines.iter().copied());
        if is_tall {
            let between = if text.contains('\n') { "\n" } else { " " };
            format!("[{ids}]{between}{text}")
        } else {
            format!("[{ids}] {text}")
        }
    });
    let items: Vec<String> = items.collect();
    let line = items.join(" · ");
    if is_tall || width > 0 && line.width() > width { items.join("\n") } else { line }
}
