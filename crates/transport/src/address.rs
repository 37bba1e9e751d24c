//! Where a controller listens.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

/// Where a controller listens. Between machines this will be TCP with TLS; within one it is a Unix socket in a folder
/// only its owner can enter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = Infallible;

    /// Reads what `Display` writes; a bare path is a Unix socket as well.
    fn from_str(text: &str) -> Result<Address, Infallible> {
        Ok(Address::Unix(PathBuf::from(text.strip_prefix("unix:").unwrap_or(text))))
    }
}
