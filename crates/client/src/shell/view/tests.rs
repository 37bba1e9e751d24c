#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Rendered, View, ViewOptions};
use crate::{
    Answer, Done, Raised, Reply,
    shell::{Answers, Event, News},
};
use antiphon_protocol::{EngineId, Loss, LossCause, StreamName};
use std::{sync::Arc, time::Duration};

fn done(repr: &str) -> Reply {
    Reply::Done(Done { repr: Some(repr.to_owned()), ..Done::default() })
}

fn raised(kind: &str, traceback: &str) -> Reply {
    Reply::Raised(Raised { kind: kind.into(), traceback: traceback.into(), ..Raised::default() })
}

fn lost(cause: LossCause, started: bool) -> Reply {
    Reply::Lost(Loss { cause, started })
}

fn answers(target: &str, replies: Vec<(u32, Reply)>) -> Event {
    let answer = |(position, (engine, reply))| {
        let engine = EngineId(engine);
        Answer { position, engine, reply, elapsed: Duration::from_micros(1500) }
    };
    Event::Answers(Arc::new(Answers {
        statement: 7,
        target: target.into(),
        answers: replies.into_iter().enumerate().map(answer).collect(),
        elapsed: Duration::from_millis(2),
    }))
}

fn all(replies: impl IntoIterator<Item = Reply>) -> Event {
    answers("all", (0..).zip(replies).collect())
}

fn script(event: &Event) -> Rendered {
    View::new(ViewOptions::script()).render(event)
}

fn person(event: &Event) -> String {
    let rendered =
        View::new(ViewOptions { interactive: true, width: 40, ..ViewOptions::script() }).render(event);
    assert_eq!(rendered.err, "", "a person has one place to look at");
    rendered.out
}

fn stream(engine: u32, stream: StreamName, text: &str) -> Event {
    Event::Stream { engine: Some(EngineId(engine)), stream, text: text.into() }
}

