//! Ending clusters whose processes are played by `flock` holders.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ClusterName;
use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A process that holds the controller's lock as bash can: with its id in the file.
fn holder(folder: &Folder, trap: &str) -> Child {
    folder.create().unwrap();
    let script =
        format!("{trap}; exec 9>>lock; flock 9; echo $$ >&9; echo up; while :; do read -t 60 <> <(:); done");
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    child
}

fn folder(root: &Path) -> Folder {
    Folder::new(&root.join("antiphon"), ClusterName::default())
}

#[tokio::test]
async fn a_cluster_that_is_not_up_is_said_to_be_so() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    assert!(matches!(stop(&folder, async { true }).await, Err(LaunchError::NotUp { .. })));
    folder.create().unwrap();
    fs::write(folder.path().join("lock"), "1\n").unwrap();
    assert_eq!(stop(&folder, async { true }).await.unwrap(), Stopped::WasStale);
    assert!(!folder.path().exists());
}

#[tokio::test]
async fn a_cluster_that_ends_when_asked_gets_no_signal() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let mut child = holder(&folder, ":");
    let ask = async {
        child.kill().unwrap();
        true
    };
    assert_eq!(stop(&folder, ask).await.unwrap(), Stopped::Asked);
    child.wait().unwrap();
    assert!(!folder.path().exists());
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_terminated() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let mut child = holder(&folder, "trap 'exit 0' TERM");
    assert_eq!(stop(&folder, async { false }).await.unwrap(), Stopped::Terminated);
    child.wait().unwrap();
}

#[tokio::test]
async fn a_cluster_that_ignores_everything_is_killed() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let mut child = holder(&folder, "trap '' TERM");
    assert_eq!(stop(&folder, async { false }).await.unwrap(), Stopped::Killed);
    child.wait().unwrap();
    assert!(!folder.path().exists());
}
