//! Colours for Python as it is typed. A scanner of one pass, which no half-written text can confuse for long.

use std::{borrow::Cow, ops::Range};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Keyword,
    Text,
    Number,
    Comment,
    /// `%magic`, `@T`, `!`.
    Directive,
    Definition,
    Plain,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// What a pass found.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanned {
    pub(super) tokens: Vec<Token>,
    /// A bracket or a triple-quoted string is open at the end.
    pub(super) is_open: bool,
}

const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "match", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

impl Kind {
    /// The colour: readable on dark and on light.
    fn code(self) -> Option<&'static str> {
        match self {
            Kind::Keyword => Some("\x1b[35m"),
            Kind::Text => Some("\x1b[32m"),
            Kind::Number => Some("\x1b[36m"),
            Kind::Comment => Some("\x1b[90m"),
            Kind::Directive => Some("\x1b[1;33m"),
            Kind::Definition => Some("\x1b[34m"),
            Kind::Plain => None,
        }
    }
}

/// The prompt in colour.
pub(super) fn prompt(raw: &str, first: bool) -> String {
    let code = if first { "\x1b[1;32m" } else { "\x1b[90m" };
    format!("{code}{raw}\x1b[0m")
}

/// `line` in colour, where it follows `before`.
pub(super) fn paint<'a>(before: &str, line: &'a str) -> Cow<'a, str> {
    let whole = format!("{before}{line}");
    let mut painted = String::with_capacity(line.len() * 2);
    let mut coloured = false;
    for token in scan(&whole).tokens {
        let range = token.range.start.max(before.len())..token.range.end.max(before.len());
        let text = &whole[range];
        match token.kind.code().filter(|_| !text.is_empty()) {
            // A terminal's colour is best ended before a line is.
            Some(code) => {
                coloured = true;
                painted.push_str(code);
                painted.push_str(text);
                painted.push_str("\x1b[0m");
            }
            None => painted.push_str(text),
        }
    }
    if coloured { Cow::Owned(painted) } else { Cow::Borrowed(line) }
}

/// Cuts the text into tokens that follow each other and cover it.
pub(super) fn scan(text: &str) -> Scanned {
    let mut scanner = Scanner { text, at: 0, depth: 0, is_open: false, tokens: Vec::new() };
    scanner.directive();
    while scanner.at < text.len() {
        scanner.step();
    }
    Scanned { tokens: scanner.tokens, is_open: scanner.is_open || scanner.depth > 0 }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    is_open: bool,
    tokens: Vec<Token>,
}

