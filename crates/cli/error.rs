//! Errors as people see them: what failed, why, what to do, and the exit status that goes with it.

use antiphon_client::ClientError;
use antiphon_interpreter::FindError;
use antiphon_launch::LaunchError;
use antiphon_protocol::TargetError;
use std::{error::Error, io, process::ExitCode};

/// How a command ended.
pub type Outcome = Result<Status, Failure>;

/// Exit statuses. They are part of the interface: scripts decide by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All went well.
    Well,
    /// User code raised.
    Raised,
    /// The command was wrong, or this machine is not ready for it.
    Usage,
    /// The cluster or an engine was lost.
    Lost,
    /// Interrupted by Ctrl-C.
    Interrupted,
    /// Ended by this signal.
    Signal(u8),
}

impl Status {
    fn code(self) -> u8 {
        match self {
            Status::Well => 0,
            Status::Raised => 1,
            Status::Usage => 2,
            Status::Lost => 3,
            Status::Interrupted => 130,
            Status::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        status.code().into()
    }
}

/// A command that could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    /// What failed.
    pub message: String,
    /// Why, from the nearest to the deepest.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The end of a log that tells more.
    pub log: Option<String>,
}

impl Failure {
    /// A failure with these words.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into(), causes: Vec::new(), hint: None, log: None }
    }

    /// One with the causes of an error below it.
    pub fn system(message: impl Into<String>, source: &(dyn Error + 'static)) -> Self {
        let mut failure = Failure::new(Status::Usage, message);
        failure.add_causes(Some(source));
        failure
    }

    /// Standard output is closed: whoever read it has enough, so nothing is said.
    pub fn broken_pipe() -> Self {
        Failure::new(Status::Signal(13), "")
    }

    /// With advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints it on standard error.
    pub fn show(&self) {
        let text = self.to_text();
        if !text.is_empty() {
            crate::output::complain(&text);
        }
    }

    /// As printed.
    pub fn to_text(&self) -> String {
        if self.message.is_empty() {
            return String::new();
        }
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            text += &format!("caused by: {cause}\n");
        }
        if let Some(log) = &self.log {
            text += "its log ends with:\n";
            log.lines().for_each(|line| text += &format!("  | {line}\n"));
        }
        if let Some(hint) = &self.hint {
            text += &format!("hint: {hint}\n");
        }
        text
    }

    /// An error's own words, with its causes.
    pub fn of(status: Status, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Failure::new(status, error.to_string());
        failure.add_causes(error.source());
        failure
    }

    /// Adds a chain of sources, without those that only repeat what was said above them.
    fn add_causes(&mut self, mut source: Option<&(dyn Error + 'static)>) {
        while let Some(cause) = source {
            let words = cause.to_string();
            let last = self.causes.last().unwrap_or(&self.message);
            if !last.ends_with(&words) {
                self.causes.push(words);
            }
            source = cause.source();
        }
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let status = match &error {
            LaunchError::Died { .. } | LaunchError::NotReady { .. } | LaunchError::WillNotEnd { .. } => {
                Status::Lost
            }
            LaunchError::NotUp { .. } | LaunchError::Starting { .. } => Status::Lost,
            _ => Status::Usage,
        };
        let mut failure = Failure::of(status, &error);
        failure.log = error.log().map(str::to_owned);
        match error {
            LaunchError::Failed { failure: said, .. } => {
                failure.message = said.message;
                failure.causes = said.causes;
                failure.hint = said.hint;
                failure
            }
            LaunchError::NotUp { name } => {
                failure.with_hint(format!("start it with `antiphon up{}`", cluster_option(&name)))
            }
            LaunchError::AlreadyUp { name, .. } => failure.with_hint(format!(
                "`antiphon{0}` is a shell on it, `antiphon down{0}` ends it",
                cluster_option(&name)
            )),
            LaunchError::Died { how, .. } if how.contains("SIGKILL") => {
                failure.with_hint("the kernel does that when memory runs out: see dmesg")
            }
            LaunchError::NotPrivate { path, .. } => {
                failure.with_hint(format!("chmod go= '{}'", path.display()))
            }
            LaunchError::NoStateFolder => failure.with_hint("set HOME or XDG_STATE_HOME"),
            _ => failure,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = if error.is_usage() { Status::Usage } else { Status::Lost };
        let mut failure = Failure::of(status, &error);
        failure.hint = error.hint().map(str::to_owned);
        failure
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        Failure::of(Status::Usage, &error).with_hint(error.hint())
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let mut failure = Failure::new(Status::Usage, error.message);
        failure.hint = error.hint;
        failure
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::broken_pipe(),
            _ => Failure::of(Status::Usage, &error),
        }
    }
}

/// ` --cluster NAME`, unless it is the default one.
pub fn cluster_option(name: &str) -> String {
    if name == "default" { String::new() } else { format!(" --cluster {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let source = io::Error::from_raw_os_error(13);
        let error = LaunchError::File { doing: "make the folder", path: "/x".into(), source };
        let text = Failure::from(error).with_hint("ask its owner").to_text();
        assert_eq!(
            text,
            "error: could not make the folder /x\ncaused by: Permission denied (os error 13)\nhint: ask its owner\n"
        );
    }

    #[test]
    fn a_daemons_own_words_are_not_wrapped() {
        let said = antiphon_launch::Failure {
            message: "no Python was found".into(),
            causes: vec!["PATH is empty".into()],
            hint: Some("cargo antiphon".into()),
        };
        let failure = Failure::from(LaunchError::Failed { daemon: "host", failure: said });
        assert_eq!(
            failure.to_text(),
            "error: no Python was found\ncaused by: PATH is empty\nhint: cargo antiphon\n"
        );
        assert_eq!(failure.status, Status::Usage);
    }

    #[test]
    fn a_daemons_death_quotes_its_log() {
        let waited = Duration::from_secs(10);
        let error = LaunchError::NotReady { daemon: "controller", waited, log: "one\ntwo".into() };
        let failure = Failure::from(error);
        assert_eq!(
            failure.to_text(),
            "error: the controller was not ready after 10 s\nits log ends with:\n  | one\n  | two\n"
        );
        assert_eq!(failure.status.code(), 3);
    }

    #[test]
    fn a_closed_pipe_is_no_error_to_read() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.to_text().as_str(), failure.status.code()), ("", 141));
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let mut failure = Failure::new(Status::Usage, "could not read it: no such file");
        failure.add_causes(Some(&io::Error::other("no such file")));
        assert_eq!(failure.causes, Vec::<String>::new());
    }
}