#[test]
fn eight_answers_are_a_list_and_nine_fold() {
    assert_eq!(script(&all(vec![done("1"); 8])).out, "[1, 1, 1, 1, 1, 1, 1, 1]\n");
    assert_eq!(script(&all(vec![done("1"); 9])).out, "[0-8] 1\n");
    let but_one = (0..128).map(|engine| done(if engine == 127 { "41" } else { "42" }));
    assert_eq!(script(&all(but_one)).out, "[0-126] 42 · [127] 41\n");
    let apart = (0..12).map(|engine| done(if engine % 2 == 0 { "even" } else { "odd" }));
    assert_eq!(script(&all(apart)).out, "[0,2,4,6,8,10] even · [1,3,5,7,9,11] odd\n");
    let different = (0..10).map(|engine| done(&engine.to_string()));
    assert_eq!(script(&all(different)).out, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n");
}

#[test]
fn what_does_not_fit_the_screen_goes_line_by_line() {
    let long = |engine: usize| done(&"x".repeat(10 + engine / 3));
    assert_eq!(
        person(&all((0..9).map(long))),
        "Out[7]:\n[0-2] xxxxxxxxxx\n[3-5] xxxxxxxxxxx\n[6-8] xxxxxxxxxxxx\n"
    );
}

#[test]
fn none_is_shown_only_beside_something() {
    let none = || Reply::Done(Done::default());
    assert_eq!(script(&all([none(), none()])), Rendered::default());
    assert_eq!(script(&all([done("1"), none()])).out, "[1, None]\n");
}

#[test]
fn arrays_read_well() {
    let array = "array([[1, 2],\n       [3, 4]])";
    let expected = "[array([[1, 2],\n        [3, 4]]),\n array([[1, 2],\n        [3, 4]])]\n";
    assert_eq!(script(&all([done(array), done(array)])).out, expected);
    assert_eq!(person(&all([done(array)])), "Out[7]:\n[array([[1, 2],\n        [3, 4]])]\n");
}

#[test]
fn the_local_answer_is_no_list() {
    assert_eq!(script(&answers("local", vec![(0, done("5"))])).out, "5\n");
    let traceback = "Traceback (most recent call last):\n  there\nBoom: no";
    let shown = script(&answers("local", vec![(0, raised("Boom", traceback))]));
    assert_eq!(shown.err, format!("{traceback}\n"));
}

#[test]
fn equal_errors_are_shown_once_and_every_engine_is_named() {
    let boom = || raised("Boom", "Traceback (most recent call last):\n  here\n    1/0\nBoom: no");
    let killed = || lost(LossCause::Signal(9), true);
    let shown =
        script(&all([boom(), done("1"), boom(), killed(), lost(LossCause::Cancelled, false), killed()]));
    assert_eq!(shown.out, "[1] 1\n");
    assert_eq!(
        shown.err,
        "engine[0,2] (2): Boom: no\n  here\n    1/0\n\
         engine[3,5] (2): lost while it ran this: killed by signal 9 (SIGKILL)\n\
         engine[4] (1): it did not run this: cancelled before it started\n"
    );
    let shown = script(&all([lost(LossCause::HostLost("far".into()), false)]));
    assert_eq!(shown.err, "engine[0] (1): lost before it began this: the host far is gone\n");
}

#[test]
fn chained_and_long_errors_keep_all_their_lines() {
    let chained = "Traceback (most recent call last):\n  a\nKeyError: 1\n\nDuring handling of the above exception, \
                   another exception occurred:\n\nTraceback (most recent call last):\n  b\nBoom: no";
    let shown = script(&all([raised("Boom", chained)])).err;
    assert!(
        shown.starts_with("engine[0] (1): Boom: no\nTraceback (most recent call last):\n  a\nKeyError: 1\n")
    );
    assert!(shown.ends_with("Traceback (most recent call last):\n  b\n"));
    let tall = "Traceback (most recent call last):\n  a\nBoom: one\ntwo";
    assert_eq!(script(&all([raised("Boom", tall)])).err, "engine[0] (1): Boom: one\n  a\nBoom: one\ntwo\n");
    assert_eq!(script(&all([raised("Boom", "")])).err, "engine[0] (1): Boom\n");
}

#[test]
fn a_person_sees_the_beginning_of_long_answers_and_a_script_all() {
    let long = "x".repeat(5000);
    assert_eq!(script(&all([done(&long)])).out, format!("[{long}]\n"));
    let shown = person(&all([done(&long)]));
    let beginning = "x".repeat(4000);
    assert_eq!(shown, format!("Out[7]: [{beginning}…]\n… cut for the screen; %result 7 shows it whole\n"));
    let Event::Answers(again) = all([done(&long)]) else { panic!() };
    assert_eq!(person(&Event::Result(again)), format!("Out[7]: [{long}]\n"));
    let tall = "y\n".repeat(100);
    assert_eq!(person(&all([done(&tall)])).lines().filter(|line| line.contains('y')).count(), 60);
    let fetched = Reply::Done(Done { repr: Some("é".into()), cut: Some(8_000_000), value: None });
    let shown = person(&all([fetched]));
    let note = "… of up to 8000000 characters only the beginning was fetched; print(_) shows all";
    assert_eq!(shown, format!("Out[7]: [é…]\n{note}\n"));
}

#[test]
fn lines_carry_their_engine_and_are_never_shared() {
    use StreamName::{Stderr, Stdout};
    let mut view = View::new(ViewOptions::script());
    let mut out = String::new();
    let mut err = String::new();
    let events = [
        stream(3, Stdout, "a\nb\n"),
        stream(3, Stdout, "half"),
        stream(3, Stdout, " whole\nnext"),
        stream(4, Stdout, "other\n"),
        stream(4, Stderr, "bad"),
        Event::Stream { engine: None, stream: Stdout, text: "here\n".into() },
        stream(4, Stdout, "open"),
        all([done("1")]),
    ];
    for event in events {
        let rendered = view.render(&event);
        out += &rendered.out;
        err += &rendered.err;
    }
    assert_eq!(out, "[3] a\n[3] b\n[3] half whole\n[3] next\n[4] other\nhere\n[4] open\n[1]\n");
    assert_eq!(err, "[4] bad\n");
    assert_eq!(view.close_line(), Rendered::default());
}

#[test]
fn colour_is_added_and_changes_no_word() {
    let options = ViewOptions { color: true, interactive: true, ..ViewOptions::script() };
    let shown = View::new(options).render(&all([done("1"), raised("Boom", "Boom: no")])).out;
    assert!(shown.contains("\x1b["));
    let mut plain = shown;
    for code in ["\x1b[31m", "\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, "Out[7]: [0] 1\nengine[1] (1): Boom: no\n");
}

#[test]
fn what_is_no_answer_goes_to_standard_error() {
    let error = Event::Error { message: "no".into(), hint: Some("do".into()) };
    let shown = script(&error);
    assert_eq!((shown.out.as_str(), shown.err.as_str()), ("", "error: no\nhint: do\n"));
    let engines = vec![EngineId(2)];
    let down = News::Down { engines, cause: LossCause::Exit(3), restarting: false };
    let shown = script(&Event::News(down));
    assert_eq!(shown.err, "engine 2 is gone: its process exited with status 3; not to come back\n");
    let up = News::Up { engines: (0..4).map(EngineId).collect() };
    assert_eq!(script(&Event::News(up)).err, "engines 0-3 are up again, with an empty namespace\n");
    assert_eq!(script(&Event::Text("a\nb".into())).out, "a\nb\n");
    let waiting = vec![EngineId(1), EngineId(2)];
    let running = Event::Running { waiting, asked: 4, elapsed: Duration::from_secs(3) };
    let shown = script(&running);
    assert_eq!(shown.status.as_deref(), Some("running for 3 s on 2 of 4: engine[1-2]"));
    assert_eq!((shown.out, shown.err), (String::new(), String::new()));
}

#[test]
fn json_is_one_object_a_line() {
    let options = ViewOptions { json: true, ..ViewOptions::script() };
    let mut view = View::new(options);
    let mut line = |event: &Event| -> serde_json::Value {
        let rendered = view.render(event);
        assert!(
            rendered.out.ends_with('\n')
                && rendered.out.matches('\n').count() == 1
                && rendered.err.is_empty()
        );
        serde_json::from_str(&rendered.out).unwrap()
    };
    let value = line(&all([done("1\n2"), raised("Boom", "tb"), lost(LossCause::Signal(9), true)]));
    let expected = serde_json::json!({"kind": "answers", "statement": 7, "target": "all", "elapsed_ms": 2.0, "answers": [
        {"engine": 0, "status": "ok", "repr": "1\n2", "elapsed_ms": 1.5},
        {"engine": 1, "status": "error", "type": "Boom", "message": "", "traceback": "tb", "elapsed_ms": 1.5},
        {"engine": 2, "status": "lost", "cause": "killed by signal 9 (SIGKILL)", "started": true},
    ]});
    assert_eq!(value, expected);
    let value = line(&stream(3, StreamName::Stderr, "é\n"));
    assert_eq!(value, serde_json::json!({"kind": "stream", "engine": 3, "stream": "stderr", "text": "é\n"}));
    let value = line(&answers("local", vec![(0, done("5"))]));
    assert_eq!(value["answers"][0]["engine"], serde_json::Value::Null);
    let error = Event::Error { message: "no".into(), hint: None };
    assert_eq!(line(&error), serde_json::json!({"kind": "error", "message": "no", "hint": null}));
}