impl Scanner<'_> {
    fn take(&mut self, length: usize, kind: Kind) {
        let end = (self.at + length).min(self.text.len());
        match self.tokens.last_mut() {
            Some(last) if last.kind == kind && kind == Kind::Plain => last.range.end = end,
            _ => self.tokens.push(Token { range: self.at..end, kind }),
        }
        self.at = end;
    }

    /// `%magic`, `%%magic`, `!`, `@T` at the very start.
    fn directive(&mut self) {
        let lead = self.text.len() - self.text.trim_start().len();
        let rest = &self.text[lead..];
        let length = match rest.as_bytes() {
            [b'!', ..] => 1,
            [b'%' | b'@', ..] => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            _ => return,
        };
        self.take(lead, Kind::Plain);
        self.take(length, Kind::Directive);
    }

    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return };
        match first {
            '#' => self.take(rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
            '"' | '\'' => self.string(0),
            _ if first.is_ascii_digit() => self.take(number(rest), Kind::Number),
            _ if first == '_' || first.is_alphabetic() => self.word(),
            _ => {
                match first {
                    '(' | '[' | '{' => self.depth += 1,
                    ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.take(first.len_utf8(), Kind::Plain);
            }
        }
    }

    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let is_prefix = length <= 2 && word.chars().all(|c| "rRbBfFuUtT".contains(c));
        if is_prefix && after.starts_with(['"', '\'']) {
            return self.string(length);
        }
        let kind =
            match self.tokens.iter().rev().find(|token| !self.text[token.range.clone()].trim().is_empty()) {
                Some(before) if ["def", "class"].contains(&&self.text[before.range.clone()]) => {
                    Kind::Definition
                }
                _ if KEYWORDS.contains(&word) => Kind::Keyword,
                _ => Kind::Plain,
            };
        // A word of its own, even if plain: `def` must be seen alone.
        self.tokens.push(Token { range: self.at..self.at + length, kind });
        self.at += length;
    }

    /// A string whose quote comes after a prefix of this length.
    fn string(&mut self, prefix: usize) {
        let rest = &self.text[self.at..];
        let body = &rest[prefix..];
        let quote = &body[..1];
        let triple = quote.repeat(3);
        let end = if body.starts_with(&triple) { triple.as_str() } else { quote };
        let mut at = prefix + end.len();
        let bytes = rest.as_bytes();
        loop {
            match bytes.get(at) {
                None => {
                    self.is_open |= end.len() == 3;
                    break;
                }
                Some(b'\\') => at += 2,
                Some(b'\n') if end.len() == 1 => break,
                Some(_) if bytes[at..].starts_with(end.as_bytes()) => {
                    at += end.len();
                    break;
                }
                Some(_) => at += 1,
            }
        }
        // An escape may have stepped into a character.
        while at < rest.len() && !rest.is_char_boundary(at) {
            at += 1;
        }
        self.take(at, Kind::Text);
    }
}

/// How long the number is that begins here.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let hexadecimal = bytes.len() > 1 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X');
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        let exponent = matches!(bytes[at - 1], b'e' | b'E') && !hexadecimal;
        let goes_on = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_')
            || matches!(byte, b'+' | b'-') && exponent;
        if !goes_on {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(&str, Kind)> {
        let tokens = scan(text).tokens;
        let shown = tokens.iter().map(|token| (&text[token.range.clone()], token.kind));
        shown.filter(|(_, kind)| *kind != Kind::Plain).collect()
    }

    #[test]
    fn python_is_told_apart() {
        assert_eq!(
            kinds("def größe(x): return x + 1e-3 # 'why'"),
            [
                ("def", Kind::Keyword),
                ("größe", Kind::Definition),
                ("return", Kind::Keyword),
                ("1e-3", Kind::Number),
                ("# 'why'", Kind::Comment)
            ]
        );
        assert_eq!(kinds("rb'a\\'b' f(x)"), [("rb'a\\'b'", Kind::Text)]);
        assert_eq!(kinds("@0-3,7 x = 'é"), [("@0-3,7", Kind::Directive), ("'é", Kind::Text)]);
        assert_eq!(kinds("%target 0"), [("%target", Kind::Directive), ("0", Kind::Number)]);
    }

    #[test]
    fn tokens_cover_any_text() {
        for text in
            ["", "\\", "'\\é", "\"\"\"a\nb", "0x", "é'é\\", "@", "f'{x", "((((", "a\n'b\nc'", "🦀 'x'\\🦀"]
        {
            let tokens = scan(text).tokens;
            let mut at = 0;
            for token in tokens {
                assert_eq!(token.range.start, at, "{text:?}");
                at = token.range.end;
            }
            assert_eq!(at, text.len(), "{text:?}");
        }
    }

    #[test]
    fn what_is_open_is_known() {
        assert!(scan("f(").is_open && scan("'''").is_open && scan("[1,\n").is_open);
        assert!(!scan("f()").is_open && !scan("'").is_open && !scan(")(\n)").is_open);
    }

    #[test]
    fn paint_changes_nothing_but_colour() {
        let painted = paint("x = '''", "in the string ''' + 1");
        assert_eq!(painted, "\x1b[32min the string '''\x1b[0m + \x1b[36m1\x1b[0m");
        assert_eq!(paint("", "x + y"), "x + y");
    }
}
