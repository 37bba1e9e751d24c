//! Where a line of Python ends: strings, brackets, comments and backslashes, and nothing more.
//!
//! Broken source never confuses it for long: an unfinished string of one line ends with its line, and whatever is left
//! open at the end of the text goes to Python as it is, which says what is wrong better than we could.

/// The end of the logical line that starts at `start`: past its newline, or the text's end.
pub(crate) fn logical_line_end(text: &str, start: usize) -> usize {
    Lexer { bytes: text.as_bytes(), at: start, modes: Vec::new() }.run()
}

/// What the lexer is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// `(`, `[` or `{`.
    Bracket,
    /// A string.
    Text { quote: u8, triple: bool, fields: bool },
    /// A replacement field of an f-string.
    Field,
    /// What follows the colon of a replacement field.
    Format,
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    modes: Vec<Mode>,
}

impl Lexer<'_> {
    fn run(&mut self) -> usize {
        while let Some(&byte) = self.bytes.get(self.at) {
            let at_end = match self.modes.last().copied() {
                Some(Mode::Text { quote, triple, fields }) => {
                    self.text(byte, quote, triple, fields);
                    // A string of one line that was not finished ends the line it is on.
                    byte == b'\n' && self.modes.is_empty()
                }
                Some(Mode::Format) => {
                    self.format(byte);
                    false
                }
                mode => self.code(byte, mode),
            };
            if at_end {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
        self.at
    }

    /// One step in code; true at the end of the logical line.
    fn code(&mut self, byte: u8, mode: Option<Mode>) -> bool {
        match byte {
            b'\n' => {
                self.at += 1;
                return mode.is_none();
            }
            b'\\' => self.skip_escaped(),
            b'#' => {
                while self.bytes.get(self.at).is_some_and(|byte| *byte != b'\n') {
                    self.at += 1;
                }
            }
            b'\'' | b'"' => self.open_string(byte),
            b'(' | b'[' | b'{' => self.enter(Mode::Bracket, 1),
            b')' | b']' | b'}' => {
                // One too many is Python's to complain about.
                self.modes.pop();
                self.at += 1;
            }
            b':' if mode == Some(Mode::Field) => {
                self.modes.pop();
                self.enter(Mode::Format, 1);
            }
            _ => self.at += 1,
        }
        false
    }

    fn enter(&mut self, mode: Mode, width: usize) {
        self.modes.push(mode);
        self.at += width;
    }

    /// A backslash and what it escapes, a newline of two characters too.
    fn skip_escaped(&mut self) {
        let crlf = self.bytes[self.at..].starts_with(b"\\\r\n");
        self.at += if crlf { 3 } else { 2 };
    }

    fn open_string(&mut self, quote: u8) {
        let fields = self.has_fields();
        let triple = self.bytes[self.at..].starts_with(&[quote; 3]);
        self.enter(Mode::Text { quote, triple, fields }, if triple { 3 } else { 1 });
    }

    /// Whether the letters right before the quote make it an f-string or a template.
    fn has_fields(&self) -> bool {
        let before = &self.bytes[..self.at];
        let letters = before.iter().rev().take_while(|byte| is_word(**byte)).count();
        let prefix = &before[self.at - letters..];
        prefix.len() <= 2
            && prefix.iter().any(|byte| b"fFtT".contains(byte))
            && prefix.iter().all(|byte| b"fFtTrR".contains(byte))
    }

    fn text(&mut self, byte: u8, quote: u8, triple: bool, fields: bool) {
        let rest = &self.bytes[self.at..];
        match byte {
            b'\\' => self.skip_escaped(),
            b'\n' if !triple => {
                // Unfinished: back to where a line can end.
                self.modes.clear();
                self.at += 1;
            }
            _ if byte == quote && !triple => self.leave(1),
            _ if triple && rest.starts_with(&[quote; 3]) => self.leave(3),
            b'{' | b'}' if fields && rest.get(1) == Some(&byte) => self.at += 2,
            b'{' if fields => self.enter(Mode::Field, 1),
            _ => self.at += 1,
        }
    }

    fn leave(&mut self, width: usize) {
        self.modes.pop();
        self.at += width;
    }

    /// One step in a format specification, which is text up to its brace and may have fields of its own.
    fn format(&mut self, byte: u8) {
        let quote = self.modes.iter().rev().find_map(|mode| match mode {
            Mode::Text { quote, triple, .. } => Some((*quote, *triple)),
            _ => None,
        });
        match byte {
            b'{' => self.enter(Mode::Field, 1),
            b'}' => self.leave(1),
            // The string ends with its field unfinished: Python will say so.
            b'\n' if matches!(quote, Some((_, false))) => {
                self.modes.clear();
            }
            _ if quote == Some((byte, false)) => {
                self.leave(0);
            }
            _ => self.at += 1,
        }
    }
}

/// A byte of an identifier; those past ASCII count as letters.
pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}
