//! Where the controller's socket lies. A Unix socket's path is limited to about 107 bytes, so a deep folder cannot
//! hold it; then it gets a private folder of its own in a shallow place.

use crate::{LaunchError, Token};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Longest path of a Unix socket that every system takes (Linux: 107 bytes, macOS: 103).
pub const MAX_SOCKET_PATH_BYTES: usize = 103;

/// The socket's name in the cluster's folder.
const SOCKET_FILE: &str = "controller.sock";

/// What the private folders begin with.
const PREFIX: &str = "antiphon-";

/// Tries at a folder name that nobody has; names are 64 random bits, so a second try is a rarity.
const MAX_TRIES: u32 = 8;

/// Where a socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPlace {
    /// The socket.
    pub path: PathBuf,
    /// The folder made for it alone, to be removed with it.
    pub private: Option<PathBuf>,
}

impl SocketPlace {
    /// A place for the socket of the cluster in `folder`; makes a private folder if that one is too deep.
    pub fn prepare(folder: &Path) -> Result<Self, LaunchError> {
        Self::prepare_in(folder, &shallow_folder())
    }

    fn prepare_in(folder: &Path, shallow: &Path) -> Result<Self, LaunchError> {
        let path = folder.join(SOCKET_FILE);
        if fits(&path) {
            return Ok(SocketPlace { path, private: None });
        }
        for _ in 0..MAX_TRIES {
            let token = Token::random()?;
            let private = shallow.join(format!("{PREFIX}{}", &token.reveal()[..16]));
            match fs::DirBuilder::new().mode(0o700).create(&private) {
                Ok(()) => {
                    return Ok(SocketPlace { path: private.join("c.sock"), private: Some(private) });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LaunchError::file("make the folder", private, error)),
            }
        }
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(LaunchError::file("make a private folder in", shallow, error))
    }

    /// Removes what a socket at `path` leaves behind: itself, and the private folder if it had one.
    pub(crate) fn clean(path: &Path) {
        let _ = fs::remove_file(path);
        let Some(parent) = path.parent() else { return };
        let named = parent.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let owned = fs::symlink_metadata(parent)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw());
        if named && owned {
            // Only an empty folder goes: this can never take anything else away.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Whether the system takes a socket at this path.
pub(crate) fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES
}

/// Where private folders for sockets are made.
fn shallow_folder() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usable = |path: &PathBuf| {
        let room = path.join(format!("{PREFIX}0123456789abcdef/c.sock"));
        path.is_absolute()
            && fits(&room)
            && fs::metadata(path).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o077 == 0)
    };
    runtime.filter(usable).unwrap_or_else(|| PathBuf::from("/tmp"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shallow_folder_holds_its_socket() {
        let place =
            SocketPlace::prepare_in(Path::new("/s/antiphon/clusters/default"), Path::new("/tmp")).unwrap();
        assert_eq!(place.path, Path::new("/s/antiphon/clusters/default/controller.sock"));
        assert_eq!(place.private, None);
    }

    #[test]
    fn a_deep_folder_gets_a_private_place_that_can_be_bound_and_cleaned() {
        let shallow = tempfile::tempdir().unwrap();
        let deep = shallow.path().join("d".repeat(120));
        let place = SocketPlace::prepare_in(&deep, shallow.path()).unwrap();
        let private = place.private.clone().unwrap();
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o777, 0o700);
        let _listener = std::os::unix::net::UnixListener::bind(&place.path).unwrap();
        SocketPlace::clean(&place.path);
        assert!(!private.exists());
    }

    #[test]
    fn cleaning_takes_nothing_else_away() {
        let home = tempfile::tempdir().unwrap();
        let foreign = home.path().join("work");
        fs::create_dir(&foreign).unwrap();
        SocketPlace::clean(&foreign.join("c.sock"));
        assert!(foreign.exists());
    }
}
