//! `antiphon doctor`: looks at this machine, and says what is wrong and what to do.
//!
//! Each check looks at one thing, changes nothing and gives one [`Finding`].

use crate::{
    args::DoctorArgs,
    attach::find_python,
    error::{Failure, Outcome, Status, cluster_option},
    output,
    own::connect,
};
use antiphon_interpreter::{Interpreter, InterpreterConfig, InterpreterRole, Python};
use antiphon_launch::{Folder, FolderState, MAX_SOCKET_PATH_BYTES, state_root};
use rustix::process::{Resource, getrlimit};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

/// How long one check may take before that is what is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// Descriptors for a hundred engines: about ten for each, and room for files of the user's own.
const ENOUGH_DESCRIPTORS: u64 = 1024;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// What a check found.
#[derive(Clone, Debug)]
struct Finding {
    grade: Grade,
    about: &'static str,
    words: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, words: impl Into<String>) -> Self {
        Finding { grade: Grade::Ok, about, words: words.into(), advice: None }
    }

    fn warn(about: &'static str, words: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { grade: Grade::Warn, about, words: words.into(), advice: Some(advice.into()) }
    }

    fn fail(about: &'static str, failure: Failure) -> Self {
        let mut words = failure.message;
        failure.causes.iter().for_each(|cause| words += &format!(": {cause}"));
        Finding { grade: Grade::Fail, about, words, advice: failure.hint }
    }

    fn line(&self) -> String {
        let grade = match self.grade {
            Grade::Ok => "ok  ",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        };
        let mut text = format!("{grade}  {:<11}  {}\n", self.about, self.words);
        if let Some(advice) = &self.advice {
            text += &format!("      {:<11}  hint: {advice}\n", "");
        }
        text
    }
}

pub async fn run(args: DoctorArgs) -> Outcome {
    let mut worst = Grade::Ok;
    let mut all = Vec::new();
    let mut show = |finding: Finding| {
        worst = worst.max(finding.grade);
        let shown = if args.json { Ok(Status::Well) } else { output::write(finding.line().as_bytes()) };
        all.push(finding);
        shown
    };
    let builtin = if cfg!(feature = "builtin-python") { "with" } else { "without" };
    show(Finding::ok(
        "antiphon",
        format!("{} {builtin} the built-in interpreter", env!("CARGO_PKG_VERSION")),
    ))?;
    for finding in python(args.python.as_deref()).await {
        show(finding)?;
    }
    match state_root() {
        Err(error) => drop(show(Finding::fail("state", error.into()))?),
        Ok(root) => {
            show(state(&root))?;
            show(socket(&root))?;
            for finding in clusters(&root).await {
                show(finding)?;
            }
        }
    }
    show(descriptors())?;
    show(processes())?;
    if args.json {
        let findings: Vec<_> = all.iter().map(to_json).collect();
        output::line(&json!({ "kind": "doctor", "findings": findings }).to_string())?;
    }
    Ok(if worst == Grade::Fail { Status::Usage } else { Status::Well })
}

fn to_json(finding: &Finding) -> serde_json::Value {
    let grade = match finding.grade {
        Grade::Ok => "ok",
        Grade::Warn => "warn",
        Grade::Fail => "fail",
    };
    json!({ "grade": grade, "about": finding.about, "words": finding.words, "hint": finding.advice })
}

/// Is there a Python, does it start, and what has it got?
async fn python(option: Option<&str>) -> Vec<Finding> {
    let python = match find_python(option).await {
        Ok(python) => python,
        Err(failure) => return vec![Finding::fail("python", failure)],
    };
    let config =
        InterpreterConfig { role: InterpreterRole::Local, n_engines: 0, ..InterpreterConfig::default() };
    let info = match timeout(PATIENCE, Interpreter::start(&python, config)).await {
        Ok(Ok(interpreter)) => interpreter.info().clone(),
        Ok(Err(error)) => return vec![Finding::fail("python", Failure::of(Status::Usage, &error))],
        Err(_) => {
            let words = format!("{} did not start within {} s", python.program.display(), PATIENCE.as_secs());
            return vec![Finding::fail("python", Failure::new(Status::Usage, words))];
        }
    };
    let found =
        format!("{} {} · {} ({})", info.implementation, info.version, executable(&python), python.origin);
    let mut findings = vec![Finding::ok("python", found)];
    let version =
        |wanted: &str| info.packages.iter().find(|(name, _)| name == wanted).map(|(_, version)| version);
    for (name, advice) in [
        ("numpy", "without it there are no arrays; `pip install numpy` if you want them"),
        (
            "cloudpickle",
            "without it Antiphon pickles functions itself, which does for most; `pip install cloudpickle`",
        ),
    ] {
        findings.push(match version(name) {
            Some(version) => Finding::ok("package", format!("{name} {version}")),
            None => Finding::warn("package", format!("{name} is not installed"), advice),
        });
    }
    findings
}

fn executable(python: &Python) -> String {
    if python.builtin { "built-in".into() } else { python.program.display().to_string() }
}

