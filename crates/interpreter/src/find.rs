//! Finding the Python to use: the user's, or the built-in one.
//!
//! Blocking, and done once: a candidate is asked for its version and its real path, so that later starts do not go
//! through a version manager's shim. Starts nothing that stays.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    fmt,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

/// The oldest Python whose side of the bridge is tested.
pub const OLDEST: (u32, u32) = (3, 9);

/// How long a candidate may take to say its version: shims on slow network folders take seconds.
const PROBE_DEADLINE: Duration = Duration::from_secs(20);

/// Most a candidate's answer may be long.
const PROBE_BYTES: usize = 64 << 10;

/// The candidate's answer: implementation, version, executable, one a line. Python 2 understands it as well, so that it can
/// be named.
const PROBE: &str = "import sys; name = getattr(sys, 'implementation', None); \
    sys.stdout.write('%s\\n%d.%d.%d\\n%s\\n' % ((name and name.name,) + tuple(sys.version_info[:3]) + (sys.executable,)))";

/// Which Python is wanted: `auto`, `builtin`, or a path to an interpreter or to the folder of a virtual environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PythonChoice {
    /// The active environment's, else the one on PATH, else the built-in one.
    #[default]
    Auto,
    /// The built-in one.
    Builtin,
    /// This one.
    Path(PathBuf),
}

impl FromStr for PythonChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<PythonChoice, Infallible> {
        Ok(match text {
            "auto" | "" => PythonChoice::Auto,
            "builtin" => PythonChoice::Builtin,
            path => PythonChoice::Path(path.into()),
        })
    }
}

impl fmt::Display for PythonChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PythonChoice::Auto => f.write_str("auto"),
            PythonChoice::Builtin => f.write_str("builtin"),
            PythonChoice::Path(path) => path.display().fmt(f),
        }
    }
}

/// A Python that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// The executable.
    pub program: PathBuf,
    /// It is this very executable's built-in interpreter.
    pub builtin: bool,
    /// Its version as it says, `3.11.7`; empty for the built-in one, which says so when it is ready.
    pub version: String,
    /// Why this one, for people: `VIRTUAL_ENV`, `python3 on PATH`, ….
    pub origin: String,
}

impl Python {
    /// The built-in interpreter of an `antiphon` executable.
    pub fn builtin_of(program: PathBuf) -> Python {
        Python { program, builtin: true, version: String::new(), origin: "built-in".to_owned() }
    }

    /// The start of its command line; what is left are the mode and the descriptors.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.builtin {
            command.arg("engine");
        } else {
            command.arg("-c").arg(crate::boot());
        }
        command
    }
}

/// A candidate that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which.
    pub program: PathBuf,
    /// Where it was found.
    pub origin: String,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}", self.program.display(), self.origin, self.reason)
    }
}

/// Why there is no Python to use.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// `auto` found none.
    #[error("no Python {}.{} or newer was found{}", OLDEST.0, OLDEST.1, listed(.rejected))]
    NotFound {
        /// What was looked at.
        rejected: Vec<Rejected>,
    },
    /// The one that was named cannot be used.
    #[error("{0}")]
    Unusable(Rejected),
    /// The built-in one is not in this executable.
    #[error("this antiphon was built without the built-in interpreter")]
    NoBuiltin,
    /// This executable's path is not known.
    #[error("the path of this executable is not known")]
    NoExecutable(#[source] io::Error),
}

impl FindError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            FindError::NotFound { .. } => {
                "install Python 3.9 or newer, name one with --python PATH, or start with `cargo antiphon`, which has an interpreter built in"
            }
            FindError::Unusable(_) => {
                "name a Python 3.9 or newer, or the folder of a virtual environment, with --python PATH"
            }
            FindError::NoBuiltin => {
                "start with `cargo antiphon`, or build with `--features builtin-python --ignore-rust-version`"
            }
            FindError::NoExecutable(_) => "name a Python with --python PATH",
        }
    }
}

