//! A daemon as the one who started it sees it, and the daemon's own end of that.
//!
//! Between them is a pipe. The daemon writes one line on it: that it is ready, or why it cannot be. It then keeps its
//! end open, so that the pipe's end is the daemon's end, whatever took it.

use crate::{LaunchError, inherited_fd};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::{OwnedFd, RawFd},
    process::{Child, ExitStatus},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// Longest line on the pipe: an error with its causes.
const MAX_REPORT_BYTES: usize = 16 << 10;

/// How much of the end of a log goes into an error: about a screen.
const LOG_TAIL_BYTES: u64 = 2 << 10;

/// Why a daemon cannot work, in words for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// Why, from the nearest to the deepest.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Report {
    Ready,
    Failed(Failure),
}

/// The daemon's end. To be kept until the process ends.
#[derive(Debug)]
pub struct Reporter {
    pipe: File,
}

impl Reporter {
    /// From the descriptor named on the command line.
    pub fn inherit(number: RawFd) -> Result<Self, LaunchError> {
        Ok(Reporter { pipe: inherited_fd(number)?.into() })
    }

    /// Says that the daemon does its work now. Whether anybody still listens does not matter.
    pub fn ready(&mut self) {
        self.say(&Report::Ready);
    }

    /// Says why it cannot.
    pub fn failed(&mut self, failure: Failure) {
        self.say(&Report::Failed(failure));
    }

    fn say(&mut self, report: &Report) {
        if let Ok(mut line) = serde_json::to_vec(report) {
            line.push(b'\n');
            let _ = self.pipe.write_all(&line);
        }
    }
}

/// A daemon that this process started.
#[derive(Debug)]
pub struct Daemon {
    kind: &'static str,
    child: Child,
    pipe: pipe::Receiver,
    said: Vec<u8>,
    log: LogTail,
    ended: Option<String>,
    detached: bool,
}

impl Daemon {
    pub(crate) fn new(
        kind: &'static str,
        child: Child,
        pipe: OwnedFd,
        log: LogTail,
    ) -> Result<Self, LaunchError> {
        let pipe = pipe::Receiver::from_owned_fd(pipe)
            .map_err(|error| LaunchError::system("listen to a daemon's pipe", error))?;
        Ok(Daemon { kind, child, pipe, said: Vec::new(), log, ended: None, detached: false })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready. May be dropped and called again.
    pub async fn ready(&mut self, within: Duration) -> Result<(), LaunchError> {
        let Ok(line) = tokio::time::timeout(within, self.line()).await else {
            return Err(LaunchError::NotReady { daemon: self.kind, waited: within, log: self.log.read() });
        };
        let report = line.and_then(|line| serde_json::from_slice(&line).ok());
        match report {
            Some(Report::Ready) => Ok(()),
            Some(Report::Failed(failure)) => Err(LaunchError::Failed { daemon: self.kind, failure }),
            None => Err(self.death().await),
        }
    }

    /// Waits for its end: an error that says how it ended. May be dropped and called again.
    pub async fn death(&mut self) -> LaunchError {
        let how = self.ended().await;
        // Whoever is killed has written nothing about it.
        let log = if how.starts_with("by signal") { String::new() } else { self.log.read() };
        LaunchError::Died { daemon: self.kind, how, log }
    }

    /// Waits for its end and says how it ended. May be dropped and called again.
    pub async fn ended(&mut self) -> String {
        if let Some(how) = &self.ended {
            return how.clone();
        }
        let mut unread = [0; 256];
        while matches!(self.pipe.read(&mut unread).await, Ok(1..)) {}
        // The pipe ends with the process, so this takes no time; a zombie is left to nobody.
        let how = match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("in an unknown way ({error})"),
        };
        self.ended = Some(how.clone());
        how
    }

    /// Asks (`SIGTERM`) or makes (`SIGKILL`) it end.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // It is our child and not reaped yet, so the id cannot mean another process.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end, helping: SIGTERM after `patience`, SIGKILL after as long again.
    pub async fn end(&mut self, patience: Duration) {
        for signal in [Signal::TERM, Signal::KILL] {
            if tokio::time::timeout(patience, self.ended()).await.is_ok() {
                return;
            }
            self.signal(signal);
        }
        let _ = tokio::time::timeout(patience, self.ended()).await;
    }

    /// Lets it outlive this process.
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// One line, or nothing if the pipe ended first.
    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
                return Some(self.said.drain(..=end).collect());
            }
            let mut part = [0; 1024];
            match self.pipe.read(&mut part).await {
                Ok(n @ 1..) if self.said.len() + n <= MAX_REPORT_BYTES => self.said.extend(&part[..n]),
                _ => return None,
            }
        }
    }
}

impl Drop for Daemon {
    /// A daemon that was neither ended nor let go was forgotten on the way of an error: it goes.
    fn drop(&mut self) {
        if !self.detached {
            self.signal(Signal::TERM);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with status {code}"),
        (None, Some(9)) => "by signal 9 (SIGKILL)".into(),
        (None, Some(15)) => "by signal 15 (SIGTERM)".into(),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "in an unknown way".into(),
    }
}

/// What a daemon wrote to its log since it was started.
#[derive(Debug)]
pub(crate) struct LogTail {
    file: File,
    start: u64,
}

impl LogTail {
    pub fn new(mut file: File) -> io::Result<Self> {
        let start = file.seek(SeekFrom::End(0))?;
        Ok(LogTail { file, start })
    }

    fn read(&mut self) -> String {
        let mut tail = Vec::new();
        let end = self.file.seek(SeekFrom::End(0)).unwrap_or(self.start);
        let from = self.start.max(end.saturating_sub(LOG_TAIL_BYTES));
        let read = self
            .file
            .seek(SeekFrom::Start(from))
            .and_then(|_| (&self.file).take(LOG_TAIL_BYTES).read_to_end(&mut tail));
        match read {
            Ok(_) => String::from_utf8_lossy(&tail).trim_end().to_owned(),
            Err(_) => String::new(),
        }
    }
}