/// Can state be kept, by its owner alone?
fn state(root: &Path) -> Finding {
    let existing = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    if let Err(error) = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK) {
        let failure = Failure::system(format!("{} cannot be written to", existing.display()), &error);
        return Finding::fail("state", failure.with_hint("set XDG_STATE_HOME to a folder of your own"));
    }
    for path in [root.to_path_buf(), root.join("clusters")] {
        if let Ok(meta) = fs::metadata(&path)
            && meta.mode() & 0o077 != 0
        {
            let words = format!("{} is open to others (mode {:o})", path.display(), meta.mode() & 0o777);
            let failure = Failure::new(Status::Usage, words);
            return Finding::fail("state", failure.with_hint(format!("chmod go= '{}'", path.display())));
        }
    }
    Finding::ok("state", root.display().to_string())
}

/// Is the socket's path short enough?
fn socket(root: &Path) -> Finding {
    let socket: PathBuf = root.join("clusters/default/controller.sock");
    let length = socket.as_os_str().len();
    if length <= MAX_SOCKET_PATH_BYTES {
        return Finding::ok("socket", format!("its path has {length} of {MAX_SOCKET_PATH_BYTES} bytes"));
    }
    Finding::warn(
        "socket",
        format!("its path would have {length} bytes; it is kept in XDG_RUNTIME_DIR or /tmp instead"),
        "a shorter XDG_STATE_HOME keeps everything in one place",
    )
}

/// Does every cluster answer, and has every dead one been cleaned up?
async fn clusters(root: &Path) -> Vec<Finding> {
    let folders = match Folder::list(root) {
        Ok(folders) => folders,
        Err(error) => return vec![Finding::fail("clusters", error.into())],
    };
    let mut findings = Vec::new();
    for folder in folders {
        findings.push(match folder.state() {
            FolderState::Up { pid } => answers(&folder, pid).await,
            _ => Finding::warn(
                "cluster",
                format!("{} is gone and left its folder", folder.name()),
                format!("`antiphon down{}` removes it", cluster_option(folder.name().as_str())),
            ),
        });
    }
    if findings.is_empty() {
        findings.push(Finding::ok("cluster", "none is up"));
    }
    findings
}

async fn answers(folder: &Folder, pid: u32) -> Finding {
    let name = folder.name();
    let asked = async {
        let connection = folder.connection()?;
        let client = connect(&connection, "doctor").await?;
        Ok::<_, Failure>((connection.release, client.status().await?))
    };
    let advice = format!("`antiphon down{}` ends it, whatever it is doing", cluster_option(name.as_str()));
    match timeout(PATIENCE, asked).await {
        Ok(Ok((release, _))) if release != env!("CARGO_PKG_VERSION") => Finding::warn(
            "cluster",
            format!("{name} runs antiphon {release}, this is another release"),
            advice,
        ),
        Ok(Ok((_, status))) => Finding::ok(
            "cluster",
            format!("{name} answers (controller {pid}, {} engines)", status.engines.len()),
        ),
        Ok(Err(failure)) => Finding::fail("cluster", failure.with_hint(advice)),
        Err(_) => {
            let words = format!("{name} (controller {pid}) does not answer");
            Finding::fail("cluster", Failure::new(Status::Lost, words).with_hint(advice))
        }
    }
}

fn descriptors() -> Finding {
    let limit = getrlimit(Resource::Nofile);
    match limit.maximum {
        Some(maximum) if maximum < ENOUGH_DESCRIPTORS => Finding::warn(
            "limits",
            format!("a process may have only {maximum} open files"),
            "raise it (`ulimit -n`, /etc/security/limits.conf) for more than a few dozen engines",
        ),
        Some(maximum) => Finding::ok("limits", format!("{maximum} open files a process")),
        None => Finding::ok("limits", "any number of open files"),
    }
}

fn processes() -> Finding {
    match getrlimit(Resource::Nproc).current {
        Some(limit) if limit < 256 => Finding::warn(
            "limits",
            format!("this user may have only {limit} processes and threads"),
            "raise it (`ulimit -u`) for more than a few engines",
        ),
        Some(limit) => Finding::ok("limits", format!("{limit} processes")),
        None => Finding::ok("limits", "any number of processes"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_state_folder_open_to_others_fails_with_the_command_that_closes_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("antiphon");
        assert_eq!(state(&root).grade, Grade::Ok);
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let finding = state(&root);
        assert_eq!(finding.grade, Grade::Fail);
        assert_eq!(finding.advice, Some(format!("chmod go= '{}'", root.display())));
    }

    #[test]
    fn a_deep_state_folder_is_a_warning() {
        assert_eq!(socket(Path::new("/home/user/.local/state/antiphon")).grade, Grade::Ok);
        assert_eq!(socket(Path::new(&format!("/{}", "d".repeat(100)))).grade, Grade::Warn);
    }

    #[tokio::test]
    async fn a_dead_cluster_is_found_and_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Folder::new(root.path(), "night".parse().unwrap()).create().unwrap();
        let findings = clusters(root.path()).await;
        let lines: Vec<String> = findings.iter().map(Finding::line).collect();
        assert!(
            lines[0].contains("night is gone") && lines[0].contains("antiphon down --cluster night"),
            "{lines:?}"
        );
    }
}
