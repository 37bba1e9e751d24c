//! Sessions without a terminal: what is typed and what is shown, in `tests/transcripts/*.txt`, on real interpreters.
//!
//! `>>> ` begins what is typed, `... ` goes on with it; what follows is what is shown. With `UPDATE_TRANSCRIPTS=1` the
//! files are written anew; look at the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use antiphon_client::shell::{Evaluator, Event, LazyInterpreter, Options, Rendered, View, ViewOptions};
use antiphon_interpreter::{PythonChoice, find};
use std::{fs, path::Path};
use support::Engines;

async fn play(path: &Path, engines: u32) {
    // On a machine without Python there is nothing to play on.
    let Ok(python) = find(&PythonChoice::Auto) else { return };
    let expected = fs::read_to_string(path).unwrap();
    let cluster = Engines::start(&python, engines).await;
    let local = LazyInterpreter::new(Ok(python));
    let mut evaluator = Evaluator::new(cluster, local, Options::interactive());
    let options = ViewOptions { interactive: true, width: 100, ..ViewOptions::script() };
    let mut view = View::new(options);
    let mut played = String::new();
    for (typed, input) in inputs(&expected) {
        played.push_str(&typed);
        let mut shown = String::new();
        let mut sink = |event: Event| push(&mut shown, view.render(&event));
        let status = evaluator.evaluate(&input, &mut sink).await;
        push(&mut shown, view.close_line());
        played.push_str(&stable(&shown));
        if status.code() != 0 {
            played.push_str(&format!("({status:?})\n"));
        }
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(path, &played).unwrap();
    }
    assert_eq!(played, expected, "{}", path.display());
}

fn push(shown: &mut String, rendered: Rendered) {
    shown.push_str(&rendered.out);
    shown.push_str(&rendered.err);
}

/// What is typed, with the prompts and without.
fn inputs(transcript: &str) -> Vec<(String, String)> {
    let mut inputs: Vec<(String, String)> = Vec::new();
    for line in transcript.lines() {
        if line.starts_with('#') {
            inputs.push((format!("{line}\n"), String::new()));
        } else if let Some(text) = line.strip_prefix(">>> ") {
            inputs.push((format!("{line}\n"), text.to_owned()));
        } else if let Some(text) = line.strip_prefix("... ").or((line == "...").then_some("")) {
            let (typed, input) = inputs.last_mut().unwrap();
            typed.push_str(&format!("{line}\n"));
            input.push_str(&format!("\n{text}"));
        }
    }
    inputs
}

/// Without what differs from one Python and one run to another.
fn stable(shown: &str) -> String {
    let mut text = String::new();
    for line in shown.lines() {
        let marks = line.trim();
        if !marks.is_empty() && marks.chars().all(|char| "^~".contains(char)) {
            continue;
        }
        let cut = ["wall time: ", "[Previous line repeated "];
        let at = cut.iter().find_map(|words| Some(line.find(words)? + words.len()));
        let line = at.map_or(line.to_owned(), |at| format!("{}…", &line[..at]));
        text.push_str(&line);
        text.push('\n');
    }
    text
}

macro_rules! transcripts {
    ($($name:ident($engines:expr)),* $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            let file = format!("{}/tests/transcripts/{}.txt", env!("CARGO_MANIFEST_DIR"), stringify!($name));
            play(Path::new(&file), $engines).await;
        })*
    };
}

transcripts!(answers(4), targets(4), errors(4), values(4), magics(4), streams(3), folding(12), losses(3));
