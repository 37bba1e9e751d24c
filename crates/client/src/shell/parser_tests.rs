#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Command, parse, parse_statement};

fn at(target: &str, command: Command) -> Command {
    Command::At { target: target.into(), command: Box::new(command) }
}

fn python(source: &str) -> Command {
    Command::Python(source.into())
}

fn magic(name: &str, args: &str) -> Command {
    Command::Magic { name: name.into(), args: args.into() }
}

fn bind(name: &str, target: &str, expr: &str) -> Command {
    Command::Bind { name: name.into(), target: target.into(), expr: expr.into() }
}

fn inspect(expr: &str, detail: u8) -> Command {
    Command::Inspect { expr: expr.into(), detail }
}

#[test]
fn every_form_is_understood() {
    let table = [
        ("x = 1", python("x = 1")),
        ("", Command::Empty),
        ("# only this", Command::Empty),
        ("%target 0-3", magic("target", "0-3")),
        ("%time  f(x)  ", magic("time", "f(x)")),
        ("%engines", magic("engines", "")),
        ("% 2", magic("2", "")),
        ("!ls -l", Command::Shell("ls -l".into())),
        ("@0 x", at("0", python("x"))),
        ("@0-3,!2 x = 1", at("0-3,!2", python("x = 1"))),
        ("@host:a.b x", at("host:a.b", python("x"))),
        ("@::2 x", at("::2", python("x"))),
        ("@-1 x", at("-1", python("x"))),
        ("@all\tx", at("all", python("x"))),
        ("@all !ls", at("all", Command::Shell("ls".into()))),
        ("@all %who", at("all", magic("who", ""))),
        ("@2 x?", at("2", inspect("x", 0))),
        ("@all 'a' 'b'", at("all", python("'a' 'b'"))),
        ("x = @all f(1)", bind("x", "all", "f(1)")),
        ("x=@0 y", bind("x", "0", "y")),
        ("x = @ y", python("x = @ y")),
        ("x == @all y", python("x == @all y")),
        ("x = a @ b", python("x = a @ b")),
        ("1x = @all y", python("1x = @all y")),
        ("x?", inspect("x", 0)),
        ("x.y??", inspect("x.y", 1)),
        ("?x", inspect("x", 0)),
        ("'really?'", python("'really?'")),
        ("x # why?", python("x # why?")),
        ("@f", python("@f")),
        ("@f(1, 2)", python("@f(1, 2)")),
        ("@f\ndef g(): pass", python("@f\ndef g(): pass")),
    ];
    for (text, expected) in table {
        assert_eq!(parse_statement(text), expected, "{text}");
    }
}

#[test]
fn a_cell_takes_the_lines_below() {
    let cell = Command::CellMagic { name: "px".into(), args: "--targets 0".into(), body: "x = 1\nx".into() };
    assert_eq!(parse("%%px --targets 0\nx = 1\nx\n"), [cell]);
}

#[test]
fn python_between_directives_stays_together() {
    let text = "x = 1\n# why\ny = 2\n\n%who\nz = 3\nz\n";
    let expected = [python("x = 1\n# why\ny = 2"), magic("who", ""), python("z = 3\nz")];
    assert_eq!(parse(text), expected);
    assert!(parse("\n\n# nothing\n").is_empty());
}

#[test]
fn source_is_what_python_may_find_incomplete() {
    assert_eq!(parse_statement("@0 if x:").source(), Some("if x:"));
    assert_eq!(parse_statement("x = @all (1,").source(), Some("(1,"));
    assert_eq!(parse_statement("!echo (").source(), None);
}
