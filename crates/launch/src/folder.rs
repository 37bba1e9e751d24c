//! A cluster's folder: `XDG_STATE_HOME/antiphon/clusters/NAME`, for its owner alone.
//!
//! ```text
//! lock               held by the controller while it lives; its process id
//! client.json        connection file for clients          written by the controller once it listens
//! host.json          connection file for hosts            likewise
//! controller.sock    the socket, unless the path is too long (then client.json says where)
//! engines-PID.lock   held by a host daemon of this machine
//! controller.log     engines.log
//! ```
//!
//! A folder whose lock nobody holds is stale: its cluster is gone, and the next one of that name takes it over.

use crate::{ClusterName, Connection, LaunchError, PidLock, SocketPlace, Token, pidlock::Holder};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Tries at claiming a folder that another process is removing at the same time; each try means a whole removal won.
const MAX_CLAIM_TRIES: u32 = 16;

/// What host daemons' locks begin and end with.
const HOST_LOCK: (&str, &str) = ("engines-", ".lock");

/// Where Antiphon keeps its state: `XDG_STATE_HOME/antiphon`, by default `~/.local/state/antiphon`.
pub fn state_root() -> Result<PathBuf, LaunchError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("antiphon"))
        .ok_or(LaunchError::NoStateFolder)
}

/// A cluster's folder, there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
    name: ClusterName,
}

/// What a folder says of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderState {
    /// There is none.
    Absent,
    /// Its cluster is gone.
    Stale,
    /// Its controller lives.
    Up {
        /// The controller's process id; 0 in the instant before it has written it.
        pid: u32,
    },
}

impl Folder {
    /// The folder of a cluster under `root` (see [`state_root`]).
    pub fn new(root: &Path, name: ClusterName) -> Self {
        Folder { root: root.into(), name }
    }

