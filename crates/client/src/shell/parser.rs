//! From a statement's text to what is to be done with it. Pure: nothing is asked and nothing is run.
//!
//! Python itself is not parsed here: whatever is no directive is Python, and Python says what is wrong with it.

use super::{
    lexer::is_word,
    script::{self, Piece},
};

/// One statement as the shell understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing but blanks and comments.
    Empty,
    /// Python for the current target.
    Python(String),
    /// `@T …`: once for another target.
    At {
        /// The target as written.
        target: String,
        /// What for it.
        command: Box<Command>,
    },
    /// `name = @T expr`: the list of answers, bound in the local interpreter.
    Bind {
        /// The name.
        name: String,
        /// The target as written.
        target: String,
        /// The expression.
        expr: String,
    },
    /// `%name args`
    Magic {
        /// The name, without `%`.
        name: String,
        /// The rest of the line.
        args: String,
    },
    /// `%%name args` and the lines below it.
    CellMagic {
        /// The name, without `%%`.
        name: String,
        /// The rest of its line.
        args: String,
        /// The lines below.
        body: String,
    },
    /// `!command`
    Shell(String),
    /// `expr?`, or `expr??` for more.
    Inspect {
        /// The expression.
        expr: String,
        /// 0, or 1 for more.
        detail: u8,
    },
}

impl Command {
    /// The Python source in it, for whoever wants to know whether it is complete; none if that is no question.
    pub fn source(&self) -> Option<&str> {
        match self {
            Command::Python(source) | Command::Bind { expr: source, .. } => Some(source),
            Command::CellMagic { body, .. } => Some(body),
            Command::At { command, .. } => command.source(),
            Command::Empty | Command::Magic { .. } | Command::Shell(_) | Command::Inspect { .. } => None,
        }
    }
}

/// Splits what was typed into its statements; each directive is one, and so is all the Python between two of them.
pub fn parse(text: &str) -> Vec<Command> {
    let pieces = script::split(text);
    let mut commands: Vec<Command> = Vec::new();
    for run in pieces.chunk_by(|a, b| !a.is_directive && !b.is_directive) {
        let source = source_of(text, run);
        match parse_statement(source) {
            Command::Empty => {}
            command => commands.push(command),
        }
    }
    commands
}

fn source_of<'t>(text: &'t str, run: &[Piece]) -> &'t str {
    match run {
        [] => "",
        [only] => &text[only.statement.clone()],
        [first, .., last] => &text[first.statement.start..last.statement.end],
    }
}

/// What one statement says; `text` is one piece of [`script::split`], without the blank lines around it.
pub fn parse_statement(text: &str) -> Command {
    let text = text.trim_end();
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Command::Empty;
    }
    if let Some(directive) = parse_directive(text) {
        return directive;
    }
    Command::Python(text.to_owned())
}

fn parse_directive(text: &str) -> Option<Command> {
    if let Some(rest) = text.strip_prefix("%%") {
        let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
        let (name, args) = split_word(line);
        return Some(Command::CellMagic { name: name.into(), args: args.into(), body: body.into() });
    }
    if let Some(rest) = text.strip_prefix('%') {
        let (name, args) = split_word(rest);
        return Some(Command::Magic { name: name.into(), args: args.into() });
    }
    if let Some(rest) = text.strip_prefix('!') {
        return Some(Command::Shell(rest.trim().to_owned()));
    }
    if let Some((target, rest)) = split_at(text) {
        let command = Box::new(parse_statement(rest));
        return Some(Command::At { target: target.into(), command });
    }
    if let Some((name, target, expr)) = split_bind(text) {
        let (name, target, expr) = (name.into(), target.into(), expr.trim_end().into());
        return Some(Command::Bind { name, target, expr });
    }
    parse_inspect(text)
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

/// `expr?`, `expr??`, `?expr`, `??expr`, all on one line.
fn parse_inspect(text: &str) -> Option<Command> {
    if text.contains('\n') || !(text.starts_with('?') || text.ends_with('?')) {
        return None;
    }
    let expr = text.trim_matches('?').trim();
    let marks = text.len() - text.trim_matches('?').len();
    // A comment or a string that ends in a question mark is not a question.
    let asks = !expr.is_empty() && !expr.contains(['#', '"', '\'']);
    asks.then(|| Command::Inspect { expr: expr.to_owned(), detail: u8::from(marks > 1) })
}

/// Target and statement of `@T stmt`, if `text` begins with one and not with a decorator.
pub(crate) fn split_at(text: &str) -> Option<(&str, &str)> {
    let line_end = text.find('\n').unwrap_or(text.len());
    let (target, statement) = split_at_line(&text[..line_end])?;
    if could_be_decorator(target, statement) && heads_definition(&text[line_end..]) {
        return None;
    }
    Some((target, &text[line_end - statement.len()..]))
}

/// What looks like target and statement in one line.
fn split_at_line(line: &str) -> Option<(&str, &str)> {
    let (target, rest) = line.strip_prefix('@')?.split_once(char::is_whitespace)?;
    let statement = rest.trim_start();
    let is_target = !target.is_empty() && target.chars().all(|char| !"()[]{}\"'#=;".contains(char));
    (is_target && !statement.is_empty() && !statement.starts_with('#')).then_some((target, statement))
}

/// Whether `target statement` could be one Python expression, as in `@a + b` or `@a if b else c`.
fn could_be_decorator(target: &str, statement: &str) -> bool {
    let is_operand = target.bytes().all(|byte| is_word(byte) || byte == b'.');
    if !is_operand || target.as_bytes()[0].is_ascii_digit() {
        return false;
    }
    match leading_word(statement) {
        "" => !statement.starts_with(['"', '\'', '%', '!']),
        word => {
            matches!(word, "if" | "and" | "or" | "in" | "is" | "not")
                || matches!(target, "await" | "lambda" | "not")
        }
    }
}

/// Whether the first real line that follows begins a definition, after any number of decorators.
fn heads_definition(following: &str) -> bool {
    for line in following.lines() {
        if line.starts_with('@') {
            let is_directive = split_at_line(line).is_some_and(|(a, b)| !could_be_decorator(a, b));
            if is_directive {
                return false;
            }
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            return ["def", "class", "async"].contains(&leading_word(line));
        }
    }
    false
}

pub(crate) fn leading_word(line: &str) -> &str {
    let width = line.bytes().take_while(|byte| is_word(*byte)).count();
    &line[..width]
}

/// Name, target and expression of `name = @T expr`, which no Python begins with.
pub(crate) fn split_bind(text: &str) -> Option<(&str, &str, &str)> {
    let name = leading_word(text);
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let rest = text[name.len()..].trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('@')?;
    let width = rest.find(char::is_whitespace)?;
    let (target, rest) = rest.split_at(width);
    let expr = rest.trim_start_matches([' ', '\t']);
    let is_bind = !target.is_empty() && !expr.is_empty() && !expr.starts_with(['\n', '\r']);
    is_bind.then_some((name, target, expr))
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
