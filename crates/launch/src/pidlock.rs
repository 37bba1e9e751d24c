//! A file that a living process holds locked, with its process id in it.
//!
//! The lock is the fact (`flock`: it is gone the moment the process is); the process id is only for people and for
//! signals, and is believed only while the lock is held.

use crate::LaunchError;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

/// How long a lock that is held is waited for: somebody may just be looking whether it is held.
const GRACE: Duration = Duration::from_millis(250);

/// A lock that this process holds until it ends or drops it.
#[derive(Debug)]
pub struct PidLock {
    file: File,
    path: PathBuf,
}

impl PidLock {
    /// Takes the lock and writes this process's id into the file; `None` if another process holds it.
    pub fn take(path: &Path) -> Result<Option<Self>, LaunchError> {
        let fail = |error| LaunchError::file("lock", path, error);
        loop {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(fail)?;
            let Some(mut file) = lock_within(file, GRACE).map_err(fail)? else { return Ok(None) };
            // Whoever held it before may have removed the file: then this is a lock on nothing.
            if !is_at(&file, path) {
                continue;
            }
            let text = format!("{}\n", std::process::id());
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.write_all(text.as_bytes()))
                .map_err(fail)?;
            return Ok(Some(PidLock { file, path: path.into() }));
        }
    }

    /// Whether the file is still there and this one.
    pub fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path)
    }
}

/// A process that holds a lock.
#[derive(Debug)]
pub(crate) struct Holder {
    /// Its process id.
    pub pid: u32,
    file: File,
}

impl Holder {
    /// Who holds the lock, if anybody does.
    pub fn of(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).open(path).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // A holder that has not written its id yet is given 0: nobody is ever signalled for it.
                let _ = (&file).take(32).read_to_string(&mut text);
                Some(Holder { pid: text.trim().parse().unwrap_or(0), file })
            }
            _ => None,
        }
    }

    /// Waits on a thread of its own until the lock is free; the receiver hears of it. The thread ends with the
    /// holder, or with this process.
    pub fn released(&self) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
        let file = self.file.try_clone()?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::Builder::new().name("lock-wait".into()).spawn(move || {
            while flock(&file, FlockOperation::LockShared) == Err(Errno::INTR) {}
            let _ = flock(&file, FlockOperation::Unlock);
            let _ = sender.send(());
        })?;
        Ok(receiver)
    }
}

/// Locks the file, waiting a little if it is held.
fn lock_within(file: File, grace: Duration) -> std::io::Result<Option<File>> {
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => return Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => {}
        Err(error) => return Err(error.into()),
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("lock".into()).spawn(move || {
        while flock(&file, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
        // If nobody waits any more, the file is closed here and the lock is free again.
        let _ = sender.try_send(file);
    })?;
    Ok(receiver.recv_timeout(grace).ok())
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_has_one_holder_and_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(Holder::of(&path).is_none());
        let held = PidLock::take(&path).unwrap().unwrap();
        assert!(PidLock::take(&path).unwrap().is_none());
        assert_eq!(Holder::of(&path).unwrap().pid, std::process::id());
        drop(held);
        assert!(Holder::of(&path).is_none());
        assert!(PidLock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_is_known_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = PidLock::take(&path).unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!held.is_in_place());
        assert!(PidLock::take(&path).unwrap().unwrap().is_in_place());
    }

    #[tokio::test]
    async fn the_end_of_a_lock_can_be_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = PidLock::take(&path).unwrap().unwrap();
        let released = Holder::of(&path).unwrap().released().unwrap();
        drop(held);
        tokio::time::timeout(Duration::from_secs(10), released).await.unwrap().unwrap();
    }
}
