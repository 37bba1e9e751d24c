//! Events as text, for a person or for a pipe. Writes nothing itself.

mod answers;
mod failures;
mod json;

use super::{Answers, Event, News};
use antiphon_protocol::{EngineId, StreamName, target::compact};
use std::time::Duration;

/// For whom the text is.
#[derive(Clone, Debug)]
pub struct ViewOptions {
    /// With colours.
    pub color: bool,
    /// Columns of the terminal; 0: lines may be of any length.
    pub width: usize,
    /// For somebody who types: with `Out[n]:`, long answers cut.
    pub interactive: bool,
    /// One JSON object a line instead (see `docs/json.md`).
    pub json: bool,
}

impl ViewOptions {
    /// For a pipe or a file.
    pub fn script() -> ViewOptions {
        ViewOptions { color: false, width: 0, interactive: false, json: false }
    }
}

/// What is to be written where. For a person it is all for standard output, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// To standard output.
    pub out: String,
    /// To standard error.
    pub err: String,
    /// To be shown until something else is; only where there is a terminal.
    pub status: Option<String>,
}

/// Turns events into text. Remembers only whether a line is unfinished.
#[derive(Debug)]
pub struct View {
    options: ViewOptions,
    /// The engine and stream whose line is unfinished.
    open: Option<(Option<EngineId>, StreamName)>,
}

impl View {
    /// A view that has shown nothing yet.
    pub fn new(options: ViewOptions) -> View {
        View { options, open: None }
    }

    /// The options, to be changed when the terminal does.
    pub fn options_mut(&mut self) -> &mut ViewOptions {
        &mut self.options
    }

    /// What an event looks like.
    pub fn render(&mut self, event: &Event) -> Rendered {
        if self.options.json {
            return Rendered { out: json::line(event), ..Rendered::default() };
        }
        if let Event::Running { waiting, asked, elapsed } = event {
            let status = running(waiting, *asked, *elapsed);
            return Rendered { status: Some(self.dim(&status)), ..Rendered::default() };
        }
        if let Event::Stream { engine, stream, text } = event {
            return self.stream(*engine, *stream, text);
        }
        let mut rendered = self.close_line();
        match event {
            Event::Answers(answers) => self.answers(answers, false, &mut rendered),
            Event::Result(answers) => self.answers(answers, true, &mut rendered),
            Event::Text(text) => push_line(&mut rendered.out, text),
            other => {
                let text = self.aside(other);
                self.err(&mut rendered).push_str(&text);
            }
        }
        rendered
    }

    /// Where what is no answer goes. A person has only one place to look at, where the order counts.
    fn err<'r>(&self, rendered: &'r mut Rendered) -> &'r mut String {
        if self.options.interactive { &mut rendered.out } else { &mut rendered.err }
    }

    fn aside(&self, event: &Event) -> String {
        match event {
            Event::Bound { name, values } if self.options.interactive => {
                let values = if *values == 1 { "1 value".to_owned() } else { format!("{values} values") };
                self.line_dim(&format!("{name}: a list of {values}"))
            }
            Event::Info(text) => self.line_dim(text),
            Event::Warning(text) => format!("{} {text}\n", self.paint(YELLOW, "warning:")),
            Event::Error { message, hint } => {
                let error = format!("{} {message}\n", self.paint(RED, "error:"));
                match hint {
                    Some(hint) => format!("{error}{} {hint}\n", self.paint(CYAN, "hint:")),
                    None => error,
                }
            }
            Event::News(news) => self.news(news).map_or(String::new(), |text| self.line_dim(&text)),
            _ => String::new(),
        }
    }

    fn answers(&self, answers: &Answers, whole: bool, rendered: &mut Rendered) {
        answers::render(&self.options, answers, whole, &mut rendered.out);
        failures::render(&self.options, answers, self.err(rendered));
    }

    /// Output of an engine, its id before each line.
    fn stream(&mut self, engine: Option<EngineId>, stream: StreamName, text: &str) -> Rendered {
        let mut rendered =
            if self.open == Some((engine, stream)) { Rendered::default() } else { self.close_line() };
        let prefix = engine.map(|engine| self.paint(CYAN, &format!("[{engine}]")) + " ").unwrap_or_default();
        let mut shown = String::with_capacity(text.len() + prefix.len() + 1);
        let mut goes_on = self.open.is_some();
        for line in text.split_inclusive('\n') {
            if !goes_on {
                shown.push_str(&prefix);
            }
            shown.push_str(line);
            goes_on = false;
        }
        let is_open = if text.is_empty() { self.open.is_some() } else { !text.ends_with('\n') };
        self.open = is_open.then_some((engine, stream));
        match stream {
            StreamName::Stdout => rendered.out += &shown,
            StreamName::Stderr => *self.err(&mut rendered) += &shown,
        }
        rendered
    }

    /// Ends an unfinished line.
    pub fn close_line(&mut self) -> Rendered {
        let mut rendered = Rendered::default();
        match self.open.take() {
            Some((_, StreamName::Stdout)) => rendered.out.push('\n'),
            Some((_, StreamName::Stderr)) => self.err(&mut rendered).push('\n'),
            None => {}
        }
        rendered
    }

    fn news(&self, news: &News) -> Option<String> {
        let say = |engines: &[EngineId], one: &str, many: &str| {
            let ids = compact(engines.iter().copied());
            if engines.len() == 1 { format!("engine {ids} {one}") } else { format!("engines {ids} {many}") }
        };
        let text = match news {
            News::Up { engines } => say(engines, "is up again", "are up again") + ", with an empty namespace",
            News::Down { engines, cause, restarting } => {
                let then = if *restarting { "; being started again" } else { "; not to come back" };
                say(engines, "is gone", "are gone") + &format!(": {cause}{then}")
            }
            News::HostUp { .. } if !self.options.interactive => return None,
            News::HostUp { name, engines } => {
                format!("host {name} joined with engines {}", compact(engines.iter().copied()))
            }
            News::HostDown { name, engines } => {
                format!("host {name} is gone, and engines {} with it", compact(engines.iter().copied()))
            }
            News::Missed(count) => format!("{count} notices of engines coming and going were missed"),
        };
        Some(text)
    }

    fn paint(&self, color: &str, text: &str) -> String {
        paint(&self.options, color, text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }

    fn line_dim(&self, text: &str) -> String {
        let mut line = self.dim(text);
        line.push('\n');
        line
    }
}

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

fn paint(options: &ViewOptions, color: &str, text: &str) -> String {
    if options.color { format!("{color}{text}{RESET}") } else { text.to_owned() }
}

fn push_line(out: &mut String, text: &str) {
    out.push_str(text);
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

fn running(waiting: &[EngineId], asked: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if waiting.is_empty() {
        return format!("running for {seconds} s");
    }
    format!(
        "running for {seconds} s on {} of {asked}: engine[{}]",
        waiting.len(),
        compact(waiting.iter().copied())
    )
}

#[cfg(test)]
mod tests;
