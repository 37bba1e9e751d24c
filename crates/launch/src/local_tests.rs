//! Daemons played by small shell scripts: ready, refusing, dying, silent, orphaned.
#![allow(clippy::unwrap_used)]

use super::*;
use std::{os::unix::fs::PermissionsExt, time::Duration};

const LONG: Duration = Duration::from_secs(20);

/// A program that runs `script` with the pipe's number in `$ready` and the lifeline's in `$line`.
fn program(folder: &Path, script: &str) -> Local {
    let program = folder.join("daemon");
    let find =
        "while [ $# -gt 0 ]; do case $1 in --ready-fd) ready=$2;; --lifeline-fd) line=$2;; esac; shift; done";
    fs::write(&program, format!("#!/bin/bash\n{find}\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    Local { program }
}

fn plan(folder: &Path) -> ControllerPlan {
    ControllerPlan { cluster: ClusterName::default(), log: folder.join("controller.log") }
}

#[tokio::test]
async fn a_daemon_says_that_it_is_ready_and_its_end_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let local = program(folder.path(), "echo '\"ready\"' >&$ready; exec cat <&$line");
    let lifeline = Lifeline::new().unwrap();
    let mut daemon = local.controller(&plan(folder.path()), Some(&lifeline)).unwrap();
    daemon.ready(LONG).await.unwrap();
    drop(lifeline);
    assert_eq!(tokio::time::timeout(LONG, daemon.ended()).await.unwrap(), "with status 0");
}

#[tokio::test]
async fn a_daemon_that_cannot_work_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let report = r#"{"failed":{"message":"no python","causes":["because"],"hint":"get one"}}"#;
    let local = program(folder.path(), &format!("echo '{report}' >&$ready; exit 1"));
    let mut daemon = local.controller(&plan(folder.path()), None).unwrap();
    let error = daemon.ready(LONG).await.unwrap_err();
    assert!(
        matches!(&error, LaunchError::Failed { failure, .. } if failure.hint.as_deref() == Some("get one"))
    );
    assert_eq!(error.to_string(), "the controller did not start: no python");
}

#[tokio::test]
async fn a_daemon_that_dies_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("controller.log"), "an older story\n").unwrap();
    let local = program(folder.path(), "echo 'out of everything' >&2; exit 7");
    let mut daemon = local.controller(&plan(folder.path()), None).unwrap();
    let error = daemon.ready(LONG).await.unwrap_err();
    assert_eq!(error.to_string(), "the controller ended with status 7");
    assert_eq!(error.log(), Some("out of everything"));
}

#[tokio::test]
async fn a_silent_daemon_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let local = program(folder.path(), "trap '' TERM; read -u $line");
    let lifeline = Lifeline::new().unwrap();
    let mut daemon = local.controller(&plan(folder.path()), Some(&lifeline)).unwrap();
    let error = daemon.ready(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, LaunchError::NotReady { .. }));
    daemon.end(Duration::from_millis(50)).await;
    assert_eq!(daemon.ended().await, "by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_daemon_leads_a_session_and_inherits_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let script = "ls /proc/$$/fd | sort -n | tr '\\n' ' '; echo; cut -d' ' -f6 /proc/$$/stat; echo $$; \
        echo $ready; echo '\"ready\"' >&$ready";
    let local = program(folder.path(), script);
    let other = Lifeline::new().unwrap();
    let mut daemon = local.controller(&plan(folder.path()), None).unwrap();
    daemon.ready(LONG).await.unwrap();
    daemon.ended().await;
    let log = fs::read_to_string(folder.path().join("controller.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[1], lines[2], "session: {log}");
    // Whatever the test's own parent left open is there as well; another daemon's lifeline must not be.
    let open: Vec<&str> = lines[0].split_whitespace().collect();
    assert!(open.contains(&lines[3]), "{log}");
    assert!(!open.contains(&other.reading().as_raw_fd().to_string().as_str()), "{log}");
}
