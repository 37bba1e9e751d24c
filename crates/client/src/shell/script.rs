//! Splits a script, or anything typed, into its top-level statements.
//!
//! A directive (`%…`, `!…`, `@T …`, `name = @T …`) is one only where a statement begins: a line within a string, a bracket
//! or an indented block is never touched. Every byte of the text belongs to exactly one piece.

use super::{
    lexer::logical_line_end,
    parser::{leading_word, split_at, split_bind},
};
use std::ops::Range;

/// A top-level statement and the blank lines and comments that follow it (the first also has those before it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// All of it, in bytes of the text.
    pub range: Range<usize>,
    /// The statement without the blank lines and comments around it; empty if there is nothing else.
    pub statement: Range<usize>,
    /// The line of the text on which the statement begins, from 1.
    pub line: usize,
    /// Whether it is a directive of the shell.
    pub is_directive: bool,
}

/// Splits `text`. The pieces' ranges follow each other and cover it.
pub fn split(text: &str) -> Vec<Piece> {
    let mut splitter = Splitter { text, at: 0, pieces: Vec::new() };
    splitter.skip_trivia();
    let leading = splitter.at;
    while splitter.at < text.len() {
        splitter.statement();
    }
    let mut pieces = splitter.pieces;
    match pieces.first_mut() {
        Some(first) => first.range.start = 0,
        None if leading > 0 => {
            pieces.push(Piece { range: 0..leading, statement: 0..0, line: 1, is_directive: false });
        }
        None => {}
    }
    number_lines(text, &mut pieces);
    pieces
}

fn number_lines(text: &str, pieces: &mut [Piece]) {
    let (mut line, mut counted) = (1, 0);
    for piece in pieces {
        line += count_newlines(&text[counted..piece.statement.start]);
        counted = piece.statement.start;
        piece.line = line;
    }
}

fn count_newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

struct Splitter<'a> {
    text: &'a str,
    at: usize,
    pieces: Vec<Piece>,
}

impl<'a> Splitter<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self) -> &'a str {
        self.rest().split_inclusive('\n').next().unwrap_or_default()
    }

    /// Reads one statement and what follows it up to the next.
    fn statement(&mut self) {
        let start = self.at;
        let is_directive = self.directive();
        if !is_directive {
            self.python();
        }
        let end = self.at;
        self.skip_trivia();
        self.pieces.push(Piece { range: start..self.at, statement: start..end, line: 0, is_directive });
    }

    /// Reads a directive, if one begins here.
    fn directive(&mut self) -> bool {
        let rest = self.rest();
        if rest.starts_with("%%") {
            self.cell();
        } else if rest.starts_with(['%', '!']) {
            self.raw_lines();
        } else if let Some((_, statement)) = split_at(rest) {
            self.at = self.text.len() - statement.len();
            if !self.directive() {
                self.python();
            }
        } else if let Some((_, _, expr)) = split_bind(rest) {
            self.at = self.text.len() - expr.len();
            self.python();
        } else {
            let line = self.line().trim_end();
            let asks = line.starts_with('?') || line.ends_with('?') && !line.contains(['#', '"', '\'']);
            if asks {
                self.at += self.line().len();
            }
            return asks;
        }
        true
    }

    /// `%%magic`: everything to the next line that begins with `%%`.
    fn cell(&mut self) {
        self.at += self.line().len();
        while self.at < self.text.len() && !self.rest().starts_with("%%") {
            self.at += self.line().len();
        }
    }

    /// A line that is not Python, and those it continues on with a backslash.
    fn raw_lines(&mut self) {
        loop {
            let line = self.line();
            self.at += line.len();
            let goes_on = line.trim_end_matches(['\n', '\r']).ends_with('\\');
            if !goes_on || self.at == self.text.len() {
                return;
            }
        }
    }

    /// A Python statement with its block, its other clauses and its decorators.
    fn python(&mut self) {
        let mut decorated = self.rest().starts_with('@');
        self.at = logical_line_end(self.text, self.at);
        loop {
            // Blank lines and comments belong to the statement only if it goes on after them.
            let end = self.at;
            self.skip_trivia();
            let rest = self.rest();
            let goes_on = !rest.is_empty()
                && (decorated || rest.starts_with([' ', '\t', '\x0c']) || is_clause(leading_word(rest)));
            if !goes_on {
                self.at = end;
                return;
            }
            decorated = decorated && rest.starts_with('@');
            self.at = logical_line_end(self.text, self.at);
        }
    }

    /// Blank lines and lines with nothing but a comment.
    fn skip_trivia(&mut self) {
        while self.at < self.text.len() {
            let line = self.line();
            let content = line.trim_start();
            if !content.is_empty() && !content.starts_with('#') {
                return;
            }
            self.at += line.len();
        }
    }
}

fn is_clause(word: &str) -> bool {
    matches!(word, "else" | "elif" | "except" | "finally")
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
