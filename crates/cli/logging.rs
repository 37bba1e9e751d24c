//! Logs: a daemon's go to its bounded file, a command's warnings to standard error. `ANTIPHON_LOG` chooses what is
//! logged (`debug`, `antiphon_engine=trace`, …).

use crate::output;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Longest log before it is put aside as `….old`, whose predecessor goes: a daemon never fills a disk.
const MAX_LOG_BYTES: u64 = 8 << 20;

/// Warnings for the person who typed the command.
pub fn for_people() {
    let _ = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && output::has_colour())
        .with_target(false)
        .without_time()
        .finish()
        .with(filter(LevelFilter::WARN))
        .try_init();
}

/// A daemon's log: `path`, or standard error for one that runs in the foreground.
pub fn for_daemon(path: Option<&Path>) {
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
    let filter = filter(LevelFilter::INFO);
    let opened = path.and_then(|path| BoundedLog::open(path).ok());
    let _ = match opened {
        Some(log) => builder.with_ansi(false).with_writer(log).finish().with(filter).try_init(),
        None => {
            let colour = io::stderr().is_terminal();
            builder.with_ansi(colour).with_writer(io::stderr).finish().with(filter).try_init()
        }
    };
}

/// What the user wants logged. A filter that makes no sense is as good as none: logs must not keep a command from working.
fn filter(default: LevelFilter) -> Targets {
    let wanted = std::env::var("ANTIPHON_LOG").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| Targets::new().with_default(default))
}

/// A fault of ours is said as one, with what is needed to report it, and without a raw backtrace.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("it does not say more");
        let place =
            info.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
        tracing::error!(what, place, "a fault of Antiphon");
        output::complain(&format!(
            "error: Antiphon has a fault: {what}{place}\nhint: please report this line with what you did\n"
        ));
    }));
}

/// A log file that is put aside when it is full.
struct BoundedLog {
    path: PathBuf,
    state: Mutex<(File, u64)>,
}

impl BoundedLog {
    fn open(path: &Path) -> io::Result<Self> {
        let file = append(path)?;
        let length = file.metadata()?.len();
        Ok(BoundedLog { path: path.into(), state: Mutex::new((file, length)) })
    }

    fn lock(&self) -> MutexGuard<'_, (File, u64)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if state.1 + bytes.len() as u64 > MAX_LOG_BYTES {
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
            *state = (append(&self.path)?, 0);
        }
        state.0.write_all(bytes)?;
        state.1 += bytes.len() as u64;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for BoundedLog {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine(self)
    }
}

struct LogLine<'a>(&'a BoundedLog);

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_never_grows_over_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("controller.log");
        let log = BoundedLog::open(&path).unwrap();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            log.write(&line).unwrap();
        }
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(length(&path) <= MAX_LOG_BYTES && length(&path) > 0);
        assert!(length(&folder.path().join("controller.log.old")) <= MAX_LOG_BYTES);
    }
}
