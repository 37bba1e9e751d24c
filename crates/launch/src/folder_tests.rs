//! A folder's life: absent, claimed, published, stale, taken over, removed.
#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::PermissionsExt;

fn folder(root: &Path) -> Folder {
    Folder::new(&root.join("antiphon"), ClusterName::default())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_cluster_is_absent_then_up_then_absent() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    assert_eq!(folder.state(), FolderState::Absent);
    assert!(matches!(folder.connection(), Err(LaunchError::NotUp { .. })));
    let claim = folder.claim().unwrap();
    assert!(matches!(folder.connection(), Err(LaunchError::Starting { .. })));
    claim.publish("0.1.0").unwrap();
    assert_eq!(folder.state(), FolderState::Up { pid: std::process::id() });
    let connection = folder.connection().unwrap();
    assert_eq!(connection.token, *claim.token());
    assert_eq!(connection.address, format!("unix:{}", claim.socket().display()));
    assert_eq!(mode(&folder.path()), 0o700);
    assert_eq!(mode(&root.path().join("antiphon")), 0o700);
    for file in [folder.client_file(), folder.host_file(), folder.lock_file()] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    claim.remove().unwrap();
    assert_eq!(folder.state(), FolderState::Absent);
}

#[test]
fn a_cluster_that_is_up_is_not_claimed_twice() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let _claim = folder.claim().unwrap();
    let pid = Some(std::process::id());
    assert!(matches!(folder.claim(), Err(LaunchError::AlreadyUp { pid: it, .. }) if it == pid));
    assert!(!folder.remove_stale().unwrap());
}

#[test]
fn a_stale_folder_is_taken_over_and_keeps_only_its_logs() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let claim = folder.claim().unwrap();
    claim.publish("0.1.0").unwrap();
    fs::write(folder.controller_log(), "it crashed\n").unwrap();
    fs::write(folder.path().join("engines-1.lock"), "1\n").unwrap();
    drop(claim);
    assert_eq!(folder.state(), FolderState::Stale);
    let _claim = folder.claim().unwrap();
    assert!(!folder.client_file().exists() && !folder.path().join("engines-1.lock").exists());
    assert!(folder.controller_log().exists());
}

#[test]
fn a_stale_folder_can_be_removed() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    drop(folder.claim().unwrap());
    assert!(folder.remove_stale().unwrap());
    assert_eq!(folder.state(), FolderState::Absent);
    assert!(!folder.remove_stale().unwrap());
}

#[test]
fn a_stale_cluster_with_a_deep_folder_leaves_no_socket_behind() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d".repeat(100));
    let folder = folder(&deep);
    let claim = folder.claim().unwrap();
    claim.publish("0.1.0").unwrap();
    let private = claim.socket().parent().unwrap().to_path_buf();
    assert!(claim.socket().as_os_str().len() <= crate::MAX_SOCKET_PATH_BYTES);
    let _listener = std::os::unix::net::UnixListener::bind(claim.socket()).unwrap();
    drop(claim);
    assert!(private.exists());
    folder.remove_stale().unwrap();
    assert!(!private.exists());
}

#[test]
fn a_folder_others_can_enter_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    folder.create().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(folder.claim(), Err(LaunchError::NotPrivate { mode: 0o755, .. })));
}

#[test]
fn many_claims_at_once_give_one_controller() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    let claims: Vec<_> = std::thread::scope(|scope| {
        let claiming: Vec<_> = (0..8).map(|_| scope.spawn(|| folder.claim())).collect();
        claiming.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
}

#[test]
fn folders_are_listed_by_name() {
    let root = tempfile::tempdir().unwrap();
    let under = root.path().join("antiphon");
    assert_eq!(Folder::list(&under).unwrap(), []);
    for name in ["b", "a"] {
        Folder::new(&under, name.parse().unwrap()).create().unwrap();
    }
    let names: Vec<String> = Folder::list(&under).unwrap().iter().map(|one| one.name().to_string()).collect();
    assert_eq!(names, ["a", "b"]);
}