    /// Every folder there is, by name.
    pub fn list(root: &Path) -> Result<Vec<Folder>, LaunchError> {
        let clusters = root.join("clusters");
        let entries = match fs::read_dir(&clusters) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LaunchError::file("list", clusters, error)),
        };
        let mut names: Vec<ClusterName> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        Ok(names.into_iter().map(|name| Folder::new(root, name)).collect())
    }

    /// The cluster's name.
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.root.join("clusters").join(self.name.as_str())
    }

    /// The connection file for clients.
    pub fn client_file(&self) -> PathBuf {
        self.path().join("client.json")
    }

    /// The connection file for hosts.
    pub fn host_file(&self) -> PathBuf {
        self.path().join("host.json")
    }

    /// The controller's log.
    pub fn controller_log(&self) -> PathBuf {
        self.path().join("controller.log")
    }

    /// The host daemon's log.
    pub fn engines_log(&self) -> PathBuf {
        self.path().join("engines.log")
    }

    fn lock_file(&self) -> PathBuf {
        self.path().join("lock")
    }

    /// Whether its cluster is up.
    pub fn state(&self) -> FolderState {
        match Holder::of(&self.lock_file()) {
            Some(holder) => FolderState::Up { pid: holder.pid },
            None if self.path().exists() => FolderState::Stale,
            None => FolderState::Absent,
        }
    }

    /// How clients reach the cluster, if it is up.
    pub fn connection(&self) -> Result<Connection, LaunchError> {
        match self.state() {
            FolderState::Up { .. } => match Connection::read(&self.client_file()) {
                Err(LaunchError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Err(LaunchError::Starting { name: self.name.to_string() })
                }
                read => read,
            },
            FolderState::Absent | FolderState::Stale => {
                Err(LaunchError::NotUp { name: self.name.to_string() })
            }
        }
    }

    /// Makes the folder, private, and refuses one that is not.
    pub fn create(&self) -> Result<(), LaunchError> {
        let path = self.path();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| LaunchError::file("make the folder", &path, error))?;
        for folder in [&self.root, &path] {
            check_private(folder)?;
        }
        Ok(())
    }

    /// Takes the folder for a controller in this process, removing what a dead cluster left in it.
    pub fn claim(&self) -> Result<Claim, LaunchError> {
        let mut tries = 0;
        let lock = loop {
            self.create()?;
            tries += 1;
            match PidLock::take(&self.lock_file()) {
                Ok(Some(lock)) => break lock,
                Ok(None) => {
                    let pid = Holder::of(&self.lock_file()).map(|holder| holder.pid).filter(|pid| *pid != 0);
                    return Err(LaunchError::AlreadyUp { name: self.name.to_string(), pid });
                }
                // The folder went between the two steps: somebody has just cleaned it.
                Err(LaunchError::File { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < MAX_CLAIM_TRIES => {}
                Err(error) => return Err(error),
            }
        };
        self.clean_remains();
        let socket = SocketPlace::prepare(&self.path())?;
        Ok(Claim { folder: self.clone(), token: Token::random()?, socket, lock })
    }

    /// Marks this process as one of the cluster's host daemons, as long as the result is held.
    pub fn mark_host(&self) -> Result<Option<PidLock>, LaunchError> {
        let (start, end) = HOST_LOCK;
        PidLock::take(&self.path().join(format!("{start}{}{end}", std::process::id())))
    }

    /// Removes the folder if its cluster is gone; says whether it did.
    pub fn remove_stale(&self) -> Result<bool, LaunchError> {
        if self.state() != FolderState::Stale {
            return Ok(false);
        }
        match PidLock::take(&self.lock_file()) {
            Ok(Some(_lock)) => self.remove().map(|()| true),
            Ok(None) => Ok(false),
            Err(LaunchError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The living processes that hold locks here: the controller first.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        let hosts = self.entries().into_iter().filter(|path| is_host_lock(path));
        std::iter::once(self.lock_file()).chain(hosts).filter_map(|path| Holder::of(&path)).collect()
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path())
            .map(|all| all.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default()
    }

    /// Removes what a dead cluster left, except its logs: they may be why somebody looks. The lock must be held.
    fn clean_remains(&self) {
        if let Ok(connection) = Connection::read(&self.client_file())
            && let Some(path) = connection.address.strip_prefix("unix:")
        {
            SocketPlace::clean(Path::new(path));
        }
        for path in [self.client_file(), self.host_file(), self.path().join("controller.sock")] {
            let _ = fs::remove_file(path);
        }
        for path in self.entries().into_iter().filter(|path| is_host_lock(path)) {
            if Holder::of(&path).is_none() {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Removes everything. The lock must be held.
    fn remove(&self) -> Result<(), LaunchError> {
        self.clean_remains();
        fs::remove_dir_all(self.path()).map_err(|error| LaunchError::file("remove", self.path(), error))
    }
}

/// A folder taken by the controller in this process.
#[derive(Debug)]
pub struct Claim {
    folder: Folder,
    token: Token,
    socket: SocketPlace,
    lock: PidLock,
}

impl Claim {
    /// Where the controller is to listen.
    pub fn socket(&self) -> &Path {
        &self.socket.path
    }

    /// The cluster's secret.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Writes the connection files: from now on the cluster is found. To be called once the controller listens.
    pub fn publish(&self, release: &str) -> Result<(), LaunchError> {
        let connection = Connection {
            cluster: self.folder.name.to_string(),
            address: format!("unix:{}", self.socket.path.display()),
            token: self.token.clone(),
            controller_pid: std::process::id(),
            release: release.into(),
        };
        connection.write(&self.folder.host_file())?;
        connection.write(&self.folder.client_file())
    }

    /// Removes the folder with everything in it, at the cluster's orderly end.
    pub fn remove(self) -> Result<(), LaunchError> {
        SocketPlace::clean(&self.socket.path);
        if !self.lock.is_in_place() {
            return Ok(());
        }
        self.folder.remove()
    }
}

fn is_host_lock(path: &Path) -> bool {
    let (start, end) = HOST_LOCK;
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(start) && name.ends_with(end))
}

/// Refuses a folder that others may write to or that is not ours: its secrets would be theirs.
fn check_private(folder: &Path) -> Result<(), LaunchError> {
    let meta = fs::metadata(folder).map_err(|error| LaunchError::file("look at", folder, error))?;
    let (mode, owner) = (meta.mode() & 0o7777, meta.uid());
    if mode & 0o077 != 0 || owner != rustix::process::geteuid().as_raw() {
        return Err(LaunchError::NotPrivate { path: folder.into(), mode, owner });
    }
    Ok(())
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
