//! Names of clusters: they are folders, so only plain ones.

use crate::LaunchError;
use std::{fmt, str::FromStr};

/// Longest name: it is part of a socket's path, which the system limits to about 107 bytes.
const MAX_NAME_BYTES: usize = 48;

/// What the names of clusters that belong to one shell begin with.
const PRIVATE_PREFIX: &str = "shell-";

/// A cluster's name: letters, digits, `.`, `_`, `-`, the first a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(String);

impl ClusterName {
    /// The name of a cluster that belongs to this process and ends with it.
    pub fn private() -> Self {
        ClusterName(format!("{PRIVATE_PREFIX}{}", std::process::id()))
    }

    /// Whether it belongs to one shell.
    pub fn is_private(&self) -> bool {
        self.0.starts_with(PRIVATE_PREFIX)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        ClusterName("default".into())
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClusterName {
    type Err = LaunchError;

    fn from_str(text: &str) -> Result<Self, LaunchError> {
        let refuse = |reason| Err(LaunchError::Name { name: text.into(), reason });
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > MAX_NAME_BYTES {
            return refuse("it is longer than 48 bytes");
        }
        if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return refuse("it has to begin with a letter or a digit");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return refuse("only letters, digits, '.', '_' and '-' may be in it");
        }
        Ok(ClusterName(text.into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_that_are_paths_are_refused() {
        for bad in ["", "../x", "a/b", ".hidden", "-n", "a b", "ä", &"x".repeat(49)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
        for good in ["default", "a.b_c-1", "7"] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        assert!(ClusterName::private().is_private());
    }
}
