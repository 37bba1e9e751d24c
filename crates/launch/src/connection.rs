//! Connection files: how to reach a cluster, and the secret that lets one in.

use crate::LaunchError;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Bytes of randomness in a token: too many to guess.
const TOKEN_BYTES: usize = 32;

/// A cluster's secret. Never shown by `Debug`, so that no log gets it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn random() -> Result<Self, LaunchError> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        let mut filled = 0;
        while filled < bytes.len() {
            match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
                Ok(n) => filled += n,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(LaunchError::system("draw a random token", error)),
            }
        }
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a connection file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The cluster's name.
    pub cluster: String,
    /// Where the controller listens: `unix:/path`.
    pub address: String,
    /// The secret.
    pub token: Token,
    /// The controller's process id.
    pub controller_pid: u32,
    /// The controller's release of Antiphon.
    pub release: String,
}

impl Connection {
    /// Reads a connection file. One that others may read is refused, as its secret is none.
    pub fn read(path: &Path) -> Result<Self, LaunchError> {
        let file = fs::File::open(path).map_err(|error| LaunchError::file("read", path, error))?;
        let meta = file.metadata().map_err(|error| LaunchError::file("read", path, error))?;
        if meta.mode() & 0o077 != 0 {
            let (mode, owner) = (meta.mode() & 0o7777, meta.uid());
            return Err(LaunchError::NotPrivate { path: path.into(), mode, owner });
        }
        let text = io::read_to_string(file).map_err(|error| LaunchError::file("read", path, error))?;
        serde_json::from_str(&text)
            .map_err(|error| LaunchError::Malformed { path: path.into(), reason: error.to_string() })
    }

    /// Writes it whole or not at all, readable by its owner alone.
    pub fn write(&self, path: &Path) -> Result<(), LaunchError> {
        let draft = path.with_extension("draft");
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| LaunchError::Malformed { path: path.into(), reason: error.to_string() })?;
        text.push('\n');
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&draft, path));
        written.map_err(|error| LaunchError::file("write", path, error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn connection() -> Connection {
        Connection {
            cluster: "default".into(),
            address: "unix:/x/controller.sock".into(),
            token: Token::random().unwrap(),
            controller_pid: 7,
            release: "0.1.0".into(),
        }
    }

    #[test]
    fn a_file_comes_back_as_written_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let written = connection();
        written.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Connection::read(&path).unwrap(), written);
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        connection().write(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Connection::read(&path), Err(LaunchError::NotPrivate { mode: 0o644, .. })));
    }

    #[test]
    fn tokens_are_long_differ_and_are_not_shown() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.reveal().len(), 64);
        assert_ne!(one, two);
        assert!(!format!("{:?}", connection()).contains(one.reveal()));
        assert_eq!(format!("{one:?}"), "Token(…)");
    }
}
