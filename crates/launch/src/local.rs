//! Starting daemons. One trait, so that other ways (over ssh, by a batch system, under MPI) fit beside [`Local`]:
//! each gets the same plans and gives back a [`Daemon`].

use crate::{ClusterName, Daemon, LaunchError, Lifeline, daemon::LogTail};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe_with},
    process::setsid,
};
use std::{
    ffi::OsString,
    fs::{self, File},
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a controller is to be started with.
#[derive(Clone, Debug)]
pub struct ControllerPlan {
    /// The cluster.
    pub cluster: ClusterName,
    /// Where its output goes.
    pub log: PathBuf,
}

/// What a host is to be started with.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// The cluster it joins.
    pub cluster: ClusterName,
    /// How many engines.
    pub engines: u32,
    /// `--python`'s argument.
    pub python: Option<OsString>,
    /// Labels its engines carry.
    pub labels: Vec<String>,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A way to start daemons.
pub trait Launcher {
    /// Starts a controller; it says on its own when it is ready.
    fn controller(&self, plan: &ControllerPlan, lifeline: Option<&Lifeline>) -> Result<Daemon, LaunchError>;
    /// Starts a host; it says on its own when it has joined.
    fn host(&self, plan: &HostPlan, lifeline: Option<&Lifeline>) -> Result<Daemon, LaunchError>;
}

/// On this machine, as children of this process, each in a session of its own: the terminal's Ctrl-C is not theirs.
#[derive(Clone, Debug)]
pub struct Local {
    /// The `antiphon` program.
    pub program: PathBuf,
}

impl Local {
    /// With this very program.
    pub fn this_program() -> Result<Self, LaunchError> {
        let program =
            std::env::current_exe().map_err(|error| LaunchError::system("find this program", error))?;
        Ok(Local { program })
    }

    fn start(
        &self,
        kind: &'static str,
        args: Vec<OsString>,
        log: &Path,
        lifeline: Option<&Lifeline>,
    ) -> Result<Daemon, LaunchError> {
        let log_file = open_log(log)?;
        let fail = |error| LaunchError::file("open", log, error);
        let (out, err) = (log_file.try_clone().map_err(fail)?, log_file.try_clone().map_err(fail)?);
        let tail = LogTail::new(log_file).map_err(fail)?;
        let (pipe, reporting) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| LaunchError::system("make a pipe", error))?;

        let mut command = Command::new(&self.program);
        command.args(args).stdin(Stdio::null()).stdout(out).stderr(err);
        // The folder this was started from may be unmounted or removed while the daemon lives; user code, however,
        // expects to be where the user is, so the working directory stays.
        let mut inherited = vec![reporting.as_raw_fd()];
        command.arg("--ready-fd").arg(reporting.as_raw_fd().to_string());
        if let Some(lifeline) = lifeline {
            inherited.push(lifeline.reading().as_raw_fd());
            command.arg("--lifeline-fd").arg(lifeline.reading().as_raw_fd().to_string());
        }
        // SAFETY: between fork and exec only the two system calls below are made; nothing is allocated or locked.
        unsafe {
            command.pre_exec(move || {
                setsid()?;
                for fd in &inherited {
                    fcntl_setfd(BorrowedFd::borrow_raw(*fd), FdFlags::empty())?;
                }
                Ok(())
            });
        }
        let child = command.spawn().map_err(|error| LaunchError::file("run", &self.program, error))?;
        drop(reporting);
        Daemon::new(kind, child, pipe, tail)
    }
}

impl Launcher for Local {
    fn controller(&self, plan: &ControllerPlan, lifeline: Option<&Lifeline>) -> Result<Daemon, LaunchError> {
        let args = vec!["controller".into(), "--cluster".into(), plan.cluster.as_str().into()];
        self.start("controller", args, &plan.log, lifeline)
    }

    fn host(&self, plan: &HostPlan, lifeline: Option<&Lifeline>) -> Result<Daemon, LaunchError> {
        let mut args: Vec<OsString> =
            vec!["engines".into(), "--cluster".into(), plan.cluster.as_str().into()];
        args.extend(["-n".into(), plan.engines.to_string().into()]);
        if let Some(python) = &plan.python {
            args.extend(["--python".into(), python.clone()]);
        }
        for label in &plan.labels {
            args.extend(["--label".into(), label.into()]);
        }
        self.start("host", args, &plan.log, lifeline)
    }
}

fn open_log(log: &Path) -> Result<File, LaunchError> {
    fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)
        .map_err(|error| LaunchError::file("open", log, error))
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