fn listed(rejected: &[Rejected]) -> String {
    rejected.iter().map(|one| format!("; {one}")).collect()
}

/// Finds the Python that was chosen. Blocks while candidates are asked for their version.
pub fn find(choice: &PythonChoice) -> Result<Python, FindError> {
    match choice {
        PythonChoice::Auto => auto(|name| env::var_os(name)),
        PythonChoice::Builtin => builtin(),
        PythonChoice::Path(path) => named(path),
    }
}

fn builtin() -> Result<Python, FindError> {
    if !cfg!(feature = "builtin-python") {
        return Err(FindError::NoBuiltin);
    }
    env::current_exe().map(Python::builtin_of).map_err(FindError::NoExecutable)
}

fn named(path: &Path) -> Result<Python, FindError> {
    let inside = path.join("bin/python");
    let on_path = || {
        // A bare name such as `python3.12` is looked up, as a shell would.
        let bare = path.components().count() == 1 && !path.exists();
        bare.then(|| on_path(path, env::var_os("PATH"))).flatten()
    };
    let program = if inside.exists() { inside } else { on_path().unwrap_or_else(|| path.to_owned()) };
    probe(&program, "--python").map_err(FindError::Unusable)
}

/// `auto`, over any environment.
fn auto(variable: impl Fn(&str) -> Option<OsString>) -> Result<Python, FindError> {
    let mut candidates = Vec::new();
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        if let Some(folder) = variable(name).filter(|folder| !folder.is_empty()) {
            candidates.push((Path::new(&folder).join("bin/python"), name.to_owned()));
        }
    }
    for name in ["python3", "python"] {
        if let Some(program) = on_path(Path::new(name), variable("PATH")) {
            candidates.push((program, format!("{name} on PATH")));
        }
    }
    let mut rejected = Vec::new();
    for (program, origin) in candidates {
        match probe(&program, &origin) {
            Ok(python) => {
                for one in &rejected {
                    tracing::warn!("passed over {one}");
                }
                return Ok(python);
            }
            Err(one) => rejected.push(one),
        }
    }
    builtin().map_err(|_| FindError::NotFound { rejected })
}

fn on_path(name: &Path, path: Option<OsString>) -> Option<PathBuf> {
    let is_executable = |program: &PathBuf| {
        program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
    };
    env::split_paths(&path?).map(|folder| folder.join(name)).find(is_executable)
}

/// Asks a candidate what it is.
fn probe(program: &Path, origin: &str) -> Result<Python, Rejected> {
    let rejected =
        |reason: String| Rejected { program: program.to_owned(), origin: origin.to_owned(), reason };
    let output = ask(program).map_err(|error| rejected(format!("cannot be asked its version: {error}")))?;
    let mut lines = output.lines();
    let (Some(_), Some(version), executable) = (lines.next(), lines.next(), lines.next()) else {
        return Err(rejected("does not answer like a Python".to_owned()));
    };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < OLDEST {
        return Err(rejected(format!("is Python {version}: too old")));
    }
    let real = executable.map(Path::new).filter(|path| path.is_file());
    Ok(Python {
        program: real.unwrap_or(program).to_owned(),
        builtin: false,
        version: version.to_owned(),
        origin: origin.to_owned(),
    })
}

/// Runs the probe, within its deadline.
fn ask(program: &Path) -> io::Result<String> {
    let mut child = Reaped(
        Command::new(program)
            .args(["-E", "-s", "-S", "-c", PROBE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?,
    );
    let Some(mut stdout) = child.0.stdout.take() else { return Ok(String::new()) };
    let deadline = Instant::now() + PROBE_DEADLINE;
    let mut output = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout));
        match ready {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let read = stdout.read(&mut chunk)?;
        output.extend_from_slice(&chunk[..read]);
        if read == 0 || output.len() > PROBE_BYTES {
            return Ok(String::from_utf8_lossy(&output).into_owned());
        }
    }
}

/// A child that is killed and waited for.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
