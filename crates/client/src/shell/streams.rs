//! Puts the pieces of the engines' output together to lines, so that two engines never share one.

use super::{Event, Sink};
use antiphon_protocol::{EngineId, StreamName};
use std::collections::BTreeMap;

/// Longest unfinished line that is held back; a longer one is shown in parts.
const HELD_LIMIT_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Streams {
    held: BTreeMap<(EngineId, bool), String>,
}

impl Streams {
    /// An engine printed `text`; if it is `alone`, unfinished lines are shown at once.
    pub(crate) fn feed(
        &mut self,
        engine: EngineId,
        stream: StreamName,
        text: &[u8],
        alone: bool,
        sink: &mut dyn Sink,
    ) {
        let key = (engine, stream == StreamName::Stderr);
        let mut ready = self.held.remove(&key).unwrap_or_default();
        ready.push_str(&String::from_utf8_lossy(text));
        let whole = if alone { ready.len() } else { ready.rfind('\n').map_or(0, |at| at + 1) };
        if ready.len() - whole < HELD_LIMIT_BYTES {
            let rest = ready.split_off(whole);
            if !rest.is_empty() {
                self.held.insert(key, rest);
            }
        }
        if !ready.is_empty() {
            sink.on_event(Event::Stream { engine: Some(engine), stream, text: ready });
        }
    }

    /// The engine has answered: what is left of its output is shown.
    pub(crate) fn finish(&mut self, engine: EngineId, sink: &mut dyn Sink) {
        for is_stderr in [false, true] {
            if let Some(text) = self.held.remove(&(engine, is_stderr)) {
                let stream = if is_stderr { StreamName::Stderr } else { StreamName::Stdout };
                sink.on_event(Event::Stream { engine: Some(engine), stream, text });
            }
        }
    }

    /// Shows whatever is held.
    pub(crate) fn flush(&mut self, sink: &mut dyn Sink) {
        let engines: Vec<_> = self.held.keys().map(|(engine, _)| *engine).collect();
        for engine in engines {
            self.finish(engine, sink);
        }
    }
}
